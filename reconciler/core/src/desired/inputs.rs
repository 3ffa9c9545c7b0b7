//! What else the desired state is made from: artifacts, which are built and not
//! written, and what can no longer be changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::kind::{Body, Kind, StoredObject, Subnet, Vpc};
use crate::manifest::Manifests;
use crate::manifest::repository::Deed;
use crate::observed::{Gap, ObservedState};

use super::{Nodes, names, network};

/// What else the desired state is made from, by cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// The node agent of each cluster; a cluster without one starts its nodes
    /// bare.
    pub agents: BTreeMap<String, Agent>,
    /// The range of each cluster's VPC as it is. A range cannot be changed
    /// under a cluster that lives in it: as long as its VPC stays, everything
    /// within is laid out in the range the VPC has.
    pub networks: BTreeMap<String, String>,
    /// Places of each cluster's subnets that its manifest no longer asks for and
    /// that are there: workers may be in them. They stay until somebody consents.
    pub kept_zones: BTreeMap<String, BTreeSet<u32>>,
    /// Clusters of which an input could not be read, and what failed: what
    /// should be of them is unknown, all of it.
    pub unknown: BTreeMap<String, Gap>,
    /// What is known of each cluster's nodes; of one that is absent nothing is,
    /// and its pointers say at once what is wanted.
    pub nodes: BTreeMap<String, Nodes>,
    /// Seconds since 1970, UTC: how old a report is has a say in a roll-out.
    pub now: i64,
}

/// A node agent's binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// SHA-256 of the binary, 64 hex digits.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// The ETag that S3 gives the binary; empty where nobody has it at hand.
    pub etag: String,
}

impl Inputs {
    /// The given agent for every cluster; without one, for each cluster the
    /// agent it has: a reconciler that carries none takes none away.
    pub fn new(manifests: &Manifests, given: Option<&Agent>, observed: &ObservedState) -> Self {
        let mut agents = BTreeMap::new();
        let mut networks = BTreeMap::new();
        for object in &observed.objects {
            if let Body::StoredObject(stored) = &object.body
                && names::is_agent(&object.address)
            {
                let scope = object.address.scope();
                let digest = stored.digest().into();
                let agent = Agent { digest, size: stored.size, etag: String::new() };
                // Of two, an update was under way: the one nodes start with.
                if !agents.contains_key(scope) || observed.launched(scope, stored.digest()) {
                    agents.insert(scope.to_string(), agent);
                }
            }
            if let Body::Vpc(vpc) = &object.body {
                networks.insert(object.address.scope().to_string(), vpc.cidr.clone());
            }
        }
        if let Some(given) = given {
            agents = manifests.clusters.keys().map(|name| (name.clone(), given.clone())).collect();
        }
        let unknown = unknown(manifests, given.is_some(), observed);
        let kept_zones = kept_zones(manifests, observed);
        Self { agents, networks, kept_zones, unknown, ..Self::default() }
    }

    /// With the nodes that were observed, at a moment.
    pub fn with_nodes(self, manifests: &Manifests, observed: &ObservedState, now: i64) -> Self {
        Self { nodes: Nodes::of(manifests, observed), now, ..self }
    }
}

/// The places of subnets that are there, beyond the zones of the manifest, and
/// that nobody has given up.
fn kept_zones(manifests: &Manifests, observed: &ObservedState) -> BTreeMap<String, BTreeSet<u32>> {
    let mut kept: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for object in observed.objects.iter().filter(|it| it.address.kind() == Subnet::NAME) {
        let scope = object.address.scope();
        let (Some(declared), Some(place)) =
            (manifests.clusters.get(scope), network::place(object.address.name()))
        else {
            continue;
        };
        let address = object.address.to_string();
        let given_up =
            manifests.consents.iter().any(|it| it.allows(Deed::Delete, &address, &object.id));
        if place >= declared.cluster.spec.network.zones && !given_up {
            kept.entry(scope.to_string()).or_default().insert(place);
        }
    }
    kept
}

/// A list that failed looks like one that is empty, and so does one of a VPC that
/// has lost its tags: the cluster's network would be laid out anew, and its nodes
/// would lose their agent.
fn unknown(
    manifests: &Manifests,
    agent_given: bool,
    observed: &ObservedState,
) -> BTreeMap<String, Gap> {
    let mut kinds = vec![Vpc::NAME];
    if !agent_given {
        kinds.push(StoredObject::NAME);
    }
    let lost = observed.lost();
    let of = |cluster: &str, region: &str| {
        kinds.iter().find_map(|kind| {
            let any = Address::new(cluster, kind, "any");
            let mut gaps = observed.gaps.iter().chain(&lost);
            gaps.find(|gap| gap.covers(region, &any)).cloned()
        })
    };
    let clusters = manifests.clusters.iter();
    clusters
        .filter_map(|(name, declared)| {
            Some((name.clone(), of(name, &declared.cluster.spec.region)?))
        })
        .collect()
}
