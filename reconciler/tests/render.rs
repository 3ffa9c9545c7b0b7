//! What people and programs get to see of a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use lyceum::render::status::{ClusterStatus, Status};
use lyceum::render::{Counts, Paint, RunStats, View, json, markdown, outcomes, status, text};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError};
use lyceum_core::node::rollout::{NodeState, Phase, RolloutState, Standing, Trouble, Waiting};
use lyceum_core::observed::Gap;
use lyceum_core::plan::{
    Action, AttributeChange, Blocked, Change, Plan, PlanContext, Reason, ScopePlan,
};
use lyceum_core::report::{Outcome, Report};
use lyceum_testkit as testkit;
use lyceum_testkit::FakeCloud;
use serde_json::{Value, json};

use crate::golden::assert_equal;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

fn change(address: &str, action: Action, reason: Reason) -> Change {
    let address: Address = address.parse().unwrap();
    let id = (action != Action::Create).then(|| format!("{}-1", address.kind()));
    let kind = address.kind().to_string();
    let (attributes, resource, object) = (vec![], None, None);
    Change { address, kind, action, reason, id, attributes, resource, object }
}

fn with(mut change: Change, path: &str, before: Value, after: Value) -> Change {
    let reason = change.reason.clone();
    change.attributes.push(AttributeChange { path: path.into(), before, after, reason });
    change
}

fn blocked(address: &str, action: Action, cause: &str, id: Option<&str>) -> Blocked {
    let (id, consent) = (id.map(String::from), id.is_some());
    Blocked { address: address.into(), action, cause: cause.into(), id, consent }
}

/// Something of everything a plan can say.
fn everything() -> Plan {
    let rule = |port: u16, peer: &str| json!({"port": port, "peer": peer});
    let (old, new) = ("#!/bin/sh\nset -e\nrun old\nend\n", "#!/bin/sh\nset -e\nrun new\nend\n");
    let vpc = change("geo-101/vpc/main", Action::Create, Reason::New);
    let vpc = with(vpc, "cidr", Value::Null, json!("10.20.0.0/16"));
    let vpc = with(vpc, "boot", Value::Null, json!(new));
    let group = change("geo-101/security-group/hub", Action::Update, Reason::Drift);
    let group = with(
        group,
        "rules",
        json!([rule(22, "0.0.0.0/0")]),
        json!([rule(443, "0.0.0.0/0"), rule(22, "203.0.113.0/24")]),
    );
    let mut group = with(group, "tags.Name", json!("\u{1b}[2Jwiped"), json!("geo-101 hub"));
    group.attributes[1].reason = Reason::Changed;
    let template = change("geo-101/launch-template/hub", Action::Update, Reason::Changed);
    let template = with(template, "user_data", json!(old), json!(new));
    let alarm = change("geo-101/alarm/cpu", Action::Replace, Reason::Differs);
    let alarm = with(alarm, "name", json!("old"), json!("new"));
    let policy = |action: &str| json!({"Statement": [{"Action": action, "Effect": "Allow", "Resource": "arn:aws:s3:::bucket/clusters/geo-101/*"}], "Version": "2012-10-17"});
    let role = change("geo-101/role/hub", Action::Update, Reason::Changed);
    let role = with(role, "policies.hub", policy("s3:GetObject"), policy("s3:*"));
    let queue = with(
        change("@us-east-1/queue/events", Action::Delete, Reason::Duplicate),
        "name",
        json!("lyceum-events"),
        Value::Null,
    );
    let gone = change("bio-7/parameter/facts", Action::Create, Reason::Drift);
    let changed = change("bio-7/queue/q", Action::Update, Reason::Drift);
    let changed = with(changed, "retention", json!(60), json!(1_209_600));
    let gap = |scope: &str| Gap {
        region: "us-east-1".into(),
        kind: "instance".into(),
        scope: String::new(),
        cause: format!("ec2:DescribeInstances answered UnauthorizedOperation{scope}: no"),
    };
    let geo = ScopePlan {
        changes: vec![alarm, template, role, group, vpc],
        blocked: vec![
            blocked(
                "geo-101/file-system/main",
                Action::Replace,
                "a change of encrypted replaces it",
                Some("fs-1"),
            ),
            blocked(
                "geo-101/record/hub",
                Action::Create,
                "no public hosted zone in this account holds x.example.edu",
                None,
            ),
        ],
        gaps: vec![gap("")],
        notices: vec!["the secret /lyceum/geo-101/x is not there".into()],
        ..ScopePlan::default()
    };
    let bio =
        ScopePlan { reported: vec![gone, changed], gaps: vec![gap("")], ..ScopePlan::default() };
    let region = ScopePlan { changes: vec![queue], ..ScopePlan::default() };
    let held = ScopePlan { suspended: true, ..ScopePlan::default() };
    let scopes = [
        ("geo-101", geo),
        ("bio-7", bio),
        ("@us-east-1", region),
        ("held", held),
        ("quiet", ScopePlan::default()),
    ];
    Plan { scopes: scopes.into_iter().map(|(name, scope)| (name.to_string(), scope)).collect() }
}

fn stats() -> RunStats {
    let by_operation: BTreeMap<String, u64> =
        [("ec2:DescribeVpcs".to_string(), 2), ("ssm:GetParametersByPath".to_string(), 12)].into();
    RunStats {
        peak_rss_bytes: 40 * 1024 * 1024,
        ..RunStats::new(by_operation, Duration::from_millis(731))
    }
}

#[test]
fn every_format_is_held_to_its_sample() {
    let (plan, stats) = (everything(), stats());
    let view = View { revision: REVISION, plan: &plan, stats: Some(&stats) };
    assert_equal("tests/golden/plan.txt", &text::plan(&view, Paint::PLAIN));
    assert_equal("tests/golden/plan.json", &json::plan(&view));
    assert_equal("tests/golden/plan.md", &markdown::plan(&view));
}

fn node(id: &str, group: &str, standing: Standing) -> NodeState {
    NodeState {
        id: id.into(),
        group: group.into(),
        roles: vec!["base".into(), "swarm-worker".into()],
        standing,
        behind: standing != Standing::Good,
        leaving: false,
        applied: Some(REVISION.into()),
        attempted: Some(REVISION.into()),
        report_age_seconds: Some(12),
        pointer_age_seconds: Some(40),
        sessions: 0,
        agent: "0.1.0".into(),
        troubles: vec![],
    }
}

fn trouble(what: &str, cause: &str, hint: &str) -> Trouble {
    let text = String::from;
    Trouble { node: "i-0bad".into(), what: text(what), cause: text(cause), hint: text(hint) }
}

/// A cluster with nodes: the roll-out to the workers is stopped.
fn nodes() -> ScopePlan {
    let failing = vec![
        trouble("docker/package", "apt-get: \u{1b}[31mno space left", "free space on the node"),
        trouble("swarm-worker/joined", "it is not in the swarm", ""),
    ];
    let stopped = RolloutState {
        cluster: "geo-101".into(),
        group: "workers".into(),
        phase: Phase::Stopped,
        target: "ab".repeat(32),
        roles: vec!["swarm-worker".into()],
        done: 1,
        of: 4,
        wave: vec!["i-0bad".into(), "i-0one".into()],
        stopped: failing.clone(),
        ..RolloutState::default()
    };
    let hub = RolloutState { group: "hub".into(), phase: Phase::Settled, ..stopped.clone() };
    let hub = RolloutState { stopped: vec![], wave: vec![], done: 1, of: 1, ..hub };
    let ended = change("geo-101/worker/i-0mute", Action::Delete, Reason::NeverReported(15));
    let gone = change("geo-101/node-report/i-0gone", Action::Delete, Reason::InstanceGone);
    let nodes = vec![
        NodeState { sessions: 1, ..node("i-0hub", "hub", Standing::Good) },
        NodeState { troubles: failing, ..node("i-0bad", "workers", Standing::Failing) },
        NodeState { sessions: 3, behind: true, ..node("i-0two", "workers", Standing::Good) },
        NodeState {
            report_age_seconds: Some(7200),
            ..node("i-0silent", "workers", Standing::Silent)
        },
        NodeState {
            applied: None,
            report_age_seconds: None,
            leaving: true,
            ..node("i-0leaving", "workers", Standing::New)
        },
    ];
    ScopePlan {
        changes: vec![gone, ended],
        rollouts: vec![hub, stopped],
        nodes,
        ..ScopePlan::default()
    }
}

/// Clusters whose roll-outs are under way, taken back, held back, unknown.
fn rollouts() -> ScopePlan {
    let of = |phase, held_until: Option<&str>| RolloutState {
        cluster: "bio-7".into(),
        group: "workers".into(),
        phase,
        done: 3,
        of: 10,
        roles: vec!["base".into(), "nginx".into()],
        waiting: vec![Waiting { node: "i-0one".into(), why: "it has not taken it yet".into() }],
        held_until: held_until.map(String::from),
        ..RolloutState::default()
    };
    let held = RolloutState { waiting: vec![], ..of(Phase::Held, Some("hub")) };
    let unknown = RolloutState { waiting: vec![], ..of(Phase::Unknown, None) };
    let rollouts = vec![of(Phase::Rolling, None), of(Phase::GoingBack, None), held, unknown];
    ScopePlan { rollouts, ..ScopePlan::default() }
}

#[test]
fn nodes_and_roll_outs_are_held_to_their_sample() {
    let scopes = [("bio-7", rollouts()), ("geo-101", nodes())];
    let scopes = scopes.into_iter().map(|(name, scope)| (name.to_string(), scope));
    let plan = Plan { scopes: scopes.collect() };
    let view = View { revision: REVISION, plan: &plan, stats: None };
    assert_equal("tests/golden/nodes.txt", &text::plan(&view, Paint::PLAIN));
    assert_equal("tests/golden/nodes.json", &json::plan(&view));
    assert_equal("tests/golden/nodes.md", &markdown::plan(&view));
}

#[test]
fn nodes_that_are_well_are_nothing_a_plan_says() {
    let well = vec![node("i-0hub", "hub", Standing::Good)];
    let scope =
        ScopePlan { nodes: well, rollouts: vec![RolloutState::default()], ..ScopePlan::default() };
    let plan = Plan { scopes: [("geo-101".to_string(), scope)].into() };
    let shown = text::plan(&View { revision: REVISION, plan: &plan, stats: None }, Paint::PLAIN);
    assert!(shown.contains("1 of 1 as they should be") && !shown.contains("i-0hub"), "{shown}");
}

#[test]
fn a_coloured_plan_says_the_same_and_steers_no_terminal() {
    let plan = everything();
    let view = View { revision: REVISION, plan: &plan, stats: None };
    let (plain, coloured) = (text::plan(&view, Paint::PLAIN), text::plan(&view, Paint::COLOURED));
    assert!(coloured.contains("\u{1b}[32m") && !plain.contains('\u{1b}'));
    assert!(!coloured.contains("\u{1b}[2J"));
    let bare = ["0", "1", "2", "31", "32", "33", "35", "36"]
        .iter()
        .fold(coloured, |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
    assert_eq!(bare, plain);
}

#[test]
fn the_json_form_keeps_its_shape() {
    let (plan, stats) = (everything(), stats());
    let with_stats = View { revision: REVISION, plan: &plan, stats: Some(&stats) };
    let document: Value = serde_json::from_str(&json::plan(&with_stats)).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), ["clusters", "revision", "stats"]);
    let stats = ["api_calls", "by_operation", "peak_rss_bytes", "wall_ms"];
    assert_eq!(keys(&document["stats"]), stats);
    assert_eq!(document["stats"]["api_calls"], 14);
    let clusters = document["clusters"].as_array().unwrap();
    let names: Vec<_> = clusters.iter().map(|cluster| cluster["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["@us-east-1", "bio-7", "geo-101", "held", "quiet"]);
    let scope = [
        "blocked",
        "changes",
        "gaps",
        "name",
        "nodes",
        "notices",
        "reported",
        "rollouts",
        "suspended",
    ];
    assert!(clusters.iter().all(|cluster| keys(cluster) == scope));
    for change in clusters.iter().flat_map(|cluster| cluster["changes"].as_array().unwrap()) {
        assert_eq!(keys(change), ["action", "address", "attributes", "kind", "reason"]);
        for attribute in change["attributes"].as_array().unwrap() {
            assert_eq!(keys(attribute), ["after", "before", "path"]);
        }
    }
    let without = View { stats: None, ..with_stats };
    let document: Value = serde_json::from_str(&json::plan(&without)).unwrap();
    assert_eq!(keys(&document), ["clusters", "revision"]);
}

#[test]
fn reasons_are_stable_words() {
    let reasons = [
        (Reason::New, "new"),
        (Reason::Changed, "changed"),
        (Reason::Drift, "drift"),
        (Reason::Differs, "differs"),
        (Reason::Follows("geo/vpc/main".into()), "follows"),
        (Reason::Undeclared, "undeclared"),
        (Reason::Duplicate, "duplicate"),
        (Reason::RollOut, "roll-out"),
        (Reason::InstanceGone, "instance-gone"),
        (Reason::NeverReported(15), "never-reported"),
    ];
    for (reason, word) in reasons {
        assert_eq!(json::reason(&reason), word);
        // The word planning itself serialises is the same.
        assert_eq!(serde_json::to_value(&reason).unwrap()["why"], word);
    }
}

#[test]
fn a_long_comment_is_cut_where_it_still_closes() {
    let mut plan = Plan::default();
    for number in 0..60 {
        let mut scope = ScopePlan::default();
        for item in 0..40 {
            let address = format!("c{number:02}/subnet/s{item}");
            let made = change(&address, Action::Create, Reason::New);
            scope.changes.push(with(made, "note", Value::Null, json!("```` é ".repeat(8))));
        }
        plan.scopes.insert(format!("c{number:02}"), scope);
    }
    let view = View { revision: REVISION, plan: &plan, stats: None };
    let comment = markdown::plan(&view);
    let length = comment.chars().count();
    assert!(length <= markdown::LIMIT && length > markdown::LIMIT - 1000, "{length}");
    assert!(comment.starts_with(markdown::MARKER));
    assert!(comment.contains("2400 to create") && comment.contains("was cut here"));
    let count = |word: &str| comment.matches(word).count();
    assert_eq!(count("<details>"), count("</details>"));
    assert_eq!(count("\n`````diff\n"), count("\n`````\n"));
}

#[test]
fn counts_take_a_shared_gap_once() {
    let counts = Counts::of(&everything());
    assert_eq!((counts.create, counts.update, counts.replace, counts.delete), (1, 3, 1, 1));
    assert_eq!((counts.blocked, counts.gaps, counts.reported), (2, 1, 2));
    assert_eq!(Counts::default().to_string(), "nothing to change; 0 blocked; 0 gaps");
}

#[test]
fn a_first_plan_names_everything_and_a_settled_one_nothing() {
    let (site, cloud) = (testkit::site(), FakeCloud::new(&testkit::site()));
    let manifests = testkit::manifests(&[("geo-101", "  region: us-east-1")]);
    let context = PlanContext::default();
    let (_, plan) = testkit::look(&cloud, &manifests, &site, &context);
    let shown =
        |plan: &Plan| text::plan(&View { revision: REVISION, plan, stats: None }, Paint::PLAIN);
    let first = shown(&plan);
    assert!(first.contains("\n  + geo-101/vpc/main  (declared, not there yet)\n"), "{first}");
    assert!(plan.changes().all(|change| first.contains(&change.address.to_string())));
    assert!(first.contains("user_data: ("), "{first}");
    testkit::settle(&cloud, &manifests, &site, &context, 3);
    let (_, plan) = testkit::look(&cloud, &manifests, &site, &context);
    let settled = shown(&plan);
    assert!(settled.contains("Plan: nothing to change; "), "{settled}");
}

#[test]
fn outcomes_say_what_failed_and_what_to_do() {
    let denied = CloudError {
        class: Class::Denied,
        operation: "ec2:CreateVpc".into(),
        code: "UnauthorizedOperation".into(),
        message: "You are not\u{1b}[31m authorised".into(),
    };
    let outcomes_of = [
        ("geo/queue/q", Outcome::Applied),
        ("geo/vpc/main", denied.into()),
        ("geo/subnet/a", Outcome::Waiting { on: "geo/vpc/main".into() }),
        ("geo/alarm/a", Outcome::Superseded),
    ];
    let outcomes_of = outcomes_of.into_iter();
    let report = Report {
        outcomes: outcomes_of.map(|(address, one)| (address.parse().unwrap(), one)).collect(),
    };
    assert_equal("tests/golden/outcomes.txt", &outcomes(&report, Paint::PLAIN));
}

#[test]
fn status_is_a_table_or_a_document() {
    let there = ClusterStatus {
        name: "geo-101".into(),
        region: "us-east-1".into(),
        declared: true,
        applied: Some(REVISION.into()),
        current: true,
        hub: Some("notebooks.example.edu".into()),
        workers_min: Some(1),
        workers_max: Some(20),
        ..ClusterStatus::default()
    };
    let coming = ClusterStatus {
        name: "bio".into(),
        region: "eu-west-1".into(),
        declared: true,
        changes: 50,
        blocked: 1,
        gaps: 2,
        drift: 3,
        ..ClusterStatus::default()
    };
    let scope = nodes();
    let there = ClusterStatus { rollouts: scope.rollouts, nodes: scope.nodes, ..there };
    let held = ClusterStatus { name: "held".into(), suspended: true, ..ClusterStatus::default() };
    let all = Status { revision: REVISION.into(), clusters: vec![coming, there, held] };
    assert_equal("tests/golden/status.txt", &status::as_text(&all, Paint::PLAIN));
    assert_equal("tests/golden/status.json", &status::as_json(&all));
}
