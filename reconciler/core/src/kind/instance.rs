//! The hub's instance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};
use crate::site::TAG_OS;

/// An EC2 instance launched from the hub's template onto the hub's interface.
/// Terminated instances are not observed: the hub is then made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// The launch template's id it is made from.
    pub launch_template: String,
    /// The template's version it is made from.
    pub launch_template_version: String,
    /// The operating system of the manifest, kept in the tag `lyceum:os`.
    pub os: String,
    /// The image's id.
    pub image: String,
    /// The image's root device.
    pub root_device: String,
    /// Such as `t3.medium`: changed by stopping and starting.
    pub instance_type: String,
    /// The id of its primary network interface.
    pub interface: String,
    /// The instance profile's name.
    pub profile: String,
    /// What it ran when it first booted. Initial: the agent keeps itself current.
    pub user_data: String,
    /// Size of the root volume in GiB.
    pub root_gib: i32,
    /// `gp3`.
    pub root_type: String,
    /// `required`: metadata only with a session token (IMDSv2).
    pub metadata_tokens: String,
    /// Hops a metadata answer may travel; 1 keeps containers out.
    pub metadata_hop_limit: i32,
    /// It is running (or about to be).
    pub running: bool,
    /// Device name to the id of the data volume attached there.
    pub volumes: BTreeMap<String, String>,
}

impl Kind for Instance {
    const NAME: &'static str = "instance";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("launch_template", Rule::Initial),
        ("launch_template_version", Rule::Initial),
        ("os", Rule::Replace),
        ("image", Rule::InitialWhile("os")),
        ("root_device", Rule::InitialWhile("os")),
        ("instance_type", Rule::Restart),
        ("interface", Rule::Replace),
        ("profile", Rule::Owned),
        ("user_data", Rule::Initial),
        ("root_gib", Rule::Grow),
        ("root_type", Rule::Owned),
        ("metadata_tokens", Rule::Owned),
        ("metadata_hop_limit", Rule::Owned),
        ("running", Rule::Owned),
        ("volumes", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("interface", "network-interface"), ("profile", "instance-profile"), ("volumes", "volume")];
    const DISRUPTS: bool = true;
    const IN_TAGS: &'static [(&'static str, &'static str)] = &[("os", TAG_OS)];
    // What it needs on its first boot: a way out, its rights, its files.
    const AFTER: &'static [&'static str] =
        &["route-table", "role", "parameter", "file-system", "object", "pointer", "node-report"];

    /// An instance whose tag was lost is not one of another system; the tag is
    /// put back as a tag.
    fn given(mut self, observed: &Self, _now: i64) -> Self {
        if observed.os.is_empty() {
            self.os = String::new();
        }
        self
    }
}
