//! The service: it follows commits, undoes what others change, ends when told.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use system_tests::proxy::{Fault, Rule};
use system_tests::scenario::{Lyceum, Repo, Running, World};

use crate::service::{ends_well, said, started, started_with, until, until_quiet, writes};

/// From a commit to the first write.
const PROMISED: Duration = Duration::from_secs(1);
/// What a call takes to AWS and back.
const FAR: Duration = Duration::from_millis(10);

#[test]
fn commits_are_followed_drift_is_undone_and_sigterm_ends_it() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let service = started(&program);
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();
    let within = promised(&program);
    follows_a_commit(&service, &world, (&repo, ["max: 20", "max: 25"]), within);
    undoes_what_others_change(&service, &world, &repo);
    keeps_to_the_last_valid_commit(&service, &world, &repo);
    ends_well(service);
}

/// Waits until no look is so young that a commit might be begun on what it saw.
fn until_idle(service: &Running, world: &World) {
    let (mut calls, mut since) = (0, Instant::now());
    until(service, Duration::from_secs(30), || {
        let now = world.proxy.attempts().len();
        if now != calls {
            (calls, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(6)
    });
}

/// A second on a machine with nothing else to do; else what the same costs a
/// command, which reads the commit, looks and plans as well.
fn promised(program: &Lyceum) -> Duration {
    let begun = Instant::now();
    program.plan().unwrap();
    begun.elapsed().clamp(PROMISED, PROMISED * 3)
}

fn follows_a_commit(
    service: &Running,
    world: &World,
    (repo, [from, to]): (&Repo, [&str; 2]),
    within: Duration,
) {
    world.proxy.forget_attempts();
    repo.edit("clusters/geo-101/cluster.yaml", from, to).unwrap();
    repo.commit("More workers").unwrap();
    let delay = until(service, Duration::from_secs(10), || writes(world) > 0);
    println!("first write {delay:?} after the commit, of {within:?}");
    assert!(delay < within, "{delay:?}, and not within {within:?}");
    until_quiet(service, world);
    world.fidelity(repo.path()).unwrap();
}

fn undoes_what_others_change(service: &Running, world: &World, repo: &Repo) {
    world.proxy.forget_attempts();
    let max = |change: &str| {
        let script = format!(
            "group = aws('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]\n\
             {change}\nprint(group['MaxSize'])"
        );
        world.boto3(&script).unwrap().trim().to_string()
    };
    let change = "aws('autoscaling').update_auto_scaling_group(\
                  AutoScalingGroupName=group['AutoScalingGroupName'], MaxSize=3)";
    assert_eq!(max(change), "25");
    until(service, Duration::from_secs(20), || writes(world) > 0 && max("") == "25");
    until_quiet(service, world);
    world.fidelity(repo.path()).unwrap();
}

fn keeps_to_the_last_valid_commit(service: &Running, world: &World, repo: &Repo) {
    world.proxy.forget_attempts();
    let (before, heard) = (world.inventory().unwrap(), said(service).len());
    repo.edit("clusters/geo-101/cluster.yaml", "max: 25", "max: many").unwrap();
    repo.commit("A mistake").unwrap();
    until(service, Duration::from_secs(10), || {
        said(service).get(heard..).is_some_and(|new| new.contains("cluster.yaml"))
    });
    assert_eq!(before.difference(&world.inventory().unwrap()), Vec::<String>::new());
    assert_eq!(writes(world), 0);
}

#[test]
fn begun_on_a_broken_commit_it_waits_for_the_next_and_then_follows_within_a_second() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: many").unwrap();
    repo.commit("A mistake").unwrap();
    world.proxy.rule(Rule::new("*", Fault::Latency { base: FAR, jitter: Duration::ZERO }));
    // As it is started by itself: no look of its own is due while this lasts.
    let service = started_with(&program, &[]);
    until(&service, Duration::from_secs(20), || said(&service).contains("cluster.yaml"));
    assert_eq!(writes(&world), 0);
    repo.edit("clusters/geo-101/cluster.yaml", "max: many", "max: 21").unwrap();
    repo.commit("Mend it").unwrap();
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();
    until_idle(&service, &world);
    let within = promised(&program);
    follows_a_commit(&service, &world, (&repo, ["max: 21", "max: 25"]), within);
    ends_well(service);
}

#[test]
fn sigterm_ends_it_even_before_anybody_has_answered() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let (remote, aws) = (format!("git://{address}/clusters"), format!("http://{address}"));
    for program in [
        Lyceum::new("http://127.0.0.1:9", remote.as_ref()).unwrap(),
        Lyceum::new(&aws, repo.path()).unwrap(),
    ] {
        let service = started(&program);
        // It asks, and nobody says anything.
        let _asked = silent.accept().unwrap();
        ends_well(service);
    }
}

#[test]
fn a_remote_repository_is_followed() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let remote = tempfile::TempDir::new().unwrap();
    let url = format!("file://{}", remote.path().display());
    repo.git(&["clone", "--quiet", "--bare", ".", &remote.path().display().to_string()]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), url.as_ref()).unwrap();
    let service = started(&program);
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();
    world.proxy.forget_attempts();
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: 25").unwrap();
    repo.commit("More workers").unwrap();
    repo.git(&["push", "--quiet", &url, "main"]).unwrap();
    let delay = until(&service, Duration::from_secs(30), || writes(&world) > 0);
    println!("first write {delay:?} after the push");
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();
    ends_well(service);
}
