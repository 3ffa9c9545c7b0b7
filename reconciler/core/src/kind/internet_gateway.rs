//! A cluster's way to the internet.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An internet gateway and what it is attached to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// The VPC's id; empty while it is attached to none.
    pub vpc: String,
}

impl Kind for InternetGateway {
    const NAME: &'static str = "internet-gateway";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[("vpc", Rule::Owned)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("vpc", "vpc")];
}
