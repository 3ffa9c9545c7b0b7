//! How instances of a group are launched.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A launch template; the attributes are those of its newest version. Outputs
/// `version` (the newest version's number), `name`, and `image` and `root_device`,
/// which it was resolved to. A change makes a new version: versions themselves
/// never change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// Name, unique in account and region.
    pub name: String,
    /// The operating system of the manifest, kept in the version's description.
    pub os: String,
    /// The image's id. Resolved once; a newer image is taken only when the
    /// manifest's `os` or `image` changes.
    pub image: String,
    /// The image's root device, such as `/dev/xvda`.
    pub root_device: String,
    /// Empty where the group chooses among several.
    pub instance_type: String,
    /// The instance profile's name.
    pub profile: String,
    /// Ids of the security groups; empty where an interface brings its own.
    pub security_groups: BTreeSet<String>,
    /// What a node runs when it first boots, as text.
    pub user_data: String,
    /// Size of the root volume in GiB.
    pub volume_gib: i32,
    /// `gp3`.
    pub volume_type: String,
    /// The root volume is encrypted.
    pub encrypted: bool,
    /// `required`: metadata only with a session token (IMDSv2).
    pub metadata_tokens: String,
    /// Hops a metadata answer may travel; 1 keeps containers out.
    pub metadata_hop_limit: i32,
    /// Tags of the instances and volumes launched from it.
    pub instance_tags: BTreeMap<String, String>,
}

impl Kind for LaunchTemplate {
    const NAME: &'static str = "launch-template";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("os", Rule::Owned),
        ("image", Rule::InitialWhile("os")),
        ("root_device", Rule::InitialWhile("os")),
        ("instance_type", Rule::Owned),
        ("profile", Rule::Owned),
        ("security_groups", Rule::Owned),
        ("user_data", Rule::Owned),
        ("volume_gib", Rule::Owned),
        ("volume_type", Rule::Owned),
        ("encrypted", Rule::Owned),
        ("metadata_tokens", Rule::Owned),
        ("metadata_hop_limit", Rule::Owned),
        ("instance_tags", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("profile", "instance-profile"), ("security_groups", "security-group")];
    const VOLATILE: &'static [&'static str] = &["version", "image", "root_device"];

    /// A version that does not say its system keeps its image: nobody knows
    /// that it is another's.
    fn given(mut self, observed: &Self, _now: i64) -> Self {
        if observed.os.is_empty() {
            self.image = observed.image.clone();
            self.root_device = observed.root_device.clone();
        }
        self
    }
}
