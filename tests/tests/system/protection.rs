//! What holds data outlives mistakes; consent is exact.

use system_tests::scenario::{Inventory, Lyceum, Repo, World};

const PRECIOUS: [(&str, &str); 4] = [
    ("file-system", "geo-101/file-system/main"),
    ("volume", "geo-101/volume/hub"),
    ("elastic-ip", "geo-101/elastic-ip/hub"),
    ("bucket", "@us-east-1/bucket/artifacts"),
];

fn has(inventory: &Inventory, kind: &str, address: &str) -> bool {
    inventory.objects(kind).iter().any(|object| object["address"] == address)
}

#[test]
fn destroying_leaves_what_holds_data_and_says_how_to_consent() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let refused = program.run(&["destroy", "--cluster", "geo-101", "--yes"]).unwrap();
    assert_ne!(refused.code, Some(0), "HEAD still declares it: {refused}");
    let destroy = ["destroy", "--cluster", "geo-101", "--yes", "--force"];
    let ended = program.run(&destroy).unwrap().succeeded().unwrap();
    let left = world.inventory().unwrap();
    for (kind, address) in PRECIOUS {
        assert!(has(&left, kind, address), "{address} is gone: {ended}");
    }
    assert!(!has(&left, "instance", "geo-101/instance/hub"), "{ended}");
    assert!(!has(&left, "scaling-group", "geo-101/scaling-group/workers"), "{ended}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("geo-101/file-system/main") && said.contains("consent"), "{ended}");
}

#[test]
fn removing_a_folder_or_emptying_the_repository_deletes_nothing() {
    let repo = Repo::of_examples(&["geo-101", "stats-200"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let before = world.inventory().unwrap();
    repo.remove("clusters/geo-101").unwrap();
    repo.commit("Remove a cluster").unwrap();
    let ended = program.apply().unwrap();
    assert_eq!(before.difference(&world.inventory().unwrap()), Vec::<String>::new(), "{ended}");
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains("geo-101"), "{ended}");
    repo.remove("clusters").unwrap();
    repo.commit("Remove everything").unwrap();
    let ended = program.run(&["apply", "--yes"]).unwrap();
    assert_eq!(before.difference(&world.inventory().unwrap()), Vec::<String>::new(), "{ended}");
}
