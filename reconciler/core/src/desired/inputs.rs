//! What else the desired state is made from: artifacts, which are built and not
//! written, and what can no longer be changed.

use std::collections::BTreeMap;

use crate::kind::Body;
use crate::manifest::Manifests;
use crate::observed::ObservedState;

/// What else the desired state is made from, by cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The node agent of each cluster; a cluster without one starts its nodes
    /// bare.
    pub agents: BTreeMap<String, Agent>,
    /// The range of each cluster's VPC as it is. A range cannot be changed
    /// under a cluster that lives in it: as long as its VPC stays, everything
    /// within is laid out in the range the VPC has.
    pub networks: BTreeMap<String, String>,
}

/// A node agent's binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// SHA-256 of the binary, 64 hex digits.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
}

impl Inputs {
    /// The given agent for every cluster; without one, for each cluster the
    /// agent it has: a reconciler that carries none takes none away.
    pub fn new(manifests: &Manifests, given: Option<&Agent>, observed: &ObservedState) -> Self {
        let mut agents = BTreeMap::new();
        let mut networks = BTreeMap::new();
        for object in &observed.objects {
            if let Body::StoredObject(stored) = &object.body {
                let agent = Agent { digest: stored.digest().into(), size: stored.size };
                agents.entry(object.address.scope().to_string()).or_insert(agent);
            }
            if let Body::Vpc(vpc) = &object.body {
                networks.insert(object.address.scope().to_string(), vpc.cidr.clone());
            }
        }
        if let Some(given) = given {
            agents = manifests.clusters.keys().map(|name| (name.clone(), given.clone())).collect();
        }
        Self { agents, networks }
    }
}
