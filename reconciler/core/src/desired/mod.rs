//! What should be: every resource of every cluster, from the manifests alone.
//!
//! Ids are not known here: references (`@{…}`) stand for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::kind::Body;

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
