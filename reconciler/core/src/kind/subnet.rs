//! A public subnet, one per zone.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    /// The VPC's id.
    pub vpc: String,
    /// IPv4 range within the VPC's.
    pub cidr: String,
    /// Availability zone, such as `us-east-1a`. Initial: a zone that joins the
    /// region later must not move a subnet.
    pub zone: String,
    /// Instances get a public address unless they say otherwise.
    pub map_public_ip: bool,
}

impl Kind for Subnet {
    const NAME: &'static str = "subnet";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("vpc", Rule::Replace),
        ("cidr", Rule::Replace),
        ("zone", Rule::Initial),
        ("map_public_ip", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("vpc", "vpc")];
}
