//! What each group's pointer says now: what its nodes are to be in the end, by
//! way of its roll-out.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::kind::{self, Instance, Kind, NodeReport, Said, ScalingGroup, SigningKey};
use crate::manifest::Manifests;
use crate::manifest::role::First;
use crate::node::pointer::{self, Target};
use crate::node::rollout::{Group, Node, Policy, Reported, Situation, rollout};
use crate::observed::{Life, LiveInstance, ObservedState};
use crate::plan::kept;

use super::Draft;

/// What is known of a cluster's nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nodes {
    /// By group.
    pub groups: BTreeMap<String, GroupNodes>,
    /// Its instances or their reports could not be read.
    pub unread: bool,
}

/// What is known of a group's nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupNodes {
    /// What its pointer says; none where it is none of ours.
    pub pointer: Option<pointer::Body>,
    /// When that was written.
    pub written: Option<i64>,
    /// Its instances with their reports.
    pub nodes: Vec<Node>,
}

impl Nodes {
    /// Of every cluster that is declared.
    pub(super) fn of(manifests: &Manifests, observed: &ObservedState) -> BTreeMap<String, Self> {
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        for (name, declared) in &manifests.clusters {
            let region = &declared.cluster.spec.region;
            let kinds = [Instance::NAME, ScalingGroup::NAME, NodeReport::NAME];
            let gap = |kind: &&str| observed.gap(region, &Address::new(name, kind, "any"));
            let unread = kinds.iter().any(|kind| gap(kind).is_some());
            all.insert(name.clone(), Self { groups: BTreeMap::new(), unread });
        }
        let reports = reports(observed);
        for instance in observed.instances.iter().filter(|instance| instance.life != Life::Gone) {
            let Some(nodes) = all.get_mut(&instance.cluster) else { continue };
            let group = nodes.groups.entry(instance.group.clone()).or_default();
            group.nodes.push(node(instance, &reports));
        }
        for object in &observed.objects {
            let kind::Body::Pointer(pointer) = &object.body else { continue };
            let scope = object.address.scope();
            let Some(nodes) = all.get_mut(scope) else { continue };
            let group = nodes.groups.entry(object.address.name().into()).or_default();
            let written = object.outputs.get("modified").and_then(|text| text.parse().ok());
            group.written = written;
            group.pointer = ours(observed, &object.address, pointer);
        }
        all
    }

    /// The highest sequence that nodes of a group have taken.
    pub(super) fn taken(&self, group: &str) -> u64 {
        self.groups.get(group).map_or(0, GroupNodes::taken)
    }
}

impl GroupNodes {
    fn taken(&self) -> u64 {
        let reports = self.nodes.iter().filter_map(|node| node.report.as_ref());
        reports.map(|reported| reported.report.pointer.sequence).max().unwrap_or(0)
    }
}

/// The bodies of the pointers of a cluster's groups. What a pointer says is
/// taken only where it is signed with the cluster's key, and not older than what
/// nodes have taken: what is told again is signed again.
pub(super) fn bodies(
    draft: &mut Draft<'_>,
    targets: BTreeMap<&'static str, Target>,
) -> BTreeMap<String, pointer::Body> {
    let known = draft.inputs.nodes.get(draft.name).cloned().unwrap_or_default();
    let groups = targets.into_iter().map(|(name, wanted)| {
        let GroupNodes { pointer, written, nodes, .. } =
            known.groups.get(name).cloned().unwrap_or_default();
        (name.to_string(), Group { wanted, pointer, written, nodes })
    });
    let bounds = &draft.spec.rollout;
    let situation = Situation {
        cluster: draft.name.into(),
        groups: groups.collect(),
        workers_first: workers_first(draft.manifests),
        policy: Policy {
            max_unavailable: usize::try_from(bounds.max_unavailable).unwrap_or(1),
            canary: bounds.canary,
        },
        now: draft.inputs.now,
        unread: known.unread,
    };
    let found = rollout(&situation);
    draft.rollout = found.clone();
    found.bodies
}

fn workers_first(manifests: &Manifests) -> BTreeSet<String> {
    let roles = manifests.roles.iter();
    let first = roles.filter(|(_, role)| role.manifest.spec.rollout.first == First::Workers);
    first.map(|(name, _)| name.clone()).collect()
}

type Reports<'a> = BTreeMap<(&'a str, &'a str), Reported>;

fn reports(observed: &ObservedState) -> Reports<'_> {
    let mut reports = Reports::new();
    for object in &observed.objects {
        let kind::Body::NodeReport(found) = &object.body else { continue };
        let at = object.outputs.get("modified").and_then(|text| text.parse().ok());
        let mut reported = Reported { at: at.unwrap_or(0), ..Reported::default() };
        match found.said.as_deref() {
            Some(Said::Report(report)) => reported.report = (**report).clone(),
            Some(Said::Unreadable(why)) => reported.unreadable = Some(why.clone()),
            None => reported.unreadable = Some("nobody has read it".into()),
        }
        reports.insert((object.address.scope(), object.address.name()), reported);
    }
    reports
}

fn node(instance: &LiveInstance, reports: &Reports<'_>) -> Node {
    Node {
        id: instance.id.clone(),
        launched: instance.launched,
        leaving: instance.life == Life::Leaving,
        report: reports.get(&(instance.cluster.as_str(), instance.id.as_str())).cloned(),
    }
}

/// What a pointer says, where the cluster's own key has signed it, for this
/// group.
fn ours(
    observed: &ObservedState,
    address: &Address,
    pointer: &kind::Pointer,
) -> Option<pointer::Body> {
    let key = kept(observed, &Address::new(address.scope(), SigningKey::NAME, "node"))?;
    let ours = key.output("public_key").as_ref() == Some(&pointer.public_key);
    let here = pointer.cluster == address.scope() && pointer.group == address.name();
    pointer.body().filter(|_| ours && here && pointer.signed)
}
