//! What a plan and an apply are about: the revision, the clusters and the form
//! that were asked for.

use std::collections::BTreeSet;

use serde_json::Value;
use system_tests::scenario::{Lyceum, Repo, World};

#[test]
fn they_are_of_the_revision_and_the_clusters_asked_for() {
    let repo = Repo::of_examples(&["geo-101", "stats-200"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    repo.edit("clusters/stats-200/cluster.yaml", "max: 40", "max: 41").unwrap();
    repo.commit("More workers").unwrap();
    // Not committed.
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: 21").unwrap();
    let changed = |options: &[&str]| {
        let asked = [&["plan", "--format", "json"], options].concat();
        changed(&program.run(&asked).unwrap().succeeded().unwrap().json().unwrap())
    };
    let (geo, stats) = ("geo-101/scaling-group/workers", "stats-200/scaling-group/workers");
    assert_eq!(changed(&[]), names(&[geo, stats]));
    assert_eq!(changed(&["--rev", "HEAD"]), names(&[stats]));
    assert_eq!(changed(&["--rev", "HEAD~1"]), names(&[]));
    assert_eq!(changed(&["--cluster", "geo-101"]), names(&[geo]));
    assert_eq!(changed(&["--cluster", "geo-101", "--cluster", "stats-200"]), names(&[geo, stats]));
    let first = ["plan", "--rev", "HEAD~1", "--detailed-exitcode"];
    program.run(&first).unwrap().exited(0).unwrap();
    program.run(&["plan", "--cluster", "geo-102"]).unwrap().exited(1).unwrap();
    // HEAD's, and of it what was asked for.
    program.run(&["apply", "--yes", "--cluster", "geo-101"]).unwrap().succeeded().unwrap();
    assert_eq!(changed(&["--rev", "HEAD"]), names(&[stats]));
    let ended = program.run(&["apply", "--yes", "--cluster", "stats-200"]).unwrap();
    assert!(ended.succeeded().unwrap().stderr.contains("not committed"));
    assert_eq!(changed(&[]), names(&[geo]));
    let first = ["apply", "--yes", "--rev", "HEAD~1"];
    program.run(&first).unwrap().succeeded().unwrap();
    assert_eq!(changed(&["--rev", "HEAD"]), names(&[stats]));
}

#[test]
fn a_plan_says_in_markdown_what_it_says_in_json_and_counts_its_calls() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: 21").unwrap();
    let said = program.run(&["plan", "--format", "markdown"]).unwrap().succeeded().unwrap().stdout;
    for part in ["<b>geo-101</b>", "! geo-101/scaling-group/workers ", "max: 20 → 21\n"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(said.contains("\n### ") && !said.contains('\u{1b}'), "{said}");
    world.proxy.forget_attempts();
    let counted = ["plan", "--format", "json", "--stats"];
    let plan = program.run(&counted).unwrap().succeeded().unwrap().json().unwrap();
    let stats = &plan["stats"];
    assert_eq!(stats["api_calls"].as_u64(), Some(world.proxy.attempts().len() as u64), "{stats}");
    let by_operation = stats["by_operation"].as_object().unwrap();
    let sum: u64 = by_operation.values().filter_map(Value::as_u64).sum();
    assert_eq!(stats["api_calls"], sum, "{stats}");
    assert!(stats["wall_ms"].as_u64() > Some(0), "{stats}");
    assert!(stats["peak_rss_bytes"].as_u64() > Some(1_000_000), "{stats}");
}

/// The addresses that a plan changes.
fn changed(plan: &Value) -> BTreeSet<String> {
    let clusters = plan["clusters"].as_array().unwrap();
    let changes = clusters.iter().flat_map(|cluster| cluster["changes"].as_array().unwrap());
    changes.map(|change| change["address"].as_str().unwrap().to_string()).collect()
}

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| name.to_string()).collect()
}
