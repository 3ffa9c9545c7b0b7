//! Roll-outs as the service makes them, and nodes that follow their pointers.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::scenario::{Lyceum, Repo, Running, World};

const NODES: &str = include_str!("nodes.py");
const CLUSTER: &str = "clusters/geo-101/cluster.yaml";
const PATIENCE: Duration = Duration::from_secs(120);
/// The bounds, for the first wave and for each that follows.
const FIRST: i64 = 45;
const NEXT: i64 = 20;

/// What lies in the bucket, and every version of a group's pointer, oldest
/// first: when it was written, its wave, its target's bundle.
const LOOK: &str = "
import json
s3 = aws('s3')
bucket = [one['Name'] for one in s3.list_buckets()['Buckets'] if one['Name'].startswith('lyceum-')]
found = {'pointers': {}, 'reports': []}
if bucket:
    listed = s3.list_objects_v2(Bucket=bucket[0], Prefix='clusters/geo-101/nodes/')
    found['reports'] = [one['Key'].split('/')[-1][:-5] for one in listed.get('Contents', [])]
    for group in ['hub', 'workers']:
        key = f'clusters/geo-101/pointers/{group}.json'
        versions = s3.list_object_versions(Bucket=bucket[0], Prefix=key).get('Versions', [])
        told = []
        for one in versions:
            body = s3.get_object(Bucket=bucket[0], Key=key, VersionId=one['VersionId'])
            said = json.loads(body['Body'].read())
            told.append({'at': int(one['LastModified'].timestamp()),
                'sequence': int(body['Metadata']['lyceum-sequence']), 'wave': said.get('wave', []),
                'bundle': said['target']['bundle'],
                'plain': 'previous' not in said})
        found['pointers'][group] = sorted(told, key=lambda one: one['sequence'])
print(json.dumps(found))
";

fn look(world: &World) -> Value {
    serde_json::from_str(&world.boto3(LOOK).unwrap()).unwrap()
}

fn told(look: &Value, group: &str) -> Vec<Value> {
    look["pointers"][group].as_array().cloned().unwrap_or_default()
}

fn reports(look: &Value) -> Vec<String> {
    let reports = look["reports"].as_array().into_iter().flatten();
    reports.filter_map(|one| one.as_str().map(String::from)).collect()
}

/// Waits until a look finds something.
fn until(service: &Running, world: &World, mut holds: impl FnMut(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let found = look(world);
        if holds(&found) {
            return found;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {found}: {:?}",
            service.so_far()
        );
        thread::sleep(Duration::from_millis(300));
    }
}

/// The nodes of the cluster, until [`stop`].
fn nodes(world: &std::sync::Arc<World>) -> JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || drop(world.boto3(NODES).unwrap()))
}

fn stop(world: &World, nodes: JoinHandle<()>) {
    world.boto3("aws('s3').create_bucket(Bucket='stop')").unwrap();
    nodes.join().unwrap();
}

/// A commit that changes a role of the hub and one of the workers.
fn commit(repo: &Repo, stamp: &str) {
    for role in ["jupyterhub", "swarm-worker"] {
        repo.write(&format!("cookbooks/{role}/files/stamp"), stamp).unwrap();
    }
    repo.commit("Another stamp").unwrap();
}

/// The bundle a group's pointer names, where it says nothing else.
fn plain(look: &Value, group: &str) -> Option<String> {
    let last = told(look, group).pop().filter(|last| last["plain"] == true)?;
    last["bundle"].as_str().map(String::from)
}

#[test]
fn a_change_reaches_the_nodes_wave_by_wave_stops_where_it_fails_and_reports_of_the_gone_go() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    repo.edit(CLUSTER, "    min: 1\n", "    min: 3\n").unwrap();
    repo.edit(CLUSTER, "schedules:\n        - {name: monday-lab, start: \"0 8 * * MON\", end: \"0 12 * * MON\", min: 8, timezone: America/Denver}", "schedules: []").unwrap();
    repo.commit("Three workers").unwrap();
    let world = std::sync::Arc::new(World::new().unwrap());
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let service = program.clone().with("RUST_LOG", "info");
    let service = service.start(&["serve", "--interval", "15s"]).unwrap();
    until(&service, &world, |found| ["hub", "workers"].iter().all(|it| plain(found, it).is_some()));
    // Which it has once it has looked at the machines too: a commit may be begun
    // on machines as a look five seconds ago saw them, and these boot in one.
    until(&service, &world, |_| service.so_far().1.contains("converged cluster=\"geo-101\""));
    let living = nodes(&world);
    until(&service, &world, |found| reports(found).len() == 4);
    goes_wave_by_wave(&service, &world, &repo);
    stops_where_it_fails(&service, &world, (&repo, &program));
    forgets_the_gone(&service, &world);
    stop(&world, living);
    service.terminate().unwrap();
    service.wait_at_most(Duration::from_secs(15)).unwrap().succeeded().unwrap();
}

fn goes_wave_by_wave(service: &Running, world: &World, repo: &Repo) {
    let begun = look(world);
    let now = world.boto3("import time\nprint(int(time.time()))").unwrap();
    let now: i64 = now.trim().parse().unwrap();
    commit(repo, "one");
    let before = plain(&begun, "workers");
    let found =
        until(service, world, |found| plain(found, "workers").is_some_and(|it| Some(it) != before));
    let new = |group: &str| told(&found, group)[told(&begun, group).len()..].to_vec();
    let sizes = |told: &[Value]| -> Vec<usize> {
        told.iter().map(|one| one["wave"].as_array().unwrap().len()).collect()
    };
    let (hub, workers) = (new("hub"), new("workers"));
    assert_eq!((sizes(&hub), sizes(&workers)), (vec![1, 0], vec![1, 2, 3, 0]));
    let times: Vec<i64> =
        hub[..1].iter().chain(&workers).map(|one| one["at"].as_i64().unwrap()).collect();
    println!("first wave {} s after the commit, then {times:?}", times[0] - now);
    assert!(times[0] - now <= FIRST, "{times:?} from {now}");
    assert!(times.windows(2).all(|two| two[1] - two[0] <= NEXT), "{times:?}");
}

fn stops_where_it_fails(service: &Running, world: &World, (repo, program): (&Repo, &Lyceum)) {
    let before = look(world);
    world.boto3("aws('s3').create_bucket(Bucket='poison')").unwrap();
    commit(repo, "two");
    until(service, world, |found| plain(found, "hub").is_none());
    let started = Instant::now();
    let status = loop {
        let ended = program.run(&["status", "--format", "json"]).unwrap();
        let status: Value = serde_json::from_str(&ended.stdout).unwrap();
        let cluster = status["clusters"].as_array().unwrap().iter();
        let cluster = cluster.clone().find(|one| one["name"] == "geo-101").unwrap().clone();
        if cluster["nodes"].to_string().contains("no answer") {
            break cluster;
        }
        assert!(started.elapsed() < PATIENCE, "{status}");
    };
    let phase = |place: usize| status["rollouts"][place]["phase"].as_str().unwrap().to_string();
    assert_eq!((phase(0).as_str(), phase(1).as_str()), ("rolling", "held"));
    assert_eq!(status["rollouts"][0]["waiting"][0]["why"], "base/answers: no answer");
    let nodes = status["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 4);
    assert!(nodes.iter().all(|node| node["behind"] == true));
    let text = program.run(&["status"]).unwrap().stdout;
    assert!(
        text.contains("nodes of geo-101") && text.contains("base/answers: no answer"),
        "{text}"
    );
    // The hub comes first: no worker was told.
    assert_eq!(told(&look(world), "workers"), told(&before, "workers"));
    commit(repo, "one");
    until(service, world, |found| plain(found, "hub") == plain(&before, "hub"));
    world.boto3("aws('s3').delete_bucket(Bucket='poison')").unwrap();
}

fn forgets_the_gone(service: &Running, world: &World) {
    let ended = world
        .boto3(
            "groups = aws('autoscaling')\n\
             group = groups.describe_auto_scaling_groups()['AutoScalingGroups'][0]\n\
             one = group['Instances'][0]['InstanceId']\n\
             groups.terminate_instance_in_auto_scaling_group(\n\
                 InstanceId=one, ShouldDecrementDesiredCapacity=False)\nprint(one)",
        )
        .unwrap();
    let ended = ended.trim().to_string();
    let found = until(service, world, |found| {
        let reports = reports(found);
        !reports.contains(&ended) && reports.len() == 4
    });
    assert!(!reports(&found).contains(&ended));
}
