//! One instance of a scaling group, where it has to be replaced.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An instance of a scaling group. Groups make them; all that is ever done to
/// one by itself is to end it, so that its group makes another. Its id is the
/// instance's. Never listed: see [`crate::observed::LiveInstance`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// The group's name.
    pub scaling_group: String,
}

impl Kind for Worker {
    const NAME: &'static str = "worker";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[("scaling_group", Rule::Initial)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("scaling_group", "scaling-group")];
    const READS_TAGS: bool = false;
}
