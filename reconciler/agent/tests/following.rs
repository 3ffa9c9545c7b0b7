//! A node that follows its pointer: takes what is signed, refuses the rest,
//! stays what it was while S3 is away, and reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lyceum_agent::follow::{Look, Node};
use lyceum_agent::keep::Keep;
use lyceum_agent::replace::Own;
use lyceum_agent::round::Stop;
use lyceum_agent::settings::Settings;
use lyceum_core::node::bundle::{Bundle, Role};
use lyceum_core::node::converge::Mode;
use lyceum_core::node::pointer::{Body, Pointer, Target, public_key};
use lyceum_core::node::report::{NodeReport, StepOutcome};
use lyceum_core::site::digest_of;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cloud::{Cloud, Object};

/// What stands at the agent's place. This test's own program would take seconds
/// to digest.
pub(crate) const AGENT: &[u8] = b"the agent";
pub(crate) const KEY: [u8; 32] = [7; 32];
pub(crate) const POINTER: &str = "clusters/geo-101/pointers/workers.json";

/// A cluster with one node and a role that writes one file.
pub(crate) struct Site {
    pub(crate) cloud: Cloud,
    pub(crate) folder: TempDir,
    pub(crate) sequence: u64,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site =
            Self { cloud: Cloud::start(), folder: tempfile::tempdir().unwrap(), sequence: 0 };
        let facts = json!({"hub": "10.20.0.10", "fileSystem": "fs-1", "accessPoints": {}});
        std::fs::write(site.agent(), AGENT).unwrap();
        let name = "/lyceum/geo-101/facts".to_string();
        site.cloud.state().parameters.insert(name, facts.to_string());
        site
    }

    pub(crate) fn node(&self) -> Node {
        let settings = Settings {
            bucket: crate::cloud::BUCKET.into(),
            cluster: "geo-101".into(),
            group: "workers".into(),
            owner: "dept".into(),
            parameters: "/lyceum/geo-101".into(),
            prefix: "clusters/geo-101/".into(),
            region: "eu-central-1".into(),
            public_key: public_key(&KEY),
        };
        let keep = Keep::at(&self.folder.path().join("state")).unwrap();
        let runtime = self.cloud.runtime.handle().clone();
        let own = Own { path: self.agent(), digest: digest_of(AGENT) };
        Node::new(runtime, keep, settings, &self.cloud.endpoints(), own).unwrap()
    }

    /// Where the agent says it stands.
    pub(crate) fn agent(&self) -> PathBuf {
        self.folder.path().join("lyceum-agent")
    }

    /// The file the role writes.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("motd")
    }

    pub(crate) fn content(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap_or_default()
    }

    /// Uploads a bundle whose role writes this text.
    pub(crate) fn target(&self, text: &str) -> Target {
        let me = |option: &str| {
            let output = std::process::Command::new("id").args([option, "-n"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_string()
        };
        self.target_of(json!({"steps": [{"name": "motd", "file": {
            "path": self.file(), "content": text, "owner": me("-u"), "group": me("-g"),
        }}]}))
    }

    /// Uploads a bundle whose role has this specification.
    pub(crate) fn target_of(&self, spec: Value) -> Target {
        let bundle = bundle(spec);
        let packed = bundle.pack().unwrap();
        let digest = digest_of(&packed);
        self.cloud.put(&format!("clusters/geo-101/bundles/{digest}"), &packed);
        Target {
            bundle: digest,
            bundle_size: packed.len() as u64,
            roles: vec!["motd".into()],
            cluster: json!({"metadata": {"name": "geo-101"}, "spec": {}}),
            ..Target::default()
        }
    }

    /// Writes a pointer to a target, signed.
    pub(crate) fn point(&mut self, target: Target) -> Pointer {
        self.sequence += 1;
        let pointer = signed(body(target), self.sequence);
        self.write(&pointer);
        pointer
    }

    pub(crate) fn write(&self, pointer: &Pointer) {
        let metadata = [
            ("lyceum-sequence", pointer.sequence.to_string()),
            ("lyceum-revision", pointer.revision.clone()),
            ("lyceum-signature", pointer.signature.clone()),
        ];
        let metadata: BTreeMap<String, String> =
            metadata.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let object = Object { body: pointer.body.clone().into_bytes(), metadata };
        self.cloud.state().objects.insert(POINTER.into(), object);
    }

    pub(crate) fn report(&self) -> NodeReport {
        self.report_of("i-1").unwrap()
    }

    pub(crate) fn report_of(&self, instance: &str) -> Option<NodeReport> {
        let key = format!("clusters/geo-101/nodes/{instance}.json");
        let body = self.cloud.state().objects.get(&key)?.body.clone();
        Some(serde_json::from_slice(&body).unwrap())
    }
}

pub(crate) fn body(target: Target) -> Body {
    Body { cluster: "geo-101".into(), group: "workers".into(), target, ..Body::default() }
}

pub(crate) fn signed(body: Body, sequence: u64) -> Pointer {
    Pointer::signed(&KEY, body.text(), sequence, &format!("commit-{sequence}"))
}

fn bundle(spec: Value) -> Bundle {
    let manifest = json!({
        "apiVersion": "lyceum/v1",
        "kind": "Role",
        "metadata": {"name": "motd", "version": "1.0.0", "description": "A greeting."},
        "spec": spec,
    });
    let files = BTreeMap::from([("role.yaml".to_string(), manifest.to_string().into_bytes())]);
    let role = Role { manifest: serde_json::from_value(manifest).unwrap(), files };
    Bundle { roles: BTreeMap::from([("motd".to_string(), role)]) }
}

fn converge(node: &mut Node) -> NodeReport {
    node.converge(Mode::Apply, &Stop::default())
}

fn failure(report: &NodeReport, id: &str) -> String {
    let step = report.steps.iter().find(|step| step.id == id).expect("the step is reported");
    match &step.outcome {
        StepOutcome::Failed { error, .. } => error.clone(),
        other => panic!("{id} is {other:?}"),
    }
}

#[test]
fn a_signed_pointer_is_taken_converged_and_reported() {
    let mut site = Site::new();
    let mut node = site.node();
    assert_eq!(node.look(), Look::Away);
    assert!(failure(&converge(&mut node), "pointer").contains("no pointer"));

    let target = site.target("welcome");
    site.point(target.clone());
    assert_eq!(node.look(), Look::Changed);
    let report = converge(&mut node);
    assert_eq!(site.content(), "welcome");
    assert!(report.ready && node.ready(), "{report:?}");
    let reported = site.report();
    assert_eq!(reported.steps, report.steps);
    assert_eq!(reported.pointer.sequence, 1);
    assert_eq!(reported.facts.instance_id, "i-1");
    assert_eq!(reported.facts.hub, "10.20.0.10");
    assert_eq!(reported.applied, reported.attempted);
    let applied = reported.applied.unwrap();
    assert_eq!(applied.revision, "commit-1");
    assert_eq!((applied.bundle, applied.target), (target.bundle.clone(), target.digest()));
    assert!(reported.agent.digest.len() == 64 && reported.started > 0);

    let before = site.cloud.count("GET /lyceum-artifacts/clusters/geo-101/pointers");
    assert_eq!(node.look(), Look::Same);
    let state = site.cloud.state();
    let last = state.asked.last().unwrap().clone();
    assert!(last.ends_with("pointers/workers.json 304"), "{last}");
    drop(state);
    assert_eq!(site.cloud.count("GET /lyceum-artifacts/clusters/geo-101/pointers"), before + 1);
}

#[test]
fn drift_is_repaired_and_a_report_that_says_nothing_new_is_not_written() {
    let mut site = Site::new();
    let mut node = site.node();
    let target = site.target("welcome");
    site.point(target);
    node.look();
    converge(&mut node);
    let puts = || site.cloud.count("PUT");
    assert_eq!(puts(), 1);
    converge(&mut node);
    node.count();
    assert_eq!(puts(), 1);
    std::fs::write(site.file(), "vandalised").unwrap();
    let report = converge(&mut node);
    assert_eq!(site.content(), "welcome");
    assert!(matches!(report.steps[0].outcome, StepOutcome::Changed { .. }));
}

#[test]
fn altered_unsigned_older_and_foreign_pointers_are_refused_and_reported() {
    let mut site = Site::new();
    let mut node = site.node();
    let target = site.target("one");
    let first = site.point(target.clone());
    node.look();
    let second = site.target("two");
    site.point(second);
    node.look();
    converge(&mut node);
    assert_eq!(site.content(), "two");

    let evil = site.target("evil");
    let mut altered = signed(body(evil.clone()), 9);
    altered.sequence = 10;
    let unsigned = Pointer { signature: String::new(), ..altered.clone() };
    let stranger = Pointer::signed(&[8; 32], body(evil.clone()).text(), 9, "x");
    let foreign = signed(Body { group: "hub".into(), ..body(evil) }, 9);
    let cases = [
        (first, "number 1, and number 2 was taken already"),
        (altered, "not signed"),
        (unsigned, "not signed"),
        (stranger, "not signed"),
        (foreign, "for hub of geo-101"),
    ];
    for (pointer, why) in cases {
        site.write(&pointer);
        assert_eq!(node.look(), Look::Same);
        node.count();
        let refused = site.report().pointer.refused;
        assert!(refused.contains(why), "{refused}");
        let report = converge(&mut node);
        assert_eq!((site.content().as_str(), report.pointer.sequence), ("two", 2));
        assert!(report.converged(), "the good one is kept");
    }
    let third = site.target("three");
    site.point(third);
    assert_eq!(node.look(), Look::Changed);
    converge(&mut node);
    assert_eq!(site.report().pointer.refused, "");
    assert_eq!(site.content(), "three");
}

#[test]
fn a_pointer_whose_metadata_alone_changes_back_is_seen() {
    let mut site = Site::new();
    let mut node = site.node();
    let target = site.target("one");
    let good = site.point(target);
    node.look();
    // The same body, so the same etag: the refusal must not stick.
    site.write(&Pointer { signature: String::new(), ..good.clone() });
    let other = site.target("two");
    site.write(&Pointer { body: body(other).text(), ..good.clone() });
    node.look();
    node.count();
    assert!(node.ready() || !site.cloud.state().asked.is_empty());
    site.write(&good);
    assert_eq!(node.look(), Look::Same);
    let report = converge(&mut node);
    assert_eq!(report.pointer.refused, "");
}

#[test]
fn a_bundle_that_is_not_what_the_pointer_names_is_refused_and_the_old_one_stays() {
    let mut site = Site::new();
    let mut node = site.node();
    let target = site.target("one");
    site.point(target);
    node.look();
    converge(&mut node);

    let target = site.target("two");
    let key = format!("clusters/geo-101/bundles/{}", target.bundle);
    let good = site.cloud.state().objects[&key].clone();
    let mut bad = good.clone();
    let last = bad.body.len() - 1;
    bad.body[last] ^= 1;
    site.cloud.state().objects.insert(key.clone(), bad);
    site.point(target.clone());
    assert_eq!(node.look(), Look::Same);
    let report = converge(&mut node);
    assert!(failure(&report, "bundle").contains("tampered"), "{report:?}");
    assert!(!report.ready && !node.ready());
    assert_eq!((site.content().as_str(), report.pointer.sequence), ("one", 1));

    // Its megabytes are not fetched again at every look.
    let fetched = || site.cloud.count(&format!("GET /lyceum-artifacts/{key}"));
    for _ in 0..3 {
        assert_eq!(node.look(), Look::Same);
        assert!(failure(&converge(&mut node), "bundle").contains("tampered"), "it is still said");
    }
    assert_eq!(fetched(), 1);
    let last = site.cloud.state().asked.iter().rfind(|it| it.contains("pointers")).cloned();
    assert!(last.as_ref().is_some_and(|line| line.ends_with(" 304")), "{last:?}");
    // But at once when somebody says so, or when there is another pointer.
    node.hurry();
    assert_eq!((node.look(), fetched()), (Look::Same, 2));
    let next = Body { wave: vec!["i-9".into()], ..body(target.clone()) };
    site.write(&signed(next, 3));
    assert_eq!((node.look(), fetched()), (Look::Same, 3));

    site.cloud.state().objects.insert(key.clone(), good);
    node.hurry();
    assert_eq!(node.look(), Look::Changed);
    assert!(converge(&mut node).ready);
    assert_eq!(site.content(), "two");
}

#[test]
fn a_node_stays_what_it_is_while_s3_is_away_even_after_a_boot() {
    let mut site = Site::new();
    let mut node = site.node();
    let target = site.target("one");
    let pointer = site.point(target);
    node.look();
    converge(&mut node);
    drop(node);

    site.cloud.state().away = true;
    std::fs::write(site.file(), "vandalised").unwrap();
    let kept = site.folder.path().join("state/pointer.json");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    std::fs::File::options().append(true).open(kept).unwrap().set_modified(long_ago).unwrap();
    let mut node = site.node();
    assert_eq!(node.look(), Look::Away);
    let report = converge(&mut node);
    assert_eq!(site.content(), "one");
    assert!(report.ready, "{report:?}");
    let age = report.started - report.pointer.seen;
    assert!((7190..7300).contains(&age), "the pointer's age is reported: {age}");

    site.cloud.state().away = false;
    let older = signed(body(Target::default()), 0);
    site.write(&older);
    node.look();
    converge(&mut node);
    assert!(site.report().pointer.refused.contains("taken already"), "the boot forgot nothing");
    site.write(&pointer);
    node.look();
    let report = converge(&mut node);
    assert!(report.started - report.pointer.seen < 60);
}

#[test]
fn during_a_roll_out_a_node_waits_for_its_wave() {
    let mut site = Site::new();
    let mut node = site.node();
    let old = site.target("old");
    site.point(old.clone());
    node.look();
    converge(&mut node);
    assert!(!node.rolling());

    let new = site.target("new");
    let mut rolling = Body { previous: Some(old), wave: vec!["i-2".into()], ..body(new) };
    site.write(&signed(rolling.clone(), 2));
    assert_eq!(node.look(), Look::Same);
    assert!(node.rolling());
    let report = converge(&mut node);
    assert_eq!(site.content(), "old");
    assert_eq!(report.attempted.unwrap().revision, "commit-1", "it is still at the commit it had");

    rolling.wave.insert(0, "i-1".into());
    site.write(&signed(rolling, 3));
    assert_eq!(node.look(), Look::Changed);
    let report = converge(&mut node);
    assert_eq!(site.content(), "new");
    assert_eq!(report.applied.unwrap().revision, "commit-3");
}

#[test]
fn without_the_clusters_facts_nothing_is_done_and_that_is_said() {
    let mut site = Site::new();
    site.cloud.state().parameters.insert("/lyceum/geo-101/facts".into(), "none".into());
    let mut node = site.node();
    let target = site.target("one");
    site.point(target);
    node.look();
    let report = converge(&mut node);
    assert!(failure(&report, "facts").contains("has not written it yet"));
    assert!(!report.ready && site.content().is_empty());
}
