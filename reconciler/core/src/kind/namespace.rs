//! A cluster's private names.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A Cloud Map private DNS namespace. Output `arn`. The list call leaves its
/// tags out: it is ours by its description, which carries the identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// DNS name, `geo-101.lyceum.internal`.
    pub name: String,
    /// The VPC's id.
    pub vpc: String,
}

impl Kind for Namespace {
    const NAME: &'static str = "namespace";
    // Which VPC it serves cannot be read back, and it goes with its VPC: a
    // namespace refuses to be deleted last, so the VPC is only ordered by it.
    const ATTRIBUTES: &'static [(&'static str, Rule)] =
        &[("name", Rule::Replace), ("vpc", Rule::Initial)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("vpc", "vpc")];
    const READS_TAGS: bool = false;
    const AFTER: &'static [&'static str] = &["vpc"];
}
