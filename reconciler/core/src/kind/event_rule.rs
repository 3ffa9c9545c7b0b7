//! An EventBridge rule and its targets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Rule};

/// A rule on the default event bus. Its id is its name; output `arn`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventRule {
    /// Name, unique in account and region.
    pub name: String,
    /// The event pattern.
    pub pattern: Value,
    /// Whether it fires.
    pub enabled: bool,
    /// Target id to target ARN.
    pub targets: BTreeMap<String, String>,
}

impl Kind for EventRule {
    const NAME: &'static str = "event-rule";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("pattern", Rule::Owned),
        ("enabled", Rule::Owned),
        ("targets", Rule::Owned),
    ];
    const READS_TAGS: bool = false;
}
