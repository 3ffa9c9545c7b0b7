//! Drift: a sample of what is done behind the program's back, one case of every
//! kind at least. `make drift` does all of it; the table has every attribute of
//! every kind, or says why not.

use system_tests::drift::{Choice, coverage, failures, run, table};

/// One case in so many, and what is missing of the kinds.
const EVERY: usize = 60;

#[test]
fn what_is_done_behind_its_back_is_shown_and_mended_or_left_alone() {
    let choice = Choice { every: EVERY, from: 1, only: String::new(), shards: 2 };
    let verdicts = run(&choice, &|_| {}).unwrap();
    println!("{}", table(&verdicts, &coverage().unwrap()));
    let kinds: std::collections::BTreeSet<&str> =
        verdicts.iter().map(|verdict| verdict.kind.as_str()).collect();
    assert!(kinds.len() >= 24, "{kinds:?}");
    assert_eq!(failures(&verdicts), Vec::<String>::new());
}

#[test]
fn every_attribute_of_every_kind_is_tried_or_excused() {
    let coverage = coverage().unwrap();
    assert_eq!(coverage.faults, Vec::<String>::new());
    assert!(coverage.cases > 150, "{}", coverage.cases);
    assert!(coverage.not_coverable.iter().all(|excuse| !excuse.reason.is_empty()));
}
