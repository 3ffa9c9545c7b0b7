//! The service: it follows commits, undoes what others change, ends when told.

use std::thread;
use std::time::{Duration, Instant};

use system_tests::scenario::{Lyceum, Repo, Running, World};

const CONVERGED: Duration = Duration::from_secs(120);

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

/// Waits until no write has come for a while.
fn until_quiet(service: &Running, world: &World) {
    let mut last = (writes(world), Instant::now());
    until(service, CONVERGED, || {
        let now = writes(world);
        if now != last.0 {
            last = (now, Instant::now());
        }
        now > 0 && last.1.elapsed() > Duration::from_secs(4)
    });
}

#[test]
fn commits_are_followed_drift_is_undone_and_sigterm_ends_it() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let service = program.start(&["serve", "--interval", "3s"]).unwrap();
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();

    world.proxy.forget_attempts();
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: 25").unwrap();
    repo.commit("More workers").unwrap();
    let delay = until(&service, Duration::from_secs(10), || writes(&world) > 0);
    println!("first write {delay:?} after the commit");
    assert!(delay < Duration::from_secs(2), "{delay:?}");
    until_quiet(&service, &world);
    world.fidelity(repo.path()).unwrap();

    world.proxy.forget_attempts();
    let before = world.inventory().unwrap();
    repo.edit("clusters/geo-101/cluster.yaml", "max: 25", "max: many").unwrap();
    repo.commit("A mistake").unwrap();
    until(&service, Duration::from_secs(10), || service.so_far().1.contains("cluster.yaml"));
    assert_eq!(before.difference(&world.inventory().unwrap()), Vec::<String>::new());

    service.terminate().unwrap();
    let ended = service.wait_at_most(Duration::from_secs(10)).unwrap();
    assert!(ended.code.is_some(), "{ended}");
}
