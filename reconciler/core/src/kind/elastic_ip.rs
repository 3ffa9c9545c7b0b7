//! The hub's public address.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An Elastic IP. Its id is the allocation id; output `public_ip`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ElasticIp {
    /// The id of the interface it points at; empty while it points at none.
    pub interface: String,
}

impl Kind for ElasticIp {
    const NAME: &'static str = "elastic-ip";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[("interface", Rule::Owned)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("interface", "network-interface")];
    // AWS associates an address only behind an attached gateway.
    const AFTER: &'static [&'static str] = &["internet-gateway"];
}
