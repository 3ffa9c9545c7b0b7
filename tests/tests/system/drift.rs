//! A sample of drift, at least one case of every kind. `make drift` runs all.

use system_tests::drift::{Choice, coverage, failures, run, table};

/// One in so many; the first taken changes with it, now and then.
const EVERY: usize = 10;
const FROM: usize = 3;
const KINDS: usize = 24;

#[test]
fn every_attribute_of_every_kind_is_tried_or_excused() {
    let coverage = coverage().unwrap();
    assert_eq!(coverage.faults, Vec::<String>::new());
    assert!(coverage.cases > 150, "{}", coverage.cases);
    assert!(coverage.not_coverable.iter().all(|excuse| !excuse.reason.is_empty()));
}

#[test]
fn what_is_done_behind_its_back_is_seen_and_mended() {
    let choice = Choice { every: EVERY, from: FROM, only: String::new(), shards: 2 };
    let verdicts = run(&choice).unwrap();
    println!("{}", table(&verdicts, &coverage().unwrap()));
    let failed = failures(&verdicts);
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    let kinds: std::collections::BTreeSet<_> = verdicts.iter().map(|one| &one.kind).collect();
    assert_eq!(kinds.len(), KINDS, "{kinds:?}");
}
