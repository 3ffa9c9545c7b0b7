//! One sick cluster delays only itself; what is unknown or another's is not
//! touched; a busy account fails nothing.

use std::time::Duration;

use serde_json::Value;
use system_tests::proxy::{Fault, Rule};
use system_tests::scenario::{Lyceum, Repo, World};

use crate::service::{ends_well, started, until, until_quiet};

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
fn a_cluster_whose_calls_are_never_answered_delays_no_other_for_more_than_seconds() {
    let repo = Repo::of_examples(&["geo-101", "stats-200"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let service = started(&program);
    until_quiet(&service, &world);
    let silent = Fault::TimeoutBefore(Duration::from_secs(600));
    world.proxy.rule(Rule::new("*", silent).containing("lyceum-geo-101"));
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: 21").unwrap();
    repo.edit("clusters/stats-200/cluster.yaml", "max: 40", "max: 41").unwrap();
    repo.commit("More workers").unwrap();
    let most = |cluster: &str| {
        let script = format!(
            "print(aws('autoscaling').describe_auto_scaling_groups(AutoScalingGroupNames=\
             ['lyceum-{cluster}-workers'])['AutoScalingGroups'][0]['MaxSize'])"
        );
        world.boto3(&script).unwrap().trim().to_string()
    };
    // A look waits for what it reads of one object for 8 s; for what never answers at
    // all it would be 40.
    until(&service, Duration::from_secs(35), || most("stats-200") == "41");
    // So is drift undone.
    let change = "aws('autoscaling').update_auto_scaling_group(\
                  AutoScalingGroupName='lyceum-stats-200-workers', MaxSize=3)";
    world.boto3(change).unwrap();
    until(&service, Duration::from_secs(35), || most("stats-200") == "41");
    assert_eq!(most("geo-101"), "20");
    ends_well(service);
}

#[test]
fn what_cannot_be_read_of_one_cluster_is_a_gap_of_that_cluster_alone() {
    let repo = Repo::of_examples(&["geo-101", "stats-200"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let system = world
        .boto3(
            "print(next(one['FileSystemId'] for one in aws('efs').describe_file_systems()['FileSystems']\n\
             if {'Key': 'lyceum:cluster', 'Value': 'geo-101'} in one['Tags']))",
        )
        .unwrap();
    let denials = [
        ("autoscaling:DescribeLifecycleHooks", "lyceum-geo-101-workers"),
        ("efs:DescribeMountTargets", system.trim()),
    ];
    for (max, (action, name)) in denials.into_iter().enumerate() {
        world.proxy.rule(Rule::new(action, Fault::Denied).containing(name));
        let before = world.inventory().unwrap();
        let (from, to) = (format!("max: {}", 40 + max), format!("max: {}", 41 + max));
        repo.edit("clusters/stats-200/cluster.yaml", &from, &to).unwrap();
        repo.commit("More workers").unwrap();
        let plan = program.plan().unwrap();
        assert_ne!(of_cluster(&plan, "geo-101", "gaps"), 0, "{action}: {plan:#}");
        assert_eq!(of_cluster(&plan, "stats-200", "gaps"), 0, "{action}: {plan:#}");
        // A gap is no failure: what can be done is done, and the exit code is 0.
        let ended = program.apply().unwrap();
        let changed = before.difference(&world.inventory().unwrap());
        assert!(!changed.is_empty(), "{action}: {ended}");
        assert!(changed.iter().all(|line| line.contains("stats-200")), "{action}: {changed:#?}");
        world.proxy.clear_rules();
    }
    program.apply().unwrap();
    world.fidelity(repo.path()).unwrap();
}

#[test]
fn another_repository_of_the_same_owner_and_names_is_not_touched() {
    let (ours, theirs) =
        (Repo::of_examples(&["geo-101"]).unwrap(), Repo::of_examples(&["geo-101"]).unwrap());
    theirs.reroot("Another repository").unwrap();
    let world = World::new().unwrap();
    Lyceum::new(&world.endpoint(), ours.path()).unwrap().apply().unwrap();
    let before = format!("{:?}", world.inventory().unwrap());
    let program = Lyceum::new(&world.endpoint(), theirs.path()).unwrap();
    let plan = program.plan().unwrap();
    assert_ne!(of_cluster(&plan, "geo-101", "gaps"), 0, "{plan:#}");
    assert_eq!(of_cluster(&plan, "geo-101", "changes"), 0, "{plan:#}");
    let ended = program.apply().unwrap();
    // What serves its region is its own; of ours every line is as it was.
    let after = format!("{:?}", world.inventory().unwrap());
    let missing: Vec<&str> =
        before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "{ended}");
    theirs.remove("clusters/geo-101").unwrap();
    theirs.commit("Remove a cluster").unwrap();
    program.run(&["apply", "--yes"]).unwrap();
    let after = format!("{:?}", world.inventory().unwrap());
    assert!(before.lines().all(|line| after.lines().any(|other| other == line)), "{after}");
}

#[test]
fn an_account_that_throttles_fails_nothing() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    world.proxy.rule(Rule::new("*", Fault::Throttle).one_in(4, 5));
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    world.proxy.clear_rules();
    world.fidelity(repo.path()).unwrap();
}

/// How many changes, gaps, … a plan has of a cluster.
fn of_cluster(plan: &Value, name: &str, what: &str) -> usize {
    let clusters = plan["clusters"].as_array().unwrap();
    let cluster = clusters.iter().find(|cluster| cluster["name"] == name).unwrap();
    cluster[what].as_array().unwrap().len()
}
