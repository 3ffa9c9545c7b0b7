//! What hands a role to instances.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An instance profile. Its id is its name; output `arn`. The list call leaves
/// its tags out, so it is ours by path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// Name, unique in the account.
    pub name: String,
    /// Path, `/lyceum/<cluster>/`.
    pub path: String,
    /// The role's name; empty while it has none.
    pub role: String,
}

impl Kind for InstanceProfile {
    const NAME: &'static str = "instance-profile";
    const ATTRIBUTES: &'static [(&'static str, Rule)] =
        &[("name", Rule::Replace), ("path", Rule::Replace), ("role", Rule::Owned)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("role", "role")];
    const READS_TAGS: bool = false;
}
