//! Nodes: roll-outs, reports that outlive their instance, instances that never
//! report.

use lyceum_core::desired::Agent;
use lyceum_core::kind::{Body, NodeReport as Stored, Said};
use lyceum_core::node::report::{CheckReport, NodeReport, PointerReport, TargetReport};
use lyceum_core::node::rollout::{Phase, Standing};
use lyceum_core::observed::Life;
use lyceum_testkit::{now, read_pointers, read_reports, stamped};

use super::*;

const NOW: i64 = 1_800_000_000;
const MINUTE: i64 = 60;
const REGION: &str = "us-east-1";

fn at(now: i64) -> PlanContext {
    PlanContext { now, ..context() }
}

/// A cluster whose nodes are started with an agent.
struct Nodes {
    cloud: FakeCloud,
    manifests: Manifests,
    now: i64,
}

impl Nodes {
    fn new(spec: &str) -> Self {
        let cloud = FakeCloud::new(&site());
        cloud.set_clock(NOW);
        let nodes = Self { cloud, manifests: stamped(spec, 0), now: NOW };
        let agent = Agent { digest: "a".repeat(64), size: 5, etag: String::new() };
        nodes.pass(Some(&agent));
        nodes
    }

    fn tick(&mut self, seconds: i64) {
        self.now += seconds;
        self.cloud.set_clock(self.now);
    }

    fn launch(&self, group: &str) -> String {
        self.cloud.launch("geo", group, REGION)
    }

    /// What an instance is told, and tells in turn.
    fn poll(&self, id: &str, well: bool) {
        self.cloud.report(id, &self.told(id, well));
    }

    /// What an instance that looks now would report.
    fn told(&self, id: &str, well: bool) -> NodeReport {
        let group = self.cloud.instances()[id].group.clone();
        let key = format!("clusters/geo/pointers/{group}.json");
        let pointer = self.cloud.pointers(&key).pop().unwrap();
        let body: lyceum_core::node::pointer::Body = serde_json::from_str(&pointer.body).unwrap();
        let target = body.target_of(id).digest();
        let said = Some(TargetReport { target, ..TargetReport::default() });
        let checks = vec![CheckReport { id: "base/up".into(), holds: well, seen: "down".into() }];
        let applied = said.clone().filter(|_| well);
        let pointer = PointerReport { sequence: pointer.sequence, ..PointerReport::default() };
        NodeReport {
            pointer,
            attempted: said,
            applied,
            ready: well,
            checks,
            ..NodeReport::default()
        }
    }

    fn plan(&self) -> (ObservedState, Plan) {
        look(&self.cloud, &self.manifests, &site(), &at(self.now))
    }

    fn pass(&self, agent: Option<&Agent>) -> Plan {
        let mut observed = now(self.cloud.observe(&scope(&self.manifests)));
        read_reports(&self.cloud, &mut observed);
        read_pointers(&self.cloud, &self.manifests, &site(), &mut observed);
        let inputs = Inputs::new(&self.manifests, agent, &observed);
        let inputs = inputs.with_nodes(&self.manifests, &observed, self.now);
        let plan = plan(&desired(&self.manifests, &site(), &inputs), &observed, &at(self.now));
        let errors = carry_out(&self.cloud, &observed, &plan);
        assert!(errors.is_empty(), "{errors:?}");
        plan
    }

    fn wave(&self, group: &str) -> Vec<String> {
        let pointer = object(&self.cloud, &format!("geo/pointer/{group}"));
        match pointer.body {
            Body::Pointer(pointer) => pointer.wave,
            _ => unreachable!(),
        }
    }

    fn change(&mut self, spec: &str, stamp: u32) {
        self.manifests = stamped(spec, stamp);
    }
}

fn phases(plan: &Plan) -> Vec<(String, Phase)> {
    let rollouts = plan.scopes["geo"].rollouts.iter();
    rollouts.map(|one| (one.group.clone(), one.phase)).collect()
}

#[test]
fn a_change_goes_from_the_hub_to_a_canary_to_the_rest_and_every_pass_between_is_empty() {
    let mut nodes = Nodes::new(GEO);
    let hub = nodes.launch("hub");
    let workers: Vec<String> = (0..3).map(|_| nodes.launch("workers")).collect();
    nodes.poll(&hub, true);
    workers.iter().for_each(|id| nodes.poll(id, true));
    assert!(nodes.plan().1.is_empty());
    nodes.change(&format!("{GEO}\n  rollout: {{maxUnavailable: 2}}"), 1);
    let plan = nodes.pass(None);
    assert_eq!(summary(&plan), ["Update geo/pointer/hub"]);
    let change = plan.changes().next().unwrap();
    assert_eq!(change.reason, Reason::Changed);
    let paths: Vec<&str> = change.attributes.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["target.attributes.jupyterhub.stamp", "previous.bundle", "wave"]);
    assert_eq!(change.attributes[1].after.as_str().unwrap().len(), 64);
    assert_eq!(nodes.wave("hub"), std::slice::from_ref(&hub));
    assert!(nodes.plan().1.is_empty());
    let phase = |plan: &Plan| phases(plan).into_iter().map(|(_, phase)| phase).collect::<Vec<_>>();
    assert_eq!(phase(&nodes.plan().1), [Phase::Rolling, Phase::Held]);
    nodes.poll(&hub, true);
    let plan = nodes.pass(None);
    assert_eq!(summary(&plan), ["Update geo/pointer/hub", "Update geo/pointer/workers"]);
    let reasons: Vec<_> = plan.changes().map(|change| change.reason.clone()).collect();
    assert_eq!(reasons, [Reason::RollOut, Reason::Changed]);
    assert_eq!(nodes.wave("workers"), workers[..1]);
    assert!(nodes.plan().1.is_empty());
    nodes.poll(&workers[0], true);
    let plan = nodes.pass(None);
    assert_eq!(plan.changes().next().unwrap().reason, Reason::RollOut);
    assert_eq!(nodes.wave("workers"), workers);
    workers.iter().for_each(|id| nodes.poll(id, true));
    nodes.pass(None);
    assert_eq!(nodes.wave("workers"), Vec::<String>::new());
    let (_, plan) = nodes.plan();
    assert!(plan.is_empty() && plan.scopes["geo"].is_rolled_out());
    assert!(
        plan.scopes["geo"].nodes.iter().all(|node| node.standing == Standing::Good && !node.behind)
    );
}

#[test]
fn a_pointer_that_was_once_signed_and_is_put_back_takes_no_node_back() {
    let mut nodes = Nodes::new(GEO);
    let workers: Vec<String> = (0..3).map(|_| nodes.launch("workers")).collect();
    let poll = |nodes: &Nodes| workers.iter().for_each(|id| nodes.poll(id, true));
    poll(&nodes);
    let old = object(&nodes.cloud, "geo/pointer/workers");
    nodes.change(GEO, 1);
    for _ in 0..6 {
        nodes.pass(None);
        poll(&nodes);
    }
    let new = object(&nodes.cloud, "geo/pointer/workers");
    assert!(nodes.plan().1.is_empty());

    nodes.cloud.put(old.clone());
    let plan = nodes.pass(None);
    assert_eq!(summary(&plan), ["Update geo/pointer/workers"]);
    let put_right = object(&nodes.cloud, "geo/pointer/workers");
    assert_eq!(put_right.body, new.body, "nobody is told of what was");
    let written = nodes.cloud.pointers("clusters/geo/pointers/workers.json");
    let last = written.last().unwrap().sequence;
    let taken = new.outputs["sequence"].parse::<u64>().unwrap();
    assert!(last > taken, "{last} of {taken}");
    assert!(nodes.plan().1.is_empty());
}

#[test]
fn what_stands_beside_a_pointer_is_looked_at_once_a_node_refuses_it() {
    let nodes = Nodes::new(GEO);
    let id = nodes.launch("workers");
    let key = "clusters/geo/pointers/workers.json";
    let unsigned = |object: &mut Object| {
        if let Body::Pointer(pointer) = &mut object.body {
            pointer.signed = false;
        }
    };
    let replayed = |object: &mut Object| drop(object.outputs.insert("sequence".into(), "1".into()));
    let damages: [&dyn Fn(&mut Object); 2] = [&unsigned, &replayed];
    for damage in damages {
        let taken = nodes.told(&id, true);
        nodes.cloud.report(&id, &taken);
        assert!(nodes.cloud.tamper(&address("geo/pointer/workers"), damage));
        assert!(nodes.plan().1.is_empty(), "the list of the bucket does not tell");
        let mut refusing = taken.clone();
        refusing.pointer.refused = "it is not signed with the key this node trusts".into();
        nodes.cloud.report(&id, &refusing);
        let (_, plan) = nodes.plan();
        assert_eq!(summary(&plan), ["Update geo/pointer/workers"]);
        nodes.pass(None);
        let sequence = nodes.cloud.pointers(key).pop().unwrap().sequence;
        assert!(sequence > taken.pointer.sequence);
        assert!(nodes.plan().1.is_empty(), "the report is of before");
    }
}

#[test]
fn a_pointer_is_written_above_all_that_nodes_report() {
    let mut nodes = Nodes::new(GEO);
    let id = nodes.launch("workers");
    let pointer = PointerReport { sequence: 4_711, ..PointerReport::default() };
    nodes.cloud.report(&id, &NodeReport { pointer, ..NodeReport::default() });
    nodes.change(GEO, 1);
    nodes.pass(None);
    let written = nodes.cloud.pointers("clusters/geo/pointers/workers.json");
    assert_eq!(written.last().unwrap().sequence, 4_712);
}

#[test]
fn a_failing_canary_stops_it_and_a_revert_takes_it_back() {
    let mut nodes = Nodes::new(GEO);
    let workers: Vec<String> = (0..3).map(|_| nodes.launch("workers")).collect();
    workers.iter().for_each(|id| nodes.poll(id, true));
    nodes.change(GEO, 1);
    nodes.pass(None);
    nodes.poll(&workers[0], false);
    nodes.tick(5 * MINUTE);
    let (_, plan) = nodes.plan();
    assert!(plan.is_empty());
    let stopped = &plan.scopes["geo"].rollouts[1];
    assert_eq!(
        (stopped.phase, stopped.stopped[0].node.as_str()),
        (Phase::Stopped, workers[0].as_str())
    );
    assert_eq!(
        (stopped.stopped[0].what.as_str(), stopped.stopped[0].cause.as_str()),
        ("base/up", "down")
    );
    nodes.change(GEO, 0);
    let plan = nodes.pass(None);
    assert_eq!(plan.changes().next().unwrap().reason, Reason::Changed);
    assert_eq!(nodes.wave("workers"), Vec::<String>::new());
    nodes.poll(&workers[0], true);
    assert!(nodes.plan().1.is_empty());
}

#[test]
fn what_somebody_else_put_in_a_pointers_place_is_never_signed_again() {
    let mut nodes = Nodes::new(GEO);
    let worker = nodes.launch("workers");
    nodes.poll(&worker, true);
    let evil = |object: &mut Object| {
        if let Body::Pointer(pointer) = &mut object.body {
            pointer.target["roles"] = serde_json::json!(["evil"]);
            pointer.signed = false;
        }
    };
    assert!(nodes.cloud.tamper(&address("geo/pointer/workers"), evil));
    nodes.change(GEO, 1);
    nodes.pass(None);
    let key = "clusters/geo/pointers/workers.json";
    assert!(!nodes.cloud.pointers(key).pop().unwrap().body.contains("evil"));
}

#[test]
fn a_report_goes_when_its_instance_is_gone_and_not_before() {
    let nodes = Nodes::new(GEO);
    let (one, other) = (nodes.launch("workers"), nodes.launch("workers"));
    nodes.poll(&one, true);
    nodes.poll(&other, true);
    for life in [Life::Down, Life::Leaving] {
        nodes.cloud.change_instance(&one, |it| it.life = life);
        assert!(nodes.plan().1.is_empty(), "{life:?}");
    }
    nodes.cloud.change_instance(&one, |it| it.life = Life::Gone);
    let (mut observed, plan) = nodes.plan();
    assert_eq!(summary(&plan), [format!("Delete geo/node-report/{one}")]);
    assert_eq!(plan.changes().next().unwrap().reason, Reason::InstanceGone);
    for kind in ["instance", "scaling-group", "node-report"] {
        observed.gaps = vec![unread(kind)];
        let inputs = Inputs::new(&nodes.manifests, None, &observed);
        let inputs = inputs.with_nodes(&nodes.manifests, &observed, NOW);
        let plan = super::plan(&desired(&nodes.manifests, &site(), &inputs), &observed, &at(NOW));
        assert!(!summary(&plan).iter().any(|it| it.contains("node-report")), "{kind}");
    }
    nodes.pass(None);
    assert!(nodes.plan().1.is_empty());
}

#[test]
fn many_reports_of_gone_instances_are_no_deletions_that_a_limit_counts() {
    let nodes = Nodes::new(GEO);
    for _ in 0..30 {
        let id = nodes.launch("workers");
        nodes.poll(&id, true);
        nodes.cloud.change_instance(&id, |it| it.life = Life::Gone);
    }
    assert_eq!(nodes.pass(None).changes().count(), 30);
    assert!(nodes.plan().1.is_empty());
}

#[test]
fn a_worker_that_never_reports_is_replaced_one_at_a_time_where_others_report() {
    let mut nodes = Nodes::new(GEO);
    let well = nodes.launch("workers");
    let mute: Vec<String> = (0..2).map(|_| nodes.launch("workers")).collect();
    nodes.poll(&well, true);
    nodes.tick(14 * MINUTE);
    assert!(nodes.plan().1.is_empty());
    nodes.tick(2 * MINUTE);
    let plan = nodes.pass(None);
    assert_eq!(summary(&plan), [format!("Delete geo/worker/{}", mute[0])]);
    assert_eq!(plan.changes().next().unwrap().reason, Reason::NeverReported(15));
    // The one in its place may yet report.
    assert!(nodes.plan().1.is_empty());
    let fresh = nodes.cloud.instances().into_keys().max().unwrap();
    nodes.poll(&fresh, true);
    assert_eq!(summary(&nodes.plan().1), [format!("Delete geo/worker/{}", mute[1])]);
}

#[test]
fn nobody_is_replaced_who_is_worked_on_is_leaving_or_was_started_bare() {
    let mut nodes = Nodes::new(GEO);
    let mute = nodes.launch("workers");
    nodes.tick(20 * MINUTE);
    assert_eq!(nodes.plan().1.changes().count(), 1);
    nodes.cloud.change_instance(&mute, |it| it.protected = true);
    assert!(nodes.plan().1.is_empty());
    nodes.cloud.change_instance(&mute, |it| (it.protected, it.life) = (false, Life::Leaving));
    assert!(nodes.plan().1.is_empty());
    let cloud = FakeCloud::new(&site());
    let manifests = manifests(&[("geo", GEO)]);
    settle(&cloud, &manifests, &site(), &context(), 1);
    cloud.launch("geo", "workers", REGION);
    assert!(look(&cloud, &manifests, &site(), &at(NOW)).1.is_empty());
}

#[test]
fn where_none_of_the_group_reports_instances_are_not_churned_for_ever() {
    let mut nodes = Nodes::new(GEO);
    nodes.launch("workers");
    let mut ended = 0;
    let mut held = 0;
    // Four hours, a look a minute.
    for _ in 0..240 {
        nodes.tick(MINUTE);
        let plan = nodes.pass(None);
        ended += plan.changes().filter(|change| change.kind == "worker").count();
        held += usize::from(blocked(&plan).iter().any(|it| it.contains("/worker/")));
    }
    assert!((2..=12).contains(&ended), "{ended}");
    assert!(held > 10, "{held}");
}

#[test]
fn a_held_back_replacement_names_its_consent_and_is_done_with_it() {
    let mut nodes = Nodes::new(GEO);
    let mute = nodes.launch("workers");
    (0..3).for_each(|_| drop(nodes.launch("workers")));
    nodes.tick(20 * MINUTE);
    let (observed, plan) = nodes.plan();
    assert!(plan.is_empty());
    let told = &plan.scopes["geo"].blocked[0];
    assert_eq!((told.id.as_deref(), told.consent), (Some(mute.as_str()), true));
    let mut context = at(nodes.now);
    let address = format!("geo/worker/{mute}");
    context.policy.consents = vec![Consent {
        address: address.clone(),
        id: mute.clone(),
        to: Default::default(),
        reason: "test".into(),
    }];
    let inputs = Inputs::new(&nodes.manifests, None, &observed);
    let inputs = inputs.with_nodes(&nodes.manifests, &observed, nodes.now);
    let plan = super::plan(&desired(&nodes.manifests, &site(), &inputs), &observed, &context);
    assert_eq!(summary(&plan), [format!("Delete {address}")]);
}

#[test]
fn suspension_report_mode_and_gaps_hold_for_nodes_as_well() {
    let mut nodes = Nodes::new(GEO);
    nodes.launch("workers");
    nodes.tick(20 * MINUTE);
    nodes.change(&format!("{GEO}\n  drift: report"), 0);
    let (_, plan) = nodes.plan();
    assert!(plan.is_empty());
    assert_eq!(plan.scopes["geo"].reported[0].kind, "worker");
    nodes.change(&format!("{GEO}\n  suspend: true"), 0);
    let (_, plan) = nodes.plan();
    assert!(plan.is_empty() && plan.scopes["geo"].reported.is_empty());
    assert!(plan.scopes["geo"].rollouts.is_empty() && plan.scopes["geo"].nodes.len() == 1);
    nodes.change(GEO, 0);
    for kind in ["instance", "node-report", "scaling-group"] {
        let (mut observed, _) = nodes.plan();
        observed.gaps.push(unread(kind));
        let inputs = Inputs::new(&nodes.manifests, None, &observed);
        let inputs = inputs.with_nodes(&nodes.manifests, &observed, nodes.now);
        let plan =
            super::plan(&desired(&nodes.manifests, &site(), &inputs), &observed, &at(nodes.now));
        assert!(plan.changes().all(|change| change.kind != "worker"), "{kind}");
    }
}

#[test]
fn a_hub_that_never_reports_is_replaced_with_consent_only() {
    let mut nodes = Nodes::new(GEO);
    let hub = object(&nodes.cloud, "geo/instance/hub").id;
    let id = nodes.launch("hub");
    nodes.cloud.rename_instance(&id, &hub);
    nodes.tick(20 * MINUTE);
    let (observed, plan) = nodes.plan();
    assert!(plan.is_empty());
    let told = &plan.scopes["geo"].blocked[0];
    assert_eq!((told.address.as_str(), told.action), ("geo/instance/hub", Action::Replace));
    assert!(told.cause.starts_with("it did not report within 15 minutes"), "{}", told.cause);
    let mut context = at(nodes.now);
    context.policy.consents = vec![consent(&nodes.cloud, "geo/instance/hub")];
    let inputs = Inputs::new(&nodes.manifests, None, &observed);
    let inputs = inputs.with_nodes(&nodes.manifests, &observed, nodes.now);
    let plan = super::plan(&desired(&nodes.manifests, &site(), &inputs), &observed, &context);
    let change = plan.changes().find(|it| it.kind == "instance").unwrap();
    assert_eq!((change.action, &change.reason), (Action::Replace, &Reason::NeverReported(15)));
    nodes.poll(&hub, true);
    assert!(blocked(&nodes.plan().1).is_empty());
}

#[test]
fn a_report_that_cannot_be_read_is_shown_and_its_node_is_not_replaced() {
    let mut nodes = Nodes::new(GEO);
    let strange = nodes.launch("workers");
    nodes.cloud.report_text(&strange, Said::Unreadable("it is no report".into()));
    nodes.tick(60 * MINUTE);
    let (_, plan) = nodes.plan();
    assert!(plan.is_empty());
    let node = &plan.scopes["geo"].nodes[0];
    assert_eq!(node.standing, Standing::Unreadable);
    assert_eq!(node.troubles[0].cause, "it is no report");
}

#[test]
fn a_cluster_that_goes_takes_its_reports_along_after_its_nodes() {
    let nodes = Nodes::new(GEO);
    let worker = nodes.launch("workers");
    nodes.poll(&worker, true);
    let mut context = at(NOW);
    context.policy.destroy = BTreeSet::from(["geo".to_string()]);
    let (observed, plan) = look(&nodes.cloud, &nodes.manifests, &site(), &context);
    let report = format!("Delete geo/node-report/{worker}");
    assert!(summary(&plan).contains(&report));
    let changes: Vec<_> = plan.changes().collect();
    let steps = lyceum_core::plan::steps(&changes);
    let place =
        |kind: &str| steps.iter().position(|step| changes[step.change].kind == kind).unwrap();
    let after = &steps[place("node-report")].after;
    assert!(after.contains(&place("scaling-group")) && after.contains(&place("instance")));
    let stored = |object: &Object| matches!(object.body, Body::NodeReport(Stored { .. }));
    assert!(observed.objects.iter().any(stored));
}
