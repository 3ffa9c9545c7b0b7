//! The service on a cloud in memory: what it keeps, and when it does what.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lyceum::controller::{Commit, Options, converge};
use lyceum_core::address::Address;
use lyceum_core::cloud::Class;
use lyceum_core::kind::Body;
use lyceum_testkit::{FakeCloud, manifests, site};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const GEO: &str = "  network: {cidr: 10.20.0.0/16}";
const BIO: &str = "  network: {cidr: 10.21.0.0/16}";
const PATIENCE: Duration = Duration::from_secs(30);

/// A service under way.
struct Service {
    cloud: Arc<FakeCloud>,
    commits: watch::Sender<Arc<Commit>>,
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Service {
    fn begin(clusters: &[(&str, &str)], prepare: impl FnOnce(&FakeCloud)) -> Self {
        let cloud = Arc::new(FakeCloud::new(&site()));
        prepare(&cloud);
        Self::on(cloud, commit(clusters))
    }

    fn on(cloud: Arc<FakeCloud>, commit: Arc<Commit>) -> Self {
        let (commits, receiver) = watch::channel(commit);
        let (end, ended) = watch::channel(false);
        let interval = Duration::from_millis(400);
        let options = Options {
            consistency: Duration::from_millis(200),
            ..Options::new(PathBuf::from("/nowhere"), interval, None)
        };
        let run = converge(cloud.clone(), site(), options, receiver, ended);
        Self { cloud, commits, end, task: tokio::spawn(run) }
    }

    /// Waits until the cloud is as it should be.
    async fn until(&self, holds: impl Fn(&FakeCloud) -> bool) {
        let begun = Instant::now();
        while !holds(&self.cloud) {
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {:?}", self.cloud.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) {
        self.end.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.unwrap().unwrap();
    }
}

fn commit(clusters: &[(&str, &str)]) -> Arc<Commit> {
    Arc::new(Commit { revision: "a".repeat(40), manifests: manifests(clusters) })
}

fn scopes_with(cloud: &FakeCloud, kind: &str) -> BTreeSet<String> {
    let objects = cloud.objects().into_values();
    let of_kind = objects.filter(|object| object.address.kind() == kind);
    of_kind.map(|object| object.address.scope().to_string()).collect()
}

fn applied(cloud: &FakeCloud, cluster: &str) -> bool {
    let address = Address::new(cluster, "parameter", "applied");
    cloud.objects().values().any(|object| match &object.body {
        Body::Parameter(parameter) => {
            object.address == address && parameter.value.find(" by ") == Some(40)
        }
        _ => false,
    })
}

fn max(cloud: &FakeCloud) -> i32 {
    let group = cloud.objects().into_values().find_map(|object| match object.body {
        Body::ScalingGroup(group) => Some(group.max),
        _ => None,
    });
    group.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_converges_undoes_drift_follows_commits_and_ends() {
    let service = Service::begin(&[("geo", GEO)], |_| ());
    service.until(|cloud| applied(cloud, "geo")).await;
    let group = Address::new("geo", "scaling-group", "workers");
    service.cloud.tamper(&group, |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.max = 99;
        }
    });
    service.until(|cloud| max(cloud) == 10).await;
    let more = format!("{GEO}\n  workers: {{max: 12}}");
    service.commits.send_replace(commit(&[("geo", &more)]));
    service.until(|cloud| max(cloud) == 12).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sick_cluster_delays_only_itself() {
    let service = Service::begin(&[("geo", GEO), ("bio", BIO)], |cloud| {
        cloud.refuse(" geo/", Class::Denied);
    });
    service.until(|cloud| applied(cloud, "bio")).await;
    assert!(!scopes_with(&service.cloud, "vpc").contains("geo"));
    service.cloud.relent();
    service.until(|cloud| applied(cloud, "geo")).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_pass_yet_is_not_tried_without_a_pause() {
    let service = Service::begin(&[("geo", GEO)], |cloud| {
        cloud.refuse("create geo/vpc/", Class::NotYet);
    });
    service.until(|cloud| scopes_with(cloud, "queue").contains("@us-east-1")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tries = service.cloud.log().iter().filter(|call| call.contains("geo/vpc/")).count();
    assert!((2..12).contains(&tries), "{tries} tries in two seconds");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_nothing_twice() {
    let service = Service::begin(&[("geo", GEO)], |cloud| {
        let faults = (0..40).step_by(3);
        cloud.fail(faults.map(|call| lyceum_testkit::Fault {
            call,
            when: lyceum_testkit::When::After,
            class: Class::Ambiguous,
        }));
    });
    service.until(|cloud| applied(cloud, "geo")).await;
    let objects = service.cloud.objects();
    let addresses: BTreeSet<String> =
        objects.values().map(|object| object.address.to_string()).collect();
    assert_eq!(addresses.len(), objects.len());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_tried_ever_more_rarely_while_the_rest_is_kept() {
    let service = Service::begin(&[("geo", GEO)], |cloud| {
        cloud.refuse("create geo/alarm/", Class::Denied);
    });
    service.until(|cloud| max(cloud) == 10).await;
    let group = Address::new("geo", "scaling-group", "workers");
    let drift = |object: &mut lyceum_core::observed::Object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.max = 99;
        }
    };
    let begun = Instant::now();
    for _ in 0..5 {
        service.cloud.tamper(&group, drift);
        service.until(|cloud| max(cloud) == 10).await;
    }
    // Repaired at each interval of 0.4 s; tried after one, two, four, … of them.
    let alarm = "create geo/alarm/hub-cpu";
    let tries = service.cloud.log().iter().filter(|call| call.starts_with(alarm)).count();
    let most = 2 + (begun.elapsed().as_secs_f64() / 0.4 + 2.0).log2() as usize;
    assert!(
        (1..=most).contains(&tries),
        "{tries} tries, at most {most}: {:?}",
        service.cloud.log()
    );
    service.cloud.relent();
    let more = format!("{GEO}\n  workers: {{max: 12}}");
    service.commits.send_replace(commit(&[("geo", &more)]));
    service.until(|cloud| applied(cloud, "geo")).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_in_a_region_that_no_manifest_names_goes_with_its_consent() {
    const FAR: &str = "  region: eu-west-1\n  network: {cidr: 10.22.0.0/16}";
    let service = Service::begin(&[("geo", GEO), ("far", FAR)], |_| ());
    service.until(|cloud| applied(cloud, "far") && applied(cloud, "geo")).await;
    let objects = service.cloud.objects().into_values();
    let vpc = Address::new("far", "vpc", "main");
    let id = objects.into_iter().find(|object| object.address == vpc).unwrap().id;
    let mut without = (*commit(&[("geo", GEO)])).clone();
    without.manifests.consents.push(lyceum_core::manifest::repository::Consent {
        address: "far".into(),
        id,
        to: lyceum_core::manifest::repository::Deed::Delete,
        reason: "term is over".into(),
    });
    service.commits.send_replace(Arc::new(without));
    service.until(|cloud| !scopes_with(cloud, "instance").contains("far")).await;
    service.until(|cloud| !scopes_with(cloud, "role").contains("far")).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_cluster_is_found_where_no_manifest_names_a_region() {
    let service = Service::begin(&[("geo", GEO)], |_| ());
    service.until(|cloud| applied(cloud, "geo")).await;
    let vpc = Address::new("geo", "vpc", "main");
    let objects = service.cloud.objects().into_values();
    let id = objects.into_iter().find(|object| object.address == vpc).unwrap().id;
    // As a service that begins on it: no task is left of before.
    let cloud = service.cloud.clone();
    service.stop().await;
    let mut without = (*commit(&[])).clone();
    assert!(without.manifests.declared_nothing, "and then nothing at all goes");
    without.manifests.declared_nothing = false;
    without.manifests.consents.push(lyceum_core::manifest::repository::Consent {
        address: "geo".into(),
        id,
        to: lyceum_core::manifest::repository::Deed::Delete,
        reason: "term is over".into(),
    });
    let service = Service::on(cloud, Arc::new(without));
    service.until(|cloud| !scopes_with(cloud, "instance").contains("geo")).await;
    service.stop().await;
}
