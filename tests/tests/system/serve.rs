//! The service: it follows commits, undoes what others change, ends when told.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use system_tests::scenario::{Lyceum, Repo, Running, World};

const CONVERGED: Duration = Duration::from_secs(60);

/// Waits until something holds; fails with what the service said.
fn until(service: &Running, patience: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while started.elapsed() < patience {
        if holds() {
            return started.elapsed();
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("not within {patience:?}: {:?}", service.so_far());
}

fn writes(world: &World) -> usize {
    world.proxy.attempts().iter().filter(|attempt| attempt.mutating).count()
}

/// Waits until it has said that all is as it should be, and no write has come
/// since.
fn until_quiet(service: &Running, world: &World) {
    let mut last = (0, Instant::now());
    until(service, CONVERGED, || {
        let now = writes(world);
        if now != last.0 {
            last = (now, Instant::now());
        }
        let said = said(service);
        let settled = said.rfind("converged") > said.rfind("pass ended");
        settled && now > 0 && last.1.elapsed() > Duration::from_secs(1)
    });
}

/// What it has said so far, on either stream.
fn said(service: &Running) -> String {
    let (stdout, stderr) = service.so_far();
    stdout + &stderr
}

fn started(program: &Lyceum) -> Running {
    let program = program.clone().with("RUST_LOG", "info");
    program.start(&["serve", "--interval", "2s"]).unwrap()
}

fn ends_well(service: Running) {
    service.terminate().unwrap();
    service.wait_at_most(Duration::from_secs(10)).unwrap().succeeded().unwrap();
}

#[test]
fn commits_are_followed_drift_is_undone_and_sigterm_ends_it() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let service = started(&program);
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();
    follows_a_commit(&service, &world, &repo);
    undoes_what_others_change(&service, &world, &repo);
    keeps_to_the_last_valid_commit(&service, &world, &repo);
    ends_well(service);
}

fn follows_a_commit(service: &Running, world: &World, repo: &Repo) {
    world.proxy.forget_attempts();
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: 25").unwrap();
    repo.commit("More workers").unwrap();
    let delay = until(service, Duration::from_secs(10), || writes(world) > 0);
    println!("first write {delay:?} after the commit");
    assert!(delay < Duration::from_secs(1), "{delay:?}");
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
fn begun_on_a_broken_commit_it_changes_nothing_until_that_is_mended() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: many").unwrap();
    repo.commit("A mistake").unwrap();
    let service = started(&program);
    until(&service, Duration::from_secs(20), || said(&service).contains("cluster.yaml"));
    assert_eq!(writes(&world), 0);
    repo.edit("clusters/geo-101/cluster.yaml", "max: many", "max: 21").unwrap();
    repo.commit("Mend it").unwrap();
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();
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
