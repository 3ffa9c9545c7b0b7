//! A name in the cluster's namespace and the addresses behind it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A Cloud Map service with its registered instances. Output `arn`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DiscoveryService {
    /// The namespace's id.
    pub namespace: String,
    /// Name within the namespace, `hub`.
    pub name: String,
    /// Seconds a resolver may keep the answer.
    pub ttl_seconds: i64,
    /// Instance id to IPv4 address.
    pub instances: BTreeMap<String, String>,
}

impl Kind for DiscoveryService {
    const NAME: &'static str = "discovery-service";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("namespace", Rule::Replace),
        ("name", Rule::Replace),
        ("ttl_seconds", Rule::Owned),
        ("instances", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("namespace", "namespace")];
    const READS_TAGS: bool = false;
}
