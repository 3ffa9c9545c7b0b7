//! The queue that tells of instances about to go away.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Rule};

/// An SQS queue. Its id is its URL; output `arn`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Name, unique in account and region.
    pub name: String,
    /// Who may send: EventBridge, for our rules.
    pub policy: Value,
    /// How long a message is kept, in seconds.
    pub retention_seconds: i64,
    /// Encrypted with the service's own key.
    pub encrypted: bool,
}

impl Kind for Queue {
    const NAME: &'static str = "queue";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("policy", Rule::Owned),
        ("retention_seconds", Rule::Owned),
        ("encrypted", Rule::Owned),
    ];
    const READS_TAGS: bool = false;
}
