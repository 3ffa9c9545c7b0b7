//! The hub's data volume: database, cookie secret, swarm state.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An EBS volume. Output `arn`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Availability zone; that of the hub's subnet.
    pub zone: String,
    /// Size in GiB.
    pub size_gib: i32,
    /// `gp3`.
    pub volume_type: String,
    /// Encrypted at rest.
    pub encrypted: bool,
}

impl Kind for Volume {
    const NAME: &'static str = "volume";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("zone", Rule::Initial),
        ("size_gib", Rule::Grow),
        ("volume_type", Rule::Owned),
        ("encrypted", Rule::Replace),
    ];
    const HOLDS_DATA: bool = true;
}
