//! What came of the cases, for people.

use std::collections::BTreeMap;

use super::{Deed, Fate, Verdict};

/// Fate to how many converged, and of how many.
type Row = BTreeMap<Fate, (usize, usize)>;

/// The table: an action a line, a fate a column, how many of how many passed.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut rows: BTreeMap<(Deed, &str), Row> = BTreeMap::new();
    for Verdict { case, passes } in verdicts {
        let row = rows.entry((case.deed, &case.call.action)).or_default();
        let cell = row.entry(case.fate).or_default();
        cell.0 += usize::from(passes.is_ok());
        cell.1 += 1;
    }
    let mut text = line("", "", &Fate::ALL.map(|fate| fate.name().to_string()));
    for ((deed, action), row) in &rows {
        let cells = Fate::ALL.map(|fate| {
            row.get(&fate).map_or("-".into(), |(passed, all)| format!("{passed}/{all}"))
        });
        text.push_str(&line(&format!("{deed:?}"), action, &cells));
    }
    let passed = verdicts.iter().filter(|verdict| verdict.passes.is_ok()).count();
    let most = verdicts.iter().filter_map(|one| one.passes.as_ref().ok()).max().unwrap_or(&0);
    text + &format!("{passed} of {} converged, in at most {most} passes\n", verdicts.len())
}

fn line(deed: &str, action: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>17}")).collect();
    format!("{deed:<8}{action:<48}{cells}\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Place};
    use super::*;

    #[test]
    fn the_table_counts_what_converged() {
        let case = |nth, fate| Case {
            deed: Deed::Apply,
            call: Place { action: "ec2:CreateVpc".into(), nth },
            fate,
        };
        let verdicts = [
            Verdict { case: case(1, Fate::Failed), passes: Ok(2) },
            Verdict { case: case(2, Fate::Failed), passes: Err(anyhow::anyhow!("no")) },
        ];
        let table = table(&verdicts);
        assert!(table.contains("ec2:CreateVpc") && table.contains("1/2"), "{table}");
        assert!(table.contains("1 of 2 converged, in at most 2 passes"), "{table}");
    }
}
