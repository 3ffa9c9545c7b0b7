//! The artifact bucket of a region: bundles, agents, pointers, node reports.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Rule};

/// An S3 bucket. Its id is its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Globally unique name.
    pub name: String,
    /// Versions are kept.
    pub versioning: bool,
    /// Server-side encryption algorithm, `AES256`.
    pub encryption: String,
    /// All four public access blocks are on.
    pub public_access_blocked: bool,
    /// The bucket policy.
    pub policy: Value,
    /// Days after which a version that is no longer current is removed.
    pub noncurrent_days: i32,
    /// A delete marker goes once no version is left behind it.
    pub markers_expire: bool,
}

impl Kind for Bucket {
    const NAME: &'static str = "bucket";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("versioning", Rule::Owned),
        ("encryption", Rule::Owned),
        ("public_access_blocked", Rule::Owned),
        ("policy", Rule::Owned),
        ("noncurrent_days", Rule::Owned),
        ("markers_expire", Rule::Owned),
    ];
    const HOLDS_DATA: bool = true;
}
