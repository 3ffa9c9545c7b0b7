//! How a change reaches the nodes of a cluster: what the pointer of each group
//! says now, from what it should say in the end, what it says, and what the
//! nodes report. Nothing is remembered: the pointers are where a roll-out
//! stands.
//!
//! A pointer names at most two targets: the one its wave takes, and the one all
//! others have meanwhile. A canary comes first, then waves of at most
//! `maxUnavailable` nodes, each when all before it are as they should be. A
//! third target begins only once all nodes but a wave are on one of the two:
//! the one most of them are on, and always the older where the newer fails.
//!
//! Invariants: total and deterministic; no more than `maxUnavailable` nodes are
//! sent from one target to another at a time; a node that fails the target
//! stops its spreading; a group whose nodes report, and are well on what is
//! wanted, ends at a plain pointer.

mod standing;
mod state;
#[cfg(test)]
mod tests;
mod waves;

use std::collections::{BTreeMap, BTreeSet};

use super::pointer::{Body, Target};
use super::report::NodeReport;

pub use standing::Standing;
pub use state::{NodeState, Phase, RolloutState, Trouble, Waiting};

/// The group that goes first unless a changed role says otherwise.
const HUB: &str = "hub";
/// The group that goes first where a changed role says so.
const WORKERS: &str = "workers";

/// What the roll-out of a cluster depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Situation {
    /// The cluster.
    pub cluster: String,
    /// Its groups, `hub` and `workers`.
    pub groups: BTreeMap<String, Group>,
    /// Roles whose change reaches the workers first.
    pub workers_first: BTreeSet<String>,
    /// What bounds it.
    pub policy: Policy,
    /// Seconds since 1970, UTC.
    pub now: i64,
    /// The nodes or their reports could not be read: everything stays.
    pub unread: bool,
}

/// What bounds a roll-out: `spec.rollout` of the cluster's manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Most nodes of a group that change at the same time; at least one.
    pub max_unavailable: usize,
    /// One node alone comes first.
    pub canary: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_unavailable: 1, canary: true }
    }
}

/// One group of a cluster's nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What its nodes are to be in the end.
    pub wanted: Target,
    /// What its pointer says; none where there is none, or none of ours.
    pub pointer: Option<Body>,
    /// Seconds since 1970, UTC, when the pointer was written.
    pub written: Option<i64>,
    /// Its instances that are not gone, in any order.
    pub nodes: Vec<Node>,
}

/// An instance of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// `i-0123456789abcdef0`.
    pub id: String,
    /// Seconds since 1970, UTC, when it was launched.
    pub launched: i64,
    /// It is on its way out: it is neither waited for nor changed.
    pub leaving: bool,
    /// What it said last; none when it never said anything.
    pub report: Option<Reported>,
}

/// A node's report and when it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reported {
    /// Seconds since 1970, UTC, by the bucket's clock.
    pub at: i64,
    /// What it says.
    pub report: NodeReport,
    /// Why what it says cannot be read; `report` is empty then.
    pub unreadable: Option<String>,
}

/// What the pointers of a cluster say now, and how its roll-out stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// By group.
    pub bodies: BTreeMap<String, Body>,
    /// By group.
    pub states: BTreeMap<String, RolloutState>,
    /// By group and id.
    pub nodes: Vec<NodeState>,
}

/// What each group's pointer should say now.
pub fn rollout(situation: &Situation) -> Rollout {
    let mut found = Rollout::default();
    let mut before: Option<String> = None;
    for name in order(situation) {
        let Some(group) = situation.groups.get(name) else { continue };
        let held = before.as_deref().filter(|_| !group.is_there());
        let (body, phase) = match (&group.pointer, held) {
            (Some(pointer), Some(_)) => (pointer.clone(), Phase::Held),
            (Some(pointer), None) if situation.unread => (pointer.clone(), unread(group)),
            _ => waves::next(situation, (name, group)),
        };
        let mut state = state::of(situation, (name, group), (&body, phase));
        state.held_until = held.filter(|_| phase == Phase::Held).map(str::to_string);
        if before.is_none() && !finished(situation, group, &body) {
            before = Some(name.to_string());
        }
        found.nodes.extend(state::nodes(situation, (name, group), &body));
        found.bodies.insert(name.to_string(), body);
        found.states.insert(name.to_string(), state);
    }
    found.nodes.sort_by(|a, b| (&a.group, &a.id).cmp(&(&b.group, &b.id)));
    found
}

/// The groups in the order in which the change reaches them.
fn order(situation: &Situation) -> Vec<&str> {
    let changed = |role: &String| situation.groups.values().any(|group| group.changes(role));
    let shared = |role: &String| {
        let has = |group: &Group| group.wanted.role_digests.contains_key(role);
        situation.groups.values().all(has)
    };
    let mut roles = situation.workers_first.iter();
    let first = match roles.any(|role| changed(role) && shared(role)) {
        true => WORKERS,
        false => HUB,
    };
    let mut names: Vec<&str> = situation.groups.keys().map(String::as_str).collect();
    names.sort_by_key(|name| (*name != first, *name));
    names
}

/// The next group may begin: this one has all of it, and nobody fails it.
fn finished(situation: &Situation, group: &Group, body: &Body) -> bool {
    let plain = body.previous.is_none() && body.target == group.wanted;
    let digest = group.wanted.digest();
    let fails = |node: &Node| node.standing(&digest, situation.now) == Standing::Failing;
    plain && !group.nodes.iter().any(fails)
}

/// What is not known is not said to be under way.
fn unread(group: &Group) -> Phase {
    if group.is_there() { Phase::Settled } else { Phase::Unknown }
}

impl Group {
    /// Nothing is left to be written.
    fn is_there(&self) -> bool {
        let pointer = self.pointer.as_ref();
        pointer.is_none_or(|body| body.previous.is_none() && body.target == self.wanted)
    }

    /// Whether a role is not what those nodes have that are behind.
    fn changes(&self, role: &str) -> bool {
        let Some(body) = self.pointer.as_ref() else { return false };
        let behind = match &body.previous {
            Some(previous) if body.target == self.wanted => previous,
            _ => &body.target,
        };
        behind.role_digests.get(role) != self.wanted.role_digests.get(role)
            || behind.attributes.get(role) != self.wanted.attributes.get(role)
    }

    /// The roles that are not what those nodes have that are behind.
    pub(super) fn changed_roles(&self) -> Vec<String> {
        let roles = self.wanted.role_digests.keys();
        roles.filter(|role| self.changes(role)).cloned().collect()
    }
}
