//! A service under way, watched from outside: what it has said, what it wrote.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use system_tests::scenario::{Lyceum, Running, World};

const CONVERGED: Duration = Duration::from_secs(60);

/// Waits until something holds; fails with what the service said.
pub(crate) fn until(
    service: &Running,
    patience: Duration,
    mut holds: impl FnMut() -> bool,
) -> Duration {
    let started = Instant::now();
    while started.elapsed() < patience {
        if holds() {
            return started.elapsed();
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("not within {patience:?}: {:?}", service.so_far());
}

pub(crate) fn writes(world: &World) -> usize {
    world.proxy.attempts().iter().filter(|attempt| attempt.mutating).count()
}

/// Waits until it has said that all is as it should be, and no write has come
/// since.
pub(crate) fn until_quiet(service: &Running, world: &World) {
    let mut last = (0, Instant::now());
    until(service, CONVERGED, || {
        let now = writes(world);
        if now != last.0 {
            last = (now, Instant::now());
        }
        is_settled(&said(service)) && now > 0 && last.1.elapsed() > Duration::from_secs(1)
    });
}

/// Of each cluster of which it spoke it said last that all is as it should be. What
/// a region's clusters share never says so.
fn is_settled(said: &str) -> bool {
    let mut settled = BTreeMap::new();
    for line in said.lines() {
        let named = line.split_once("cluster=\"").and_then(|(_, rest)| rest.split_once('"'));
        let Some((cluster, _)) = named.filter(|(name, _)| !name.starts_with('@')) else {
            continue;
        };
        if line.contains(" converged ") {
            settled.insert(cluster, true);
        } else if line.contains(" changing ") || line.contains(" pass ended ") {
            settled.insert(cluster, false);
        }
    }
    !settled.is_empty() && settled.into_values().all(|all| all)
}

/// What it has said so far, on either stream.
pub(crate) fn said(service: &Running) -> String {
    let (stdout, stderr) = service.so_far();
    stdout + &stderr
}

/// With an interval at which a test can wait for the next look.
pub(crate) fn started(program: &Lyceum) -> Running {
    started_with(program, &["--interval", "2s"])
}

pub(crate) fn started_with(program: &Lyceum, options: &[&str]) -> Running {
    let program = program.clone().with("RUST_LOG", "info");
    program.start(&[&["serve"], options].concat()).unwrap()
}

pub(crate) fn ends_well(service: Running) {
    service.terminate().unwrap();
    service.wait_at_most(Duration::from_secs(10)).unwrap().succeeded().unwrap();
}
