//! Drift is tried for every attribute of every kind, or it is said why not;
//! `make drift` tries them.

use system_tests::drift::coverage;

#[test]
fn every_attribute_of_every_kind_is_tried_or_excused() {
    let coverage = coverage().unwrap();
    assert_eq!(coverage.faults, Vec::<String>::new());
    assert!(coverage.cases > 150, "{}", coverage.cases);
    assert!(coverage.not_coverable.iter().all(|excuse| !excuse.reason.is_empty()));
}
