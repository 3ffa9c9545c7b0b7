//! How the clusters are, from one look.

use std::collections::BTreeSet;

use lyceum_core::address::Address;
use lyceum_core::kind::Body;
use lyceum_core::observed::ObservedState;
use lyceum_core::plan::{Change, Reason, ScopePlan, kept};
use lyceum_core::site::GLOBAL;

use super::{DeclaredManifests, Look, known_scopes};
use crate::applied::recorded;
use crate::render::status::{ClusterStatus, Status};

/// How every cluster is that is declared or there, and what a region shares
/// where there is something to say.
pub fn status(declared: &DeclaredManifests, look: &Look) -> Status {
    let mut names: BTreeSet<&str> = known_scopes(&look.desired, &look.observed);
    names.retain(|name| look.context.includes(name));
    let quiet = ScopePlan::default();
    let regions =
        look.plan.scopes.iter().filter(|(name, scope)| name.starts_with('@') && (&quiet != *scope));
    names.extend(regions.map(|(name, _)| name.as_str()));
    Status {
        revision: declared.manifests.revision.clone(),
        clusters: names.into_iter().map(|name| of_scope(name, declared, look)).collect(),
    }
}

fn of_scope(name: &str, declared: &DeclaredManifests, look: &Look) -> ClusterStatus {
    let quiet = ScopePlan::default();
    let scope = look.plan.scopes.get(name).unwrap_or(&quiet);
    let (min, max) = workers(name, declared, &look.observed).unzip();
    ClusterStatus {
        name: name.into(),
        region: region(name, look),
        suspended: scope.suspended,
        declared: look.desired.scopes.contains_key(name),
        applied: recorded(&look.observed, name).map(|full| full.revision),
        current: scope.changes.is_empty()
            && scope.blocked.is_empty()
            && scope.gaps.is_empty()
            && scope.is_rolled_out(),
        changes: scope.changes.len(),
        drift: scope.changes.iter().filter(|change| drifted(change)).count() + scope.reported.len(),
        blocked: scope.blocked.len(),
        gaps: scope.gaps.len(),
        hub: hub(name, declared, &look.observed),
        workers_min: min,
        workers_max: max,
        rollouts: scope.rollouts.clone(),
        nodes: scope.nodes.clone(),
    }
}

fn region(name: &str, look: &Look) -> String {
    if let Some(policy) = look.desired.scopes.get(name) {
        return policy.region.clone();
    }
    let mut objects = look.observed.objects.iter();
    let found = objects.find(|it| it.address.scope() == name && it.region != GLOBAL);
    found.map(|object| object.region.clone()).unwrap_or_default()
}

fn drifted(change: &Change) -> bool {
    let attributes = change.attributes.iter();
    change.reason == Reason::Drift || attributes.clone().any(|it| it.reason == Reason::Drift)
}

/// The host name users type, or the address behind it.
fn hub(name: &str, declared: &DeclaredManifests, observed: &ObservedState) -> Option<String> {
    let cluster = declared.manifests.clusters.get(name);
    let domain = cluster.and_then(|cluster| cluster.cluster.spec.domain.clone());
    let address = || kept(observed, &Address::new(name, "elastic-ip", "hub"))?.output("public_ip");
    domain.or_else(address)
}

/// Fewest and most workers: as declared, else as they are.
fn workers(
    name: &str,
    declared: &DeclaredManifests,
    observed: &ObservedState,
) -> Option<(i32, i32)> {
    if let Some(cluster) = declared.manifests.clusters.get(name) {
        let workers = &cluster.cluster.spec.workers;
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        return Some((number(workers.min), number(workers.max)));
    }
    let mut groups = observed.objects.iter().filter(|object| object.address.scope() == name);
    groups.find_map(|object| match &object.body {
        Body::ScalingGroup(group) => Some((group.min, group.max)),
        _ => None,
    })
}
