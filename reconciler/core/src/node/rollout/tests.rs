//! Roll-outs by example, and by nodes that follow their pointers while commits,
//! failures and deaths come as they like.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::report::{CheckReport, NodeReport, TargetReport};
use super::*;

const NOW: i64 = 1_800_000_000;

fn target(name: &str) -> Target {
    let digests = BTreeMap::from([("base".to_string(), name.to_string())]);
    Target { bundle: name.into(), role_digests: digests, ..Target::default() }
}

fn said(target: &Target) -> Option<TargetReport> {
    Some(TargetReport { target: target.digest(), ..TargetReport::default() })
}

fn reported(attempted: &Target, applied: &Target, ready: bool) -> Option<Reported> {
    let checks = vec![CheckReport { id: "base/answers".into(), holds: ready, seen: "no".into() }];
    let report = NodeReport {
        attempted: said(attempted),
        applied: said(applied),
        ready,
        checks,
        ..NodeReport::default()
    };
    Some(Reported { at: NOW, report, unreadable: None })
}

fn node(id: &str, target: &Target) -> Node {
    Node { id: id.into(), report: reported(target, target, true), ..Node::default() }
}

fn failing(id: &str, attempted: &Target, applied: &Target) -> Node {
    Node { report: reported(attempted, applied, false), ..node(id, attempted) }
}

fn pointer(target: &Target, previous: Option<&Target>, wave: &[&str]) -> Body {
    Body {
        cluster: "geo".into(),
        group: "workers".into(),
        target: target.clone(),
        previous: previous.cloned(),
        wave: wave.iter().map(|id| id.to_string()).collect(),
        public_key: String::new(),
    }
}

fn workers(wanted: &Target, pointer: Option<Body>, nodes: Vec<Node>) -> Situation {
    let group = Group { wanted: wanted.clone(), pointer, nodes, written: Some(NOW - 300) };
    let groups = BTreeMap::from([("workers".to_string(), group)]);
    Situation { cluster: "geo".into(), groups, now: NOW, ..Situation::default() }
}

fn next(situation: &Situation) -> (Body, RolloutState) {
    let found = rollout(situation);
    (found.bodies["workers"].clone(), found.states["workers"].clone())
}

#[test]
fn without_nodes_or_without_a_pointer_all_get_it_at_once() {
    let (old, new) = (target("old"), target("new"));
    let plain = pointer(&new, None, &[]);
    assert_eq!(next(&workers(&new, None, vec![node("i-1", &old)])).0, plain);
    let (body, state) = next(&workers(&new, Some(pointer(&old, None, &[])), vec![]));
    assert_eq!((body, state.phase), (plain.clone(), Phase::Settled));
    let silent = Node { id: "i-1".into(), ..Node::default() };
    assert_eq!(next(&workers(&new, Some(pointer(&old, None, &[])), vec![silent])).0, plain);
}

#[test]
fn the_canary_is_the_oldest_that_is_well_and_the_rest_waits_for_it() {
    let (old, new) = (target("old"), target("new"));
    let mut nodes = vec![failing("i-0", &old, &old), node("i-1", &old), node("i-2", &old)];
    nodes[1].launched = 5;
    nodes[2].launched = 4;
    let (body, state) = next(&workers(&new, Some(pointer(&old, None, &[])), nodes.clone()));
    assert_eq!(body, pointer(&new, Some(&old), &["i-2"]));
    assert_eq!((state.phase, state.done, state.of), (Phase::Rolling, 0, 3));
    assert_eq!(state.roles, ["base"]);
    let (again, state) = next(&workers(&new, Some(body.clone()), nodes));
    assert_eq!(again, body);
    assert_eq!(state.waiting[0].why, "it has not taken it yet");
}

#[test]
fn waves_follow_each_other_and_the_end_is_plain() {
    let (old, new) = (target("old"), target("new"));
    let ids = ["i-1", "i-2", "i-3", "i-4"];
    let mut nodes: Vec<Node> = ids.iter().map(|id| node(id, &old)).collect();
    let mut body = pointer(&old, None, &[]);
    let mut waves = Vec::new();
    for _ in 0..4 {
        let mut situation = workers(&new, Some(body), nodes.clone());
        situation.policy.max_unavailable = 2;
        body = next(&situation).0;
        waves.push(body.wave.len());
        for node in &mut nodes {
            let on = body.target_of(&node.id).clone();
            node.report = reported(&on, &on, true);
        }
    }
    assert_eq!(waves, [1, 3, 4, 0]);
    assert_eq!(body, pointer(&new, None, &[]));
}

#[test]
fn a_failing_node_stops_it_and_its_recovery_lets_it_go_on() {
    let (old, new) = (target("old"), target("new"));
    let now = pointer(&new, Some(&old), &["i-1"]);
    let nodes = vec![failing("i-1", &new, &old), node("i-2", &old)];
    let (body, state) = next(&workers(&new, Some(now.clone()), nodes));
    assert_eq!((&body, state.phase), (&now, Phase::Stopped));
    assert_eq!(
        (state.stopped[0].node.as_str(), state.stopped[0].what.as_str()),
        ("i-1", "base/answers")
    );
    let nodes = vec![node("i-1", &new), node("i-2", &old)];
    assert_eq!(next(&workers(&new, Some(now), nodes)).0.wave, ["i-1", "i-2"]);
}

#[test]
fn who_failed_it_before_and_has_not_gone_back_is_told_again_and_nobody_else() {
    let (old, new) = (target("old"), target("new"));
    let now = pointer(&new, Some(&old), &["i-1"]);
    let nodes = vec![node("i-1", &new), node("i-2", &old), failing("i-3", &new, &old)];
    let mut situation = workers(&new, Some(now), nodes);
    situation.policy.max_unavailable = 2;
    // Long ago, so that nobody is waited for as still on the way.
    situation.groups.get_mut("workers").unwrap().written = Some(NOW - 1_000);
    let body = next(&situation).0;
    assert_eq!(body.wave, ["i-1", "i-3"]);
    situation.groups.get_mut("workers").unwrap().pointer = Some(body.clone());
    assert_eq!(next(&situation).0, body, "it fails, so that nobody follows");
}

#[test]
fn a_failure_is_given_its_grace_before_it_is_called_one_and_nothing_spreads_meanwhile() {
    let (old, new) = (target("old"), target("new"));
    let now = pointer(&new, Some(&old), &["i-1"]);
    let nodes = vec![failing("i-1", &new, &old), node("i-2", &old)];
    let mut situation = workers(&new, Some(now.clone()), nodes);
    situation.groups.get_mut("workers").unwrap().written = Some(NOW - 5);
    let (body, state) = next(&situation);
    assert_eq!((body, state.phase), (now, Phase::Rolling));
    assert_eq!(state.waiting[0].why, "base/answers: no");
}

#[test]
fn who_was_well_and_fails_later_stops_it_as_well() {
    let (old, new) = (target("old"), target("new"));
    let now = pointer(&new, Some(&old), &["i-1"]);
    let nodes = vec![failing("i-1", &new, &new), node("i-2", &old)];
    assert_eq!(next(&workers(&new, Some(now), nodes)).1.phase, Phase::Stopped);
}

#[test]
fn a_node_that_vanished_or_leaves_is_waited_for_no_longer() {
    let (old, new) = (target("old"), target("new"));
    let now = pointer(&new, Some(&old), &["i-1"]);
    let (body, _) = next(&workers(&new, Some(now.clone()), vec![node("i-2", &old)]));
    assert_eq!(body.wave, ["i-2"]);
    let leaving = Node { leaving: true, ..failing("i-1", &new, &old) };
    let (body, _) = next(&workers(&new, Some(now.clone()), vec![leaving, node("i-2", &old)]));
    assert_eq!(body.wave, ["i-2"]);
    assert_eq!(next(&workers(&new, Some(now), vec![])).0, pointer(&new, None, &[]));
}

#[test]
fn who_is_silent_comes_last_and_holds_nobody_up_but_somebody_has_to_show_it_works() {
    let (old, new) = (target("old"), target("new"));
    let mut silent = node("i-1", &old);
    silent.report.as_mut().unwrap().at = NOW - 10_000;
    let plain = Some(pointer(&old, None, &[]));
    let (body, _) = next(&workers(&new, plain.clone(), vec![silent.clone(), node("i-2", &old)]));
    assert_eq!(body.wave, ["i-2"]);
    let (end, _) = next(&workers(&new, Some(body), vec![silent.clone(), node("i-2", &new)]));
    assert_eq!(end, pointer(&new, None, &[]));
    let (body, _) = next(&workers(&new, plain, vec![silent.clone()]));
    assert_eq!(body, pointer(&new, Some(&old), &[]));
    let (body, state) = next(&workers(&new, Some(body), vec![silent]));
    assert_eq!(body, pointer(&new, Some(&old), &[]));
    assert_eq!(state.waiting[0].why, "its last report is 166 min old");
    // Silent once it was told: that is not the same.
    let mut silent = node("i-1", &old);
    silent.report.as_mut().unwrap().at = NOW - 10_000;
    let now = pointer(&new, Some(&old), &["i-1"]);
    let (body, _) = next(&workers(&new, Some(now.clone()), vec![silent, node("i-2", &old)]));
    assert_eq!(body, now);
}

#[test]
fn a_revert_takes_the_change_back_at_once_from_a_wave_and_in_waves_from_more() {
    let (old, new) = (target("old"), target("new"));
    let now = pointer(&new, Some(&old), &["i-1"]);
    let nodes = vec![failing("i-1", &new, &old), node("i-2", &old)];
    assert_eq!(next(&workers(&old, Some(now), nodes)).0, pointer(&old, None, &[]));
    let now = pointer(&new, Some(&old), &["i-1", "i-2", "i-3"]);
    let nodes = vec![node("i-1", &new), failing("i-2", &new, &old), node("i-3", &new)];
    let (body, state) = next(&workers(&old, Some(now), nodes));
    assert_eq!(body, pointer(&new, Some(&old), &["i-1", "i-3"]));
    assert_eq!(state.phase, Phase::GoingBack);
}

#[test]
fn a_commit_that_mends_a_stopped_one_goes_to_the_same_node_first() {
    let (old, bad, new) = (target("old"), target("bad"), target("new"));
    let now = pointer(&bad, Some(&old), &["i-2"]);
    let nodes = vec![node("i-1", &old), failing("i-2", &bad, &old), node("i-3", &old)];
    let (body, _) = next(&workers(&new, Some(now), nodes));
    assert_eq!(body, pointer(&new, Some(&old), &["i-2"]));
}

#[test]
fn a_commit_late_in_a_roll_out_begins_from_what_most_nodes_have() {
    let (old, mid, new) = (target("old"), target("mid"), target("new"));
    let now = pointer(&mid, Some(&old), &["i-1", "i-2", "i-3"]);
    let nodes: Vec<Node> = ["i-1", "i-2", "i-3"].map(|id| node(id, &mid)).into();
    let nodes = [nodes, vec![node("i-4", &old)]].concat();
    let (body, _) = next(&workers(&new, Some(now), nodes));
    assert_eq!(body, pointer(&new, Some(&mid), &["i-4"]));
}

fn both(hub: Group, workers: Group) -> Situation {
    let groups = BTreeMap::from([("hub".to_string(), hub), ("workers".to_string(), workers)]);
    Situation { cluster: "geo".into(), groups, now: NOW, ..Situation::default() }
}

fn group(wanted: &Target, on: &Target, nodes: Vec<Node>) -> Group {
    let pointer = Some(pointer(on, None, &[]));
    Group { wanted: wanted.clone(), pointer, nodes, written: Some(NOW - 300) }
}

#[test]
fn the_hub_comes_first_and_the_workers_where_a_changed_role_that_both_have_says_so() {
    let (old, new) = (target("old"), target("new"));
    let hub = || group(&new, &old, vec![node("i-h", &old)]);
    let workers = || group(&new, &old, vec![node("i-w", &old)]);
    let found = rollout(&both(hub(), workers()));
    assert_eq!(found.bodies["hub"].wave, ["i-h"]);
    assert_eq!(found.bodies["workers"], pointer(&old, None, &[]));
    assert_eq!(found.states["workers"].phase, Phase::Held);
    assert_eq!(found.states["workers"].held_until.as_deref(), Some("hub"));
    let mut turned = both(hub(), workers());
    turned.workers_first = BTreeSet::from(["base".to_string()]);
    let found = rollout(&turned);
    assert_eq!(found.bodies["workers"].wave, ["i-w"]);
    assert_eq!(found.states["hub"].held_until.as_deref(), Some("workers"));
    // A role that did not change says nothing.
    turned.workers_first = BTreeSet::from(["other".to_string()]);
    assert_eq!(rollout(&turned).bodies["hub"].wave, ["i-h"]);
}

#[test]
fn the_second_group_begins_when_the_first_has_all_of_it_and_nobody_there_fails() {
    let (old, new) = (target("old"), target("new"));
    let workers = || group(&new, &old, vec![node("i-w", &old)]);
    let mut hub = group(&new, &new, vec![node("i-h", &new)]);
    assert_eq!(rollout(&both(hub.clone(), workers())).bodies["workers"].wave, ["i-w"]);
    hub.nodes = vec![failing("i-h", &new, &new)];
    let found = rollout(&both(hub, workers()));
    assert_eq!(found.states["workers"].phase, Phase::Held);
    let during = pointer(&new, Some(&old), &["i-h"]);
    let hub = Group { pointer: Some(during), ..group(&new, &old, vec![node("i-h", &new)]) };
    let found = rollout(&both(hub, workers()));
    assert_eq!(found.bodies["hub"].previous, None);
    assert_eq!(found.bodies["workers"].wave, ["i-w"]);
}

#[test]
fn what_could_not_be_read_changes_nothing() {
    let (old, new) = (target("old"), target("new"));
    let mut situation = both(group(&new, &old, vec![]), group(&new, &old, vec![]));
    situation.unread = true;
    let found = rollout(&situation);
    assert_eq!(found.bodies["hub"], pointer(&old, None, &[]));
    assert_eq!(found.states["hub"].phase, Phase::Unknown);
}

#[test]
fn a_node_says_what_is_wrong_with_it() {
    let (old, new) = (target("old"), target("new"));
    let unreadable =
        Reported { at: NOW, unreadable: Some("no JSON".into()), ..Reported::default() };
    let strange = Node { id: "i-2".into(), report: Some(unreadable), ..Node::default() };
    let body = pointer(&new, Some(&old), &["i-1"]);
    let situation = workers(&new, Some(body.clone()), vec![strange, failing("i-1", &new, &old)]);
    let nodes = rollout(&situation).nodes;
    let told: Vec<_> =
        nodes.iter().map(|it| (it.standing, it.behind, it.troubles[0].cause.as_str())).collect();
    let expected = [(Standing::Failing, true, "no"), (Standing::Unreadable, true, "no JSON")];
    assert_eq!(told, expected);
}

/// What may happen next in a simulated group.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    /// The node at this place looks at its pointer and converges.
    Poll(usize),
    /// It goes.
    Die(usize),
    /// One comes.
    Join,
    /// Another target is wanted; a failing one fails everywhere.
    Commit { number: u8, fails: bool },
    /// This target fails on the node at this place, or does no longer.
    Break(usize),
    /// The reconciler looks.
    Pass,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        8 => (0usize..12).prop_map(Event::Poll),
        1 => (0usize..12).prop_map(Event::Die),
        1 => Just(Event::Join),
        2 => (0u8..6, any::<bool>()).prop_map(|(number, fails)| Event::Commit { number, fails }),
        1 => (0usize..12).prop_map(Event::Break),
        6 => Just(Event::Pass),
    ];
    proptest::collection::vec(one, 0..120)
}

/// A group whose nodes follow their pointer.
struct World {
    policy: Policy,
    wanted: Target,
    pointer: Body,
    nodes: Vec<Node>,
    born: usize,
    /// Targets that fail on every node.
    bad: BTreeSet<String>,
    /// Nodes on which everything fails.
    broken: BTreeSet<String>,
    /// Nodes that have once been what the pointer asked of them.
    settled: BTreeSet<String>,
}

impl World {
    fn new(nodes: usize, policy: Policy) -> Self {
        let first = target("t0");
        let mut world = Self {
            policy,
            wanted: first.clone(),
            pointer: pointer(&first, None, &[]),
            nodes: Vec::new(),
            born: 0,
            bad: BTreeSet::new(),
            broken: BTreeSet::new(),
            settled: BTreeSet::new(),
        };
        for place in 0..nodes {
            world.join();
            world.poll(place);
        }
        world
    }

    fn join(&mut self) {
        self.born += 1;
        let id = format!("i-{:03}", self.born);
        self.nodes.push(Node { id, launched: self.born as i64, ..Node::default() });
    }

    fn poll(&mut self, place: usize) {
        let Some(node) = self.nodes.get_mut(place) else { return };
        let on = self.pointer.target_of(&node.id).clone();
        let well = !self.bad.contains(&on.digest()) && !self.broken.contains(&node.id);
        let before = node.report.as_ref().and_then(|it| it.report.applied.clone());
        let mut report = reported(&on, &on, well);
        if !well && let Some(report) = &mut report {
            report.report.applied = before;
        }
        node.report = report;
        self.settled.insert(node.id.clone());
    }

    fn situation(&self) -> Situation {
        let mut situation = workers(&self.wanted, Some(self.pointer.clone()), self.nodes.clone());
        situation.policy = self.policy;
        situation
    }

    fn pass(&mut self) -> Phase {
        let (body, state) = next(&self.situation());
        self.pointer = body;
        state.phase
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Poll(place) => self.poll(*place),
            Event::Die(place) if *place < self.nodes.len() => drop(self.nodes.remove(*place)),
            Event::Die(_) => {}
            Event::Join => self.join(),
            Event::Commit { number, fails } => {
                self.wanted = target(&format!("t{number}-{fails}"));
                if *fails {
                    self.bad.insert(self.wanted.digest());
                }
            }
            Event::Break(place) => {
                let Some(node) = self.nodes.get(*place) else { return };
                if !self.broken.remove(&node.id) {
                    self.broken.insert(node.id.clone());
                }
            }
            Event::Pass => drop(self.pass()),
        }
    }

    /// Nodes that a pointer sent from one target to another and that are not
    /// there yet.
    fn in_flight(&self) -> usize {
        let known = self.nodes.iter().filter(|node| self.settled.contains(&node.id));
        let flies = |node: &&Node| {
            let on = self.pointer.target_of(&node.id).digest();
            node.standing(&on, NOW) == Standing::Elsewhere
        };
        known.filter(flies).count()
    }

    /// Nodes that fail what the wave takes.
    fn failing(&self) -> BTreeSet<String> {
        let target = self.pointer.target.digest();
        let fails = |node: &&Node| node.standing(&target, NOW) == Standing::Failing;
        self.nodes.iter().filter(fails).map(|node| node.id.clone()).collect()
    }

    /// Everybody polls and the reconciler looks, until nothing changes.
    fn rest(&mut self, rounds: usize) {
        for _ in 0..rounds {
            (0..self.nodes.len()).for_each(|place| self.poll(place));
            self.pass();
        }
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    (1usize..4, any::<bool>())
        .prop_map(|(max_unavailable, canary)| Policy { max_unavailable, canary })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_more_nodes_in_flight_than_may_be_whatever_comes(
        nodes in 1usize..10, policy in policy(), events in events(),
    ) {
        let mut world = World::new(nodes, policy);
        for event in &events {
            let (before, failing) = (world.in_flight(), world.failing());
            let pointer = world.pointer.clone();
            world.event(event);
            if *event != Event::Pass {
                continue;
            }
            let after = world.in_flight();
            prop_assert!(after <= before.max(policy.max_unavailable), "{after}: {:?}", world.pointer);
            // Where a node fails the target, nobody else is sent there.
            let fails_already = |id: &String| pointer.wave.contains(id) || failing.contains(id);
            let spread = world.pointer.target == pointer.target
                && !world.pointer.wave.iter().all(fails_already);
            prop_assert!(failing.is_empty() || pointer.previous.is_none() || !spread);
        }
    }

    #[test]
    fn healthy_nodes_end_at_what_is_wanted_whatever_came_before(
        nodes in 1usize..10, policy in policy(), events in events(),
    ) {
        let mut world = World::new(nodes, policy);
        events.iter().for_each(|event| world.event(event));
        world.broken.clear();
        world.event(&Event::Commit { number: 9, fails: false });
        world.rest(6 * (world.nodes.len() + 3));
        prop_assert_eq!(&world.pointer, &pointer(&world.wanted, None, &[]));
        let digest = world.wanted.digest();
        prop_assert!(world.nodes.iter().all(|node| node.standing(&digest, NOW) == Standing::Good));
        prop_assert_eq!(rollout(&world.situation()).states["workers"].phase, Phase::Settled);
    }

    #[test]
    fn a_target_that_fails_never_gets_beyond_its_first_wave(
        nodes in 2usize..10, policy in policy(), polls in proptest::collection::vec(0usize..10, 0..60),
    ) {
        let mut world = World::new(nodes, policy);
        world.event(&Event::Commit { number: 1, fails: true });
        let bad = world.wanted.digest();
        for place in polls {
            world.pass();
            world.poll(place);
        }
        world.rest(5);
        let tried = |node: &&Node| node.standing(&bad, NOW) == Standing::Failing;
        let first = if policy.canary { 1 } else { policy.max_unavailable };
        prop_assert_eq!(world.nodes.iter().filter(tried).count(), first.min(nodes));
        prop_assert_eq!(world.pass(), Phase::Stopped);
        // Whoever joins gets what the others have.
        world.join();
        world.rest(2);
        let last = world.nodes.last().unwrap();
        prop_assert_eq!(last.standing(&target("t0").digest(), NOW), Standing::Good);
    }

    #[test]
    fn the_same_situation_gives_the_same_pointers_in_whatever_order_nodes_come(
        nodes in 1usize..10, policy in policy(), events in events(),
    ) {
        let mut world = World::new(nodes, policy);
        events.iter().for_each(|event| world.event(event));
        let one = rollout(&world.situation());
        world.nodes.reverse();
        prop_assert_eq!(one, rollout(&world.situation()));
    }
}
