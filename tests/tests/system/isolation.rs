//! One sick cluster delays only itself, and a busy account slows without
//! failing.

use system_tests::proxy::{Fault, Rule};
use system_tests::scenario::{Lyceum, Repo, World};

#[test]
fn one_cluster_whose_calls_are_denied_leaves_the_others_whole() {
    let repo = Repo::of_examples(&["geo-101", "stats-200"]).unwrap();
    let world = World::new().unwrap();
    world.proxy.rule(Rule::new("*", Fault::Denied).mutating(true).containing("geo-101"));
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let ended = program.run(&["apply", "--yes"]).unwrap();
    assert_ne!(ended.code, Some(0), "{ended}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("geo-101"), "{ended}");
    let inventory = world.inventory().unwrap();
    let of = |kind: &str, cluster: &str| {
        let address = format!("{cluster}/{kind}/");
        let objects = inventory.objects(kind);
        objects.iter().filter(|one| one["address"].as_str().unwrap().starts_with(&address)).count()
    };
    assert_eq!((of("vpc", "geo-101"), of("instance", "stats-200")), (0, 1), "{ended}");
    assert_eq!(of("scaling-group", "stats-200"), 1, "{ended}");
    // The clusters are as independent when the cause has gone.
    world.proxy.clear_rules();
    program.apply().unwrap();
    world.fidelity(repo.path()).unwrap();
}

#[test]
fn an_account_that_throttles_is_asked_more_slowly_and_nothing_fails() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    world.proxy.rule(Rule::new("*", Fault::Throttle).one_in(4, 5));
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    world.proxy.clear_rules();
    world.fidelity(repo.path()).unwrap();
}
