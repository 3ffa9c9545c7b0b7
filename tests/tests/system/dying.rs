//! A sample of dying anywhere. `make faults` runs every case.

use system_tests::dying::{Deed, Suite, table};

const SAMPLE: usize = 18;

#[test]
fn dying_anywhere_is_harmless() {
    let suite = Suite::new("geo-101", &Deed::ALL).unwrap();
    let cases = suite.sample(SAMPLE);
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
