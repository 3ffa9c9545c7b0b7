//! The road of commands that run once, on a cloud in memory.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lyceum::applied::{History, recorded};
use lyceum::execute::{Progress, Silent};
use lyceum::render::{Paint, View, json, markdown, text};
use lyceum::road::{AgentFile, Done, Look, Passes, Road, RoadError, Wanted, declared, status};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, Cloud, CloudError};
use lyceum_core::kind::Body;
use lyceum_core::plan::{Change, Reason, StepAction};
use lyceum_core::report::Outcome;
use lyceum_core::site::GLOBAL;
use lyceum_testkit::{FakeCloud, Fault, When, example, site};
use tokio::sync::watch;

use crate::repository::TestRepository;

const GEO: (&str, &str) = ("geo-101", "  region: us-east-1\n  network: {cidr: 10.20.0.0/16}");
const BIO: (&str, &str) = ("bio-7", "  region: us-east-1\n  network: {cidr: 10.30.0.0/16}");
const ABROAD: (&str, &str) = ("far-1", "  region: eu-west-1\n  network: {cidr: 10.40.0.0/16}");

fn repository(clusters: &[(&str, &str)]) -> TestRepository {
    let files = example(clusters).files;
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), std::str::from_utf8(text).unwrap()))
        .collect();
    TestRepository::with(&files)
}

fn road<'a>(
    repository: &TestRepository,
    cloud: &'a FakeCloud,
    wanted: Wanted,
) -> Road<Borrowed<'a>> {
    let declared = declared(repository.path(), Some("HEAD")).unwrap();
    let history = History::new(repository.path());
    Road { cloud: Borrowed(cloud), site: site(), declared, history, agent: None, wanted }
}

/// A cloud that outlives the road that leads to it.
struct Borrowed<'a>(&'a FakeCloud);

impl Cloud for Borrowed<'_> {
    async fn observe(
        &self,
        scope: &lyceum_core::cloud::Scope,
    ) -> lyceum_core::observed::ObservedState {
        self.0.observe(scope).await
    }
    async fn read(
        &self,
        object: &lyceum_core::observed::Object,
    ) -> Result<Option<lyceum_core::observed::Object>, CloudError> {
        self.0.read(object).await
    }
    async fn create(
        &self,
        resource: &lyceum_core::desired::Resource,
    ) -> Result<lyceum_core::cloud::Outputs, CloudError> {
        self.0.create(resource).await
    }
    async fn update(
        &self,
        before: &lyceum_core::observed::Object,
        after: &lyceum_core::desired::Resource,
    ) -> Result<lyceum_core::cloud::Outputs, CloudError> {
        self.0.update(before, after).await
    }
    async fn delete(&self, object: &lyceum_core::observed::Object) -> Result<(), CloudError> {
        self.0.delete(object).await
    }
}

async fn run<C: Cloud>(road: &Road<C>, first: Look, progress: &dyn Progress) -> Done {
    let (_sender, stop) = watch::channel(false);
    let passes = Passes { progress, stop, consistency: Duration::from_millis(1) };
    passes.run(road, first).await.unwrap()
}

/// Applies HEAD and records it.
async fn applied(repository: &TestRepository, cloud: &FakeCloud) {
    let road = road(repository, cloud, Wanted::default());
    let first = road.look().await.unwrap();
    let done = run(&road, first, &Silent).await;
    let failures: Vec<_> = done.report.failures().collect();
    assert!(done.report.all_applied() && done.last.plan.is_empty(), "{failures:?}");
    assert!(road.record(&done.last).await.is_empty());
}

fn reason(look: &Look, address: &str) -> Option<Reason> {
    let address: Address = address.parse().unwrap();
    let mut changes = look.plan.changes();
    changes.find(|change| change.address == address).map(|change| change.reason.clone())
}

#[tokio::test]
async fn a_revision_is_recorded_once_all_of_it_is_there() {
    let (repository, cloud) = (repository(&[GEO, BIO]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    let road = road(&repository, &cloud, Wanted::default());
    let look = road.look().await.unwrap();
    let head = road.declared.commit().unwrap();
    assert_eq!(
        recorded(&look.observed, "geo-101").map(|full| full.revision).as_deref(),
        Some(head)
    );
    assert_eq!(recorded(&look.observed, "bio-7").map(|full| full.revision).as_deref(), Some(head));
    // It is not recorded again, and does not show as a change.
    let calls = cloud.log().len();
    assert!(look.plan.is_empty());
    assert!(road.record(&look).await.is_empty());
    assert_eq!(cloud.log().len(), calls);
}

#[tokio::test]
async fn what_was_applied_tells_drift_from_a_changed_manifest() {
    let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    let group: Address = "geo-101/scaling-group/workers".parse().unwrap();
    assert!(cloud.tamper(&group, |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.spot_percent = 7;
        }
    }));
    let spec = format!("{}\n  workers: {{max: 33}}", GEO.1);
    let changed = example(&[("geo-101", &spec)]);
    let text = std::str::from_utf8(&changed.files["clusters/geo-101/cluster.yaml"]).unwrap();
    repository.write("clusters/geo-101/cluster.yaml", text);
    repository.commit("more workers");
    let road = road(&repository, &cloud, Wanted::default());
    let look = road.look().await.unwrap();
    let change = look.plan.changes().find(|change| change.address == group).unwrap();
    let of = |path: &str| {
        let mut attributes = change.attributes.iter();
        attributes.find(|it| it.path == path).map(|it| it.reason.clone())
    };
    assert_eq!(of("max"), Some(Reason::Changed));
    assert_eq!(of("spot_percent"), Some(Reason::Drift));
    // What another version of the program asked for is not known, and not drift.
    let record: Address = "geo-101/parameter/applied".parse().unwrap();
    assert!(cloud.tamper(&record, |object| {
        if let Body::Parameter(parameter) = &mut object.body {
            parameter.value = parameter.value.replace(" by ", " by 0.0.0-");
        }
    }));
    let other = road.look().await.unwrap();
    assert_eq!(reason(&other, "geo-101/scaling-group/workers"), Some(Reason::Differs));
    assert!(cloud.tamper(&record, |object| {
        if let Body::Parameter(parameter) = &mut object.body {
            parameter.value = parameter.value.replace(" by 0.0.0-", " by ");
        }
    }));
    // What is read already is not looked for in the history.
    let nowhere = tempfile::tempdir().unwrap();
    let before = declared(repository.path(), Some("HEAD~1")).unwrap().manifests;
    let road = Road { history: History::knowing(nowhere.path(), &before), ..road };
    let known = road.look().await.unwrap();
    assert_eq!(known.plan, look.plan);
    // A history that is gone tells nothing, and loses nothing.
    let road = Road { history: History::new(nowhere.path()), ..road };
    let look = road.look().await.unwrap();
    assert_eq!(reason(&look, "geo-101/scaling-group/workers"), Some(Reason::Differs));
}

#[tokio::test]
async fn what_a_new_version_asks_for_comes_even_where_drift_is_only_reported() {
    let spec = format!("{}\n  drift: report", GEO.1);
    let (repository, cloud) = (repository(&[("geo-101", &spec)]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    let group: Address = "geo-101/scaling-group/workers".parse().unwrap();
    cloud.tamper(&group, |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.spot_percent = 7;
        }
    });
    let road = road(&repository, &cloud, Wanted::default());
    let look = road.look().await.unwrap();
    assert!(look.plan.is_empty() && look.plan.scopes["geo-101"].reported.len() == 1);
    let record: Address = "geo-101/parameter/applied".parse().unwrap();
    cloud.tamper(&record, |object| {
        if let Body::Parameter(parameter) = &mut object.body {
            parameter.value = parameter.value.replace(" by ", " by 0.0.0-");
        }
    });
    let done = run(&road, road.look().await.unwrap(), &Silent).await;
    assert!(done.last.plan.is_empty() && done.last.plan.scopes["geo-101"].reported.is_empty());
    assert!(road.record(&done.last).await.is_empty());
    let recorded = recorded(&road.look().await.unwrap().observed, "geo-101").unwrap();
    assert_eq!(recorded.version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn whoever_changes_a_role_sees_each_line_before_a_node_does() {
    let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
    let role = "cookbooks/jupyterhub/role.yaml";
    let step =
        "spec:\n  steps:\n    - name: page\n      file: {path: /srv/page, template: page.txt}\n";
    let text = std::fs::read_to_string(repository.file(role)).unwrap();
    repository.write(role, &text.replace("spec:\n  includes: []\n", step));
    repository.write("cookbooks/jupyterhub/templates/page.txt", "one\ntwo\n");
    repository.commit("a page");
    applied(&repository, &cloud).await;
    repository.write("cookbooks/jupyterhub/templates/page.txt", "one\nthree\n");
    let head = repository.commit("another page");
    let road = road(&repository, &cloud, Wanted::default());
    let look = road.look().await.unwrap();
    let view = View { revision: &head, plan: &look.plan, stats: None };
    let shown = text::plan(&view, Paint::PLAIN);
    for line in ["~ geo-101/pointer/hub", "roles.jupyterhub[templates/page.txt]:", "-two", "+three"]
    {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(reason(&look, "geo-101/pointer/hub"), Some(Reason::Changed));
    assert_eq!(reason(&look, "geo-101/pointer/workers"), None);
    assert!(
        markdown::plan(&view).lines().any(|line| line.starts_with('+') && line.ends_with("three"))
    );
    assert!(json::plan(&view).contains("one\\nthree\\n"));
}

#[tokio::test]
async fn uncommitted_manifests_are_never_recorded() {
    let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    repository.write("cookbooks/base/notes.txt", "not committed");
    let declared = declared(repository.path(), None).unwrap();
    assert!(declared.manifests.revision.ends_with("+dirty"));
    assert_eq!((declared.commit(), declared.base()), (None, "HEAD"));
    let road = Road { declared, ..road(&repository, &cloud, Wanted::default()) };
    let look = road.look().await.unwrap();
    let calls = cloud.log().len();
    assert!(road.record(&look).await.is_empty());
    assert_eq!(cloud.log().len(), calls);
}

#[tokio::test]
async fn a_cluster_asked_for_comes_with_its_region_alone() {
    let (repository, cloud) = (repository(&[GEO, ABROAD]), FakeCloud::new(&site()));
    let only = |name: &str| Wanted { clusters: [name.into()].into(), ..Wanted::default() };
    let look = road(&repository, &cloud, only("far-1")).look().await.unwrap();
    let scopes: Vec<_> = look.plan.scopes.keys().map(String::as_str).collect();
    assert_eq!(scopes, ["@eu-west-1", "far-1"]);
    let error = road(&repository, &cloud, only("fra-1")).look().await.unwrap_err();
    assert_eq!(error.to_string(), "there is no cluster `fra-1`");
    assert_eq!(error.hint(), Some("did you mean `far-1`?"));
}

#[tokio::test]
async fn the_last_cluster_of_a_region_is_still_seen_when_no_manifest_names_it() {
    let (repository, cloud) = (repository(&[GEO, ABROAD]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    std::fs::remove_file(repository.path().join("clusters/far-1/cluster.yaml")).unwrap();
    repository.commit("no longer abroad");
    let look = road(&repository, &cloud, Wanted::default()).look().await.unwrap();
    let blocked = &look.plan.scopes["far-1"].blocked;
    assert_eq!(blocked.len(), 1, "{blocked:?}");
    assert!(blocked[0].consent && blocked[0].id.as_deref() != Some("none"), "{blocked:?}");
    let global = look.observed.objects.iter().filter(|object| object.region == GLOBAL).count();
    let all = cloud.objects().into_values().filter(|object| object.region == GLOBAL).count();
    assert_eq!(global, all, "nothing is seen twice");

    // One that would move is left where it is.
    let moved = example(&[("far-1", &ABROAD.1.replace("eu-west-1", "eu-west-2"))]);
    let text = std::str::from_utf8(&moved.files["clusters/far-1/cluster.yaml"]).unwrap();
    repository.write("clusters/far-1/cluster.yaml", text);
    repository.commit("elsewhere");
    let look = road(&repository, &cloud, Wanted::default()).look().await.unwrap();
    let cause = &look.plan.scopes["far-1"].blocked[0].cause;
    assert!(cause.contains("eu-west-1") && look.plan.scopes["far-1"].changes.is_empty(), "{cause}");
}

#[tokio::test]
async fn destroying_one_cluster_touches_no_other() {
    let (repository, cloud) = (repository(&[GEO, BIO]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    let wanted = Wanted { destroy: ["bio-7".into()].into(), ..Wanted::default() };
    let road = road(&repository, &cloud, wanted);
    let first = road.look().await.unwrap();
    let calls = cloud.log().len();
    let done = run(&road, first, &Silent).await;
    assert!(done.report.all_applied() && !done.report.outcomes.is_empty());
    assert!(cloud.log()[calls..].iter().all(|call| call.contains(" bio-7/")));
    // What is protected stays, and says how to consent.
    let left = &done.last.plan.scopes["bio-7"].blocked;
    let system = left.iter().find(|one| one.address == "bio-7/file-system/main").unwrap();
    assert!(system.hint().unwrap().contains("consents.yaml"));
    // What goes is not recorded as applied.
    let calls = cloud.log().len();
    assert!(road.record(&done.last).await.is_empty());
    assert!(!cloud.log()[calls..].iter().any(|call| call.contains("bio-7")));
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again_and_what_does_not_is_not() {
    let fail = |when, class| Fault { call: 3, when, class };
    for (when, class) in [(When::After, Class::Ambiguous), (When::Before, Class::NotYet)] {
        let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
        cloud.fail([fail(when, class)]);
        applied(&repository, &cloud).await;
    }
    let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
    let road = road(&repository, &cloud, Wanted::default());
    let first = road.look().await.unwrap();
    cloud.fail([
        fail(When::Before, Class::Denied),
        Fault { call: 5, ..fail(When::Before, Class::NotYet) },
    ]);
    let done = run(&road, first, &Silent).await;
    let failed: Vec<_> = done.report.failures().map(|(address, _)| address.to_string()).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let denied = &cloud.log()[3];
    assert_eq!(cloud.log().iter().filter(|call| *call == denied).count(), 1, "{denied}");
}

#[tokio::test]
async fn what_stops_the_hub_in_vain_is_done_once_in_an_apply() {
    let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    let hub: Address = "geo-101/instance/hub".parse().unwrap();
    let id = cloud.objects().into_values().find(|object| object.address == hub).unwrap().id;
    let larger = example(&[("geo-101", &format!("{}\n  hub: {{instanceType: t3.large}}", GEO.1))]);
    let text = std::str::from_utf8(&larger.files["clusters/geo-101/cluster.yaml"]).unwrap();
    repository.write("clusters/geo-101/cluster.yaml", text);
    repository.write(
        "consents.yaml",
        &format!(
            "apiVersion: lyceum/v1\nkind: Consents\nconsents:\n  \
             - {{address: {hub}, id: {id}, to: restart, reason: Sunday}}\n"
        ),
    );
    repository.commit("a larger hub");
    let road = road(&repository, &cloud, Wanted::default());
    let first = road.look().await.unwrap();
    let before = cloud.log().len();
    // As where there is no capacity for the type: it would pass some time.
    cloud.refuse("update geo-101/instance/hub", Class::NotYet);
    let done = run(&road, first, &Silent).await;
    assert_eq!(done.report.failures().count(), 1);
    let tries = cloud.log()[before..].iter().filter(|call| call.contains("instance/hub")).count();
    assert_eq!(tries, 1, "{:?}", cloud.log());
}

/// Takes something away while other things are carried out.
struct Thief<'a> {
    cloud: &'a FakeCloud,
    steps: AtomicUsize,
}

impl Progress for Thief<'_> {
    fn begun(&self, _: &Change, _: StepAction) {}
    fn ended(&self, _: &Change, _: StepAction, _: Duration, _: Option<&CloudError>) {
        if self.steps.fetch_add(1, Ordering::Relaxed) == 0 {
            self.cloud.lose(&"geo-101/parameter/facts".parse().unwrap());
        }
    }
}

#[tokio::test]
async fn what_was_not_shown_is_not_done() {
    let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    cloud.lose(&"geo-101/parameter/swarm-join-token".parse().unwrap());
    let road = road(&repository, &cloud, Wanted::default());
    let first = road.look().await.unwrap();
    assert_eq!(first.plan.changes().count(), 1);
    let calls = cloud.log().len();
    cloud.fail([Fault { call: 0, when: When::Before, class: Class::NotYet }]);
    let done = run(&road, first, &Thief { cloud: &cloud, steps: AtomicUsize::new(0) }).await;
    assert!(done.report.all_applied());
    let touched: BTreeSet<String> = cloud.log()[calls..].iter().cloned().collect();
    assert_eq!(touched, BTreeSet::from(["create geo-101/parameter/swarm-join-token".to_string()]));
    assert!(reason(&done.last, "geo-101/parameter/facts").is_some());
}

#[tokio::test]
async fn after_a_stop_nothing_begins() {
    let (repository, cloud) = (repository(&[GEO]), FakeCloud::new(&site()));
    let road = road(&repository, &cloud, Wanted::default());
    let first = road.look().await.unwrap();
    let (sender, stop) = watch::channel(true);
    let passes = Passes { progress: &Silent, stop, consistency: Duration::from_secs(60) };
    let done = passes.run(&road, first).await.unwrap();
    drop(sender);
    assert!(cloud.log().is_empty());
    assert!(!done.report.outcomes.is_empty());
    assert!(done.report.outcomes.values().all(|outcome| *outcome == Outcome::Superseded));
}

#[tokio::test]
async fn status_says_how_each_cluster_is() {
    let (repository, cloud) = (repository(&[GEO, BIO]), FakeCloud::new(&site()));
    applied(&repository, &cloud).await;
    cloud.lose(&"bio-7/parameter/facts".parse().unwrap());
    let road = road(&repository, &cloud, Wanted::default());
    let look = road.look().await.unwrap();
    let status = status(&road.declared, &look);
    let names: Vec<_> = status.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, ["bio-7", "geo-101"]);
    let (bio, geo) = (&status.clusters[0], &status.clusters[1]);
    assert_eq!(
        (bio.region.as_str(), bio.changes, bio.drift, bio.current),
        ("us-east-1", 1, 1, false)
    );
    assert!(geo.current && geo.hub.is_some());
    assert_eq!(geo.applied.as_deref(), road.declared.commit());
    assert_eq!(geo.workers_min.zip(geo.workers_max), Some((1, 10)));
}

#[test]
fn manifests_that_are_wrong_are_an_error_with_all_diagnostics() {
    let repository = TestRepository::with(&[("clusters/a/cluster.yaml", "kind: Nothing\n")]);
    let error = declared(repository.path(), Some("main")).unwrap_err();
    assert!(matches!(&error, RoadError::Invalid(invalid) if !invalid.diagnostics.is_empty()));
    assert!(error.hint().is_some());
}

#[test]
fn an_agent_is_known_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent");
    std::fs::write(&path, "abc").unwrap();
    let found = AgentFile::find(Some(&path)).unwrap().unwrap();
    assert_eq!(found.agent.size, 3);
    assert_eq!(
        found.agent.digest,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let missing = AgentFile::find(Some(&folder.path().join("none"))).unwrap_err();
    assert!(missing.to_string().contains("cannot be read") && missing.hint().is_some());
}
