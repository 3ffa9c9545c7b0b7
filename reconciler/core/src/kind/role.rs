//! What the nodes of a group may do in AWS.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Rule};

/// An IAM role with its inline policies. Its id is its name; output `arn`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Name, unique in the account, at most 64 characters.
    pub name: String,
    /// Path, `/lyceum/<cluster>/`.
    pub path: String,
    /// Who may assume it.
    pub trust: Value,
    /// Inline policies by name.
    pub policies: BTreeMap<String, Value>,
    /// ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
}

impl Kind for Role {
    const NAME: &'static str = "role";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("path", Rule::Replace),
        ("trust", Rule::Owned),
        ("policies", Rule::Owned),
        ("attached", Rule::Owned),
    ];
}
