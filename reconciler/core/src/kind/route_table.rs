//! A route table, its routes and its subnets.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A route table. The VPC's local route and propagated routes are not listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// The VPC's id.
    pub vpc: String,
    /// Destination range to the id of the gateway.
    pub routes: BTreeMap<String, String>,
    /// The ids of the subnets it serves.
    pub subnets: BTreeSet<String>,
}

impl Kind for RouteTable {
    const NAME: &'static str = "route-table";
    const ATTRIBUTES: &'static [(&'static str, Rule)] =
        &[("vpc", Rule::Replace), ("routes", Rule::Owned), ("subnets", Rule::Owned)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("vpc", "vpc"), ("routes", "internet-gateway"), ("subnets", "subnet")];
}
