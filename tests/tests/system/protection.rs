//! What holds data outlives mistakes; consent is exact.

use std::collections::BTreeMap;

use system_tests::proxy::{Fault, Rule};
use system_tests::scenario::{Consent, Ended, Inventory, Lyceum, Repo, World};

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
    // As the hub's role and an operator do.
    let put = "for cluster in ('geo-101', 'geo-102'):\n  \
               for name, type in (('notebook-image', 'SecureString'), ('people', 'StringList')):\n    \
               aws('ssm').put_parameter(Name=f'/lyceum/{cluster}/{name}', Value='x', Type=type)";
    world.boto3(put).unwrap();
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
    for name in ["notebook-image", "people"] {
        let line = format!("\n  /lyceum/geo-101/{name} in us-east-1\n");
        assert!(ended.stdout.contains(&line), "{ended}");
    }
    assert!(!ended.stdout.contains("geo-102"), "another cluster's: {ended}");
    // Once more: what stays is said though nothing is left to do.
    let again = program.run(&destroy).unwrap().succeeded().unwrap();
    assert!(again.stdout.contains("/lyceum/geo-101/notebook-image"), "{again}");
    world.proxy.rule(Rule::new("ssm:GetParametersByPath", Fault::Denied));
    let unread = program.run(&destroy).unwrap();
    assert!(unread.stdout.contains("stay in us-east-1 is not known: "), "{unread}");
    assert!(!unread.stdout.contains("notebook-image"), "{unread}");
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
    // What is there is seen all the same, and can be given up.
    let plan = program.plan().unwrap();
    let clusters = plan["clusters"].as_array().unwrap();
    let blocked = clusters.iter().flat_map(|cluster| cluster["blocked"].as_array().unwrap());
    let causes: BTreeMap<&str, &str> = blocked
        .map(|one| (one["address"].as_str().unwrap(), one["cause"].as_str().unwrap()))
        .collect();
    for name in ["geo-101", "stats-200"] {
        assert!(causes[name].contains("declares no cluster"), "{causes:?}");
    }
    let gone = program.run(&["destroy", "--cluster", "geo-101", "--yes"]).unwrap();
    assert_eq!(gone.code, Some(0), "{gone}");
    assert!(!has(&world.inventory().unwrap(), "scaling-group", "geo-101/scaling-group/workers"));
}

#[test]
fn a_removed_cluster_goes_consent_by_consent_and_its_neighbour_stays() {
    let repo = Repo::of_examples(&["geo-101", "stats-200"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let neighbour = world.inventory().unwrap().of_cluster("stats-200");
    repo.remove("clusters/geo-101").unwrap();
    repo.commit("Remove a cluster").unwrap();

    // The whole cluster first, then what of it holds data, each by its id.
    let mut consents = consents_asked_for(&program);
    assert_eq!(addresses(&consents), ["geo-101"]);
    apply_with(&program, &repo, &consents);
    let asked = consents_asked_for(&program);
    let precious = ["elastic-ip/hub", "file-system/main", "network-interface/hub", "volume/hub"];
    assert_eq!(addresses(&asked), precious.map(|name| format!("geo-101/{name}")));
    let left = world.inventory().unwrap();
    assert!(PRECIOUS.iter().all(|(kind, address)| has(&left, kind, address)), "{left:?}");
    assert!(!has(&left, "scaling-group", "geo-101/scaling-group/workers"));

    // Another id than the object's is no consent.
    let wrong = asked.iter().map(|consent| Consent { id: "fs-0".into(), ..consent.clone() });
    apply_with(&program, &repo, &consents.iter().cloned().chain(wrong).collect::<Vec<_>>());
    assert_eq!(left.difference(&world.inventory().unwrap()), Vec::<String>::new());

    consents.extend(asked);
    let ended = apply_with(&program, &repo, &consents);
    let end = world.inventory().unwrap();
    assert_eq!(end.of_cluster("geo-101"), Vec::<String>::new(), "{ended}");
    assert_eq!(end.of_cluster("stats-200"), neighbour, "{ended}");
    assert!(program.settled().unwrap());
}

#[test]
fn a_plan_that_deletes_too_much_is_blocked_whole() {
    let repo = Repo::of_examples(&["stats-200"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let before = world.inventory().unwrap();
    let settings = repo.read("lyceum.yaml").unwrap();
    let limit = |count: u32| {
        let limits = format!("limits: {{deletesPerPlan: {count}, ");
        repo.write("lyceum.yaml", &settings.replace("limits: {", &limits)).unwrap();
        repo.commit("Another limit").unwrap();
    };
    // Two deletions that need no consent, and a change that goes with them.
    let file = "clusters/stats-200/cluster.yaml";
    let shared = repo.read(file).unwrap();
    let without: Vec<&str> = shared.lines().filter(|line| !line.contains("path: /srv/")).collect();
    let without = without.join("\n").replace("    shared:", "    shared: []");
    repo.write(file, &without.replace("max: 40", "max: 41")).unwrap();
    limit(0);
    let ended = program.run(&["apply", "--yes"]).unwrap().succeeded().unwrap();
    assert!(ended.said().contains("deletesPerPlan"), "{ended}");
    assert_eq!(before.difference(&world.inventory().unwrap()), Vec::<String>::new(), "{ended}");
    limit(20);
    let ended = program.apply().unwrap();
    assert_ne!(before.difference(&world.inventory().unwrap()), Vec::<String>::new(), "{ended}");
}

#[test]
fn a_renamed_folder_deletes_nothing() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let before = world.inventory().unwrap();
    repo.git(&["mv", "clusters/geo-101", "clusters/geography"]).unwrap();
    repo.edit("clusters/geography/cluster.yaml", "name: geo-101", "name: geography").unwrap();
    repo.edit("clusters/geography/cluster.yaml", "10.20.0.0/16", "10.21.0.0/16").unwrap();
    let secret = ("ssm:/lyceum/geo-101/", "ssm:/lyceum/geography/");
    repo.edit("clusters/geography/cluster.yaml", secret.0, secret.1).unwrap();
    let elsewhere = "domain: geography.example.edu";
    repo.edit("clusters/geography/cluster.yaml", "domain: notebooks.example.edu", elsewhere)
        .unwrap();
    repo.commit("Rename a cluster").unwrap();
    let ended = program.apply().unwrap();
    let after = world.inventory().unwrap();
    assert_eq!(after.of_cluster("geo-101"), before.of_cluster("geo-101"), "{ended}");
    assert!(has(&after, "instance", "geography/instance/hub"), "{ended}");
}

/// Commits consents to these objects and applies.
fn apply_with(program: &Lyceum, repo: &Repo, consents: &[Consent]) -> Ended {
    Consent::commit(consents, repo).unwrap();
    program.apply().unwrap()
}

fn consents_asked_for(program: &Lyceum) -> Vec<Consent> {
    Consent::asked_for(&program.plan().unwrap()).unwrap()
}

fn addresses(consents: &[Consent]) -> Vec<&str> {
    consents.iter().map(|consent| consent.address.as_str()).collect()
}
