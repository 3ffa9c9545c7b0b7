//! What should be: every resource of every cluster, from the manifests alone.
//!
//! Ids are not known here: references (`@{…}`) stand for them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::kind::Body;
use crate::manifest::cluster::DriftMode;

/// Everything that should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredState {
    /// Every resource of every scope.
    pub resources: BTreeMap<Address, Resource>,
    /// Every cluster, and `@region` for every region that has one.
    pub scopes: BTreeMap<String, ScopePolicy>,
}

/// How a cluster, or what a region's clusters share, is to be treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePolicy {
    /// Where it is.
    pub region: String,
    /// Leave everything as it is.
    pub suspend: bool,
    /// What to do about changes made outside the repository.
    pub drift: DriftMode,
    /// Names of the secrets an operator makes for it.
    pub secrets: BTreeSet<String>,
}

/// One resource that should be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// What it is called.
    pub address: Address,
    /// Where it is; `global` for IAM and Route 53.
    pub region: String,
    /// The tags that are ours. `lyceum:created` is added when it is made.
    pub tags: BTreeMap<String, String>,
    /// What it is.
    pub body: Body,
}
