//! The hub's network interface: it outlives the instance, and with it the
//! hub's fixed private address.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// The subnet's id.
    pub subnet: String,
    /// Primary private IPv4 address.
    pub private_ip: String,
    /// Ids of its security groups.
    pub security_groups: BTreeSet<String>,
    /// What it is for.
    pub description: String,
}

impl Kind for NetworkInterface {
    const NAME: &'static str = "network-interface";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("subnet", Rule::Replace),
        ("private_ip", Rule::Replace),
        ("security_groups", Rule::Owned),
        ("description", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("subnet", "subnet"), ("security_groups", "security-group")];
}
