//! The shared file system with everybody's home directories.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An EFS file system and its mount targets. Output `arn`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileSystem {
    /// Encrypted at rest.
    pub encrypted: bool,
    /// `generalPurpose` or `maxIO`.
    pub performance_mode: String,
    /// `elastic`, `bursting`: set at creation, then an operator's to tune.
    pub throughput_mode: String,
    /// Days without access before a file moves to infrequent access; 0 is never.
    pub transition_to_ia_days: u32,
    /// Daily automatic backups.
    pub backup: bool,
    /// Subnet id to the ids of the mount target's security groups.
    pub mount_targets: BTreeMap<String, BTreeSet<String>>,
}

impl Kind for FileSystem {
    const NAME: &'static str = "file-system";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("encrypted", Rule::Replace),
        ("performance_mode", Rule::Replace),
        ("throughput_mode", Rule::Initial),
        ("transition_to_ia_days", Rule::Owned),
        ("backup", Rule::Owned),
        ("mount_targets", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("mount_targets", "subnet"), ("mount_targets", "security-group")];
    const HOLDS_DATA: bool = true;
}
