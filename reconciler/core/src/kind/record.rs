//! A cluster's public name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A Route 53 record with its TXT marker, `_lyceum.<name>`, which carries the
/// identity that a record has no tags for. Both are written in one batch. Its
/// id is `<zone id>/<name>/<type>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The hosted zone's id.
    pub zone: String,
    /// Full name without the closing dot.
    pub name: String,
    /// `A`.
    pub record_type: String,
    /// Seconds a resolver may keep it.
    pub ttl_seconds: i64,
    /// The values.
    pub values: BTreeSet<String>,
}

impl Kind for Record {
    const NAME: &'static str = "record";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("zone", Rule::Replace),
        ("name", Rule::Replace),
        ("record_type", Rule::Replace),
        ("ttl_seconds", Rule::Owned),
        ("values", Rule::Owned),
    ];
    const READS_TAGS: bool = false;
}
