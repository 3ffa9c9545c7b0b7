//! The service and nodes that follow their pointers, on a cloud in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lyceum::controller::{Commit, Options, converge};
use lyceum_core::desired::Agent;
use lyceum_core::node::pointer::Body;
use lyceum_core::node::report::{CheckReport, NodeReport, TargetReport};
use lyceum_core::observed::{Life, LiveInstance};
use lyceum_testkit::{FakeCloud, site, stamped};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(60);
const REGION: &str = "us-east-1";
/// What the service does last when a cluster has converged.
const CONVERGED: &str = "update geo/parameter/applied";
/// The pause between two looks at a roll-out in these tests.
const ROLLING: Duration = Duration::from_millis(150);

/// A service, and the nodes of one cluster.
struct World {
    cloud: Arc<FakeCloud>,
    commits: watch::Sender<Arc<Commit>>,
    end: watch::Sender<bool>,
    service: JoinHandle<()>,
    nodes: JoinHandle<()>,
    /// A text in a target on which nodes fail it.
    poison: Arc<Mutex<Option<String>>>,
    /// Whether nodes have booted.
    awake: Arc<AtomicBool>,
}

impl World {
    /// A cluster that has converged, with a hub and so many workers that report.
    async fn begin(workers: usize) -> Self {
        let world = Self::booting(workers).await;
        world.boot().await;
        world
    }

    /// The same before any node has reported; the service has looked at all of
    /// it just now.
    async fn booting(workers: usize) -> Self {
        let cloud = Arc::new(FakeCloud::new(&site()));
        cloud.set_clock(now());
        let (commits, receiver) = watch::channel(commit(60));
        let (end, ended) = watch::channel(false);
        // Longer than any test: what happens meanwhile is the nodes' own pace.
        let interval = Duration::from_secs(300);
        let agent = Some(Agent { digest: "a".repeat(64), size: 5, etag: String::new() });
        let options = Options {
            rolling: ROLLING,
            ..Options::new(PathBuf::from("/nowhere"), interval, agent)
        };
        let service = converge(cloud.clone(), site(), options, receiver, ended);
        let poison: Arc<Mutex<Option<String>>> = Arc::default();
        let awake: Arc<AtomicBool> = Arc::default();
        let nodes = tokio::spawn(live(cloud.clone(), poison.clone(), awake.clone()));
        cloud.launch("geo", "hub", REGION);
        (0..workers).for_each(|_| drop(cloud.launch("geo", "workers", REGION)));
        let service = tokio::spawn(service);
        let world = Self { cloud, commits, end, service, nodes, poison, awake };
        world.until(|cloud| cloud.log().iter().any(|call| call == CONVERGED)).await;
        world
    }

    /// Nodes report from now on; waits until each of them has.
    async fn boot(&self) {
        self.awake.store(true, Ordering::Relaxed);
        let up = |node: &&LiveInstance| node.life == Life::Up;
        let nodes = self.cloud.instances().values().filter(up).count();
        let report = |key: &&String| key.contains("node-report");
        self.until(|cloud| cloud.objects().keys().filter(report).count() == nodes).await;
    }

    fn change(&self, stamp: u32) {
        self.commits.send_replace(commit(stamp));
    }

    fn poison(&self, text: &str) {
        *self.poison.lock().unwrap() = Some(text.into());
    }

    fn bodies(&self, group: &str) -> Vec<Body> {
        let pointers = self.cloud.pointers(&key(group));
        pointers.iter().map(|it| serde_json::from_str(&it.body).unwrap()).collect()
    }

    async fn until(&self, holds: impl Fn(&FakeCloud) -> bool) {
        let begun = Instant::now();
        while !holds(&self.cloud) {
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {:?}", self.cloud.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a group's pointer says what a commit says, and nothing else.
    async fn until_through(&self, group: &str, stamp: u32) {
        self.until(|_| {
            let body = self.bodies(group).pop().unwrap();
            body.previous.is_none() && says(&body, stamp)
        })
        .await;
    }

    async fn stop(self) {
        self.end.send(true).unwrap();
        self.nodes.abort();
        tokio::time::timeout(Duration::from_secs(10), self.service).await.unwrap().unwrap();
    }
}

/// Nodes that look at their pointers and report, again and again.
async fn live(cloud: Arc<FakeCloud>, poison: Arc<Mutex<Option<String>>>, awake: Arc<AtomicBool>) {
    let mut applied: BTreeMap<String, TargetReport> = BTreeMap::new();
    loop {
        cloud.set_clock(now());
        if !awake.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        for (id, instance) in cloud.instances() {
            let pointer = cloud.pointers(&key(&instance.group)).pop();
            let Some(pointer) = pointer.filter(|_| instance.life == Life::Up) else { continue };
            let body: Body = serde_json::from_str(&pointer.body).unwrap();
            let target = body.target_of(&id);
            let text = serde_json::to_string(target).unwrap();
            let well = poison.lock().unwrap().as_ref().is_none_or(|it| !text.contains(it));
            let said = TargetReport {
                revision: pointer.revision.clone(),
                target: target.digest(),
                bundle: target.bundle.clone(),
            };
            if well {
                applied.insert(id.clone(), said.clone());
            }
            let check = CheckReport { id: "base/up".into(), holds: well, seen: "down".into() };
            let report = NodeReport {
                attempted: Some(said),
                applied: applied.get(&id).cloned(),
                checks: vec![check],
                ready: well,
                ..NodeReport::default()
            };
            cloud.report(&id, &report);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn key(group: &str) -> String {
    format!("clusters/geo/pointers/{group}.json")
}

fn commit(stamp: u32) -> Arc<Commit> {
    let manifests = stamped("  network: {cidr: 10.20.0.0/16}", stamp);
    Arc::new(Commit { revision: "a".repeat(40), manifests })
}

fn says(body: &Body, stamp: u32) -> bool {
    body.target.attributes.values().any(|told| told["stamp"] == stamp)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn waves_follow_each_other_at_the_nodes_pace_by_looks_at_the_bucket_alone() {
    let world = World::begin(3).await;
    let (before, looks) = (world.bodies("workers").len(), world.cloud.looks());
    world.change(30);
    world.until_through("workers", 30).await;
    let waves: Vec<usize> =
        world.bodies("workers")[before..].iter().map(|body| body.wave.len()).collect();
    assert_eq!(waves, [1, 2, 3, 0]);
    let hub: Vec<usize> = world.bodies("hub").iter().map(|body| body.wave.len()).collect();
    assert_eq!(hub[hub.len() - 2..], [1, 0]);
    let after = world.cloud.looks();
    // For the commit, and for the end.
    assert!(after.whole - looks.whole <= 3, "{looks:?} {after:?}");
    assert!(after.stored - looks.stored >= 4, "{looks:?} {after:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_came_since_the_last_look_are_not_all_told_at_once() {
    let world = World::booting(3).await;
    let before = world.bodies("workers").len();
    world.boot().await;
    world.change(30);
    world.until_through("workers", 30).await;
    let waves: Vec<usize> =
        world.bodies("workers")[before..].iter().map(|body| body.wave.len()).collect();
    assert_eq!(waves, [1, 2, 3, 0]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_stops_it_until_another_commit_mends_it() {
    let world = World::begin(3).await;
    world.poison("\"stamp\":30");
    let before = world.bodies("hub").len();
    world.change(30);
    world.until(|_| world.bodies("hub").len() > before).await;
    let looks = world.cloud.looks().stored;
    world.until(|cloud| cloud.looks().stored > looks + 5).await;
    // The hub fails: the workers have not been told.
    assert!(!world.bodies("workers").iter().any(|body| says(body, 30)));
    world.change(45);
    world.until_through("workers", 45).await;
    world.until_through("hub", 45).await;
    assert!(!world.bodies("workers").iter().any(|body| says(body, 30)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_read_again() {
    let world = World::begin(2).await;
    world.change(30);
    world.until_through("workers", 30).await;
    world.nodes.abort();
    // Nobody reports any more: a commit is looked at with what is known.
    tokio::time::timeout(PATIENCE, async {
        while !world.nodes.is_finished() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    world.change(45);
    world.until(|_| says(&world.bodies("hub").pop().unwrap(), 45)).await;
    let (looks, reads) = (world.cloud.looks().stored, world.cloud.looks().read);
    world.until(|cloud| cloud.looks().stored >= looks + 6).await;
    let more = world.cloud.looks();
    // Two pointers a look, whose roll-out is under way; no report.
    assert!(more.read - reads <= 2 * (more.stored - looks + 2), "{more:?}");
    world.stop().await;
}
