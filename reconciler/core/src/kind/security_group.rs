//! A security group and its rules.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// The VPC's id.
    pub vpc: String,
    /// Name, unique in the VPC.
    pub name: String,
    /// What it is for; AWS cannot change it.
    pub description: String,
    /// Every rule, each an object of its own in AWS.
    pub rules: BTreeSet<FirewallRule>,
}

/// One rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FirewallRule {
    /// In or out.
    pub direction: Direction,
    /// `tcp`, `udp`, `icmp`, or `-1` for all.
    pub protocol: String,
    /// First port; -1 for all.
    pub from_port: i32,
    /// Last port; -1 for all.
    pub to_port: i32,
    /// An IPv4 or IPv6 range, or the id of a security group.
    pub peer: String,
    /// What it is for.
    pub description: String,
}

/// Which way a rule lets traffic pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the members.
    Ingress,
    /// From the members.
    Egress,
}

impl Kind for SecurityGroup {
    const NAME: &'static str = "security-group";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("vpc", Rule::Replace),
        ("name", Rule::Replace),
        ("description", Rule::Replace),
        ("rules", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("vpc", "vpc"), ("rules", "security-group")];
    const LATE: &'static [&'static str] = &["rules"];
}
