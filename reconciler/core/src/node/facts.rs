//! What a node knows of itself: `node` in a template.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node is. Comes from its instance's metadata, its settings
/// (`/etc/lyceum/node.json`), the cluster's `facts` parameter and the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// `i-0123456789abcdef0`.
    pub instance_id: String,
    /// `t3.large`.
    pub instance_type: String,
    /// Its private address.
    pub private_ip: String,
    /// Its host name.
    pub hostname: String,
    /// AWS region.
    pub region: String,
    /// Availability zone.
    pub zone: String,
    /// `debian-12`, `ubuntu-24.04` or `amazon-linux-2023`.
    pub os: String,
    /// `x86_64` or `aarch64`.
    pub arch: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    #[serde(rename = "memoryMiB")]
    pub memory_mib: u64,
    /// The cluster's name.
    pub cluster: String,
    /// `hub` or `workers`.
    pub group: String,
    /// `lyceum.yaml`'s owner.
    pub owner: String,
    /// The artifact bucket.
    pub bucket: String,
    /// Prefix of the cluster's parameters, `/lyceum/geo-101`.
    pub parameters: String,
    /// The hub's private address.
    pub hub: String,
    /// The hub's public address; empty until it is known.
    pub public_address: String,
    /// Private DNS namespace.
    pub namespace: String,
    /// The shared file system, `fs-0123`.
    pub file_system: String,
    /// Access points by name: `homes` and one for each shared directory.
    pub access_points: BTreeMap<String, String>,
}
