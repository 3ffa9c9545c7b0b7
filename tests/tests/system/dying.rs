//! A sample of dying anywhere. `make faults` runs every case.

use system_tests::dying::{Case, Deed, Fate, Suite, table};

const SAMPLE: usize = 18;
/// What failed once and is tried each time: which of the parameters is the nth
/// varies from run to run.
const FAILED_ONCE: (Deed, &str, Fate) = (Deed::Apply, "ssm:PutParameter", Fate::Failed);

#[test]
fn dying_anywhere_is_harmless() {
    let suite = Suite::new("geo-101", &Deed::ALL).unwrap();
    let mut cases = suite.sample(SAMPLE);
    let again = |case: &Case| (case.deed, case.call.action.as_str(), case.fate) == FAILED_ONCE;
    let again: Vec<Case> = suite.cases().into_iter().filter(again).collect();
    assert!(!again.is_empty(), "nothing of what failed once is there any more");
    cases.extend(again);
    let verdicts = suite.run(&cases, 2, &|_| {}).unwrap();
    println!("{}", table(&verdicts));
    let failed: Vec<String> = verdicts
        .iter()
        .filter_map(|verdict| {
            let error = verdict.passes.as_ref().err()?;
            Some(format!("{}: {error:#}", verdict.case))
        })
        .collect();
    assert!(failed.is_empty() && verdicts.len() == cases.len(), "{}", failed.join("\n\n"));
}
