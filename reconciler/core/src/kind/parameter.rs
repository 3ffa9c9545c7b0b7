//! A parameter under the cluster's prefix.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An SSM parameter. Its id is its name; output `arn`. Exactly one of `value`
/// and `seed` is used: a `value` is ours and repaired, a `seed` is what a
/// parameter starts with that a node or the controller writes later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Absolute name, `/lyceum/geo-101/facts`.
    pub name: String,
    /// Encrypted (`SecureString`). Its value is never read.
    pub secure: bool,
    /// The owned value; empty when seeded.
    pub value: String,
    /// The first value of a parameter that others write; what stands there
    /// later, if it may be read. Empty for an owned value.
    pub seed: String,
}

impl Kind for Parameter {
    const NAME: &'static str = "parameter";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("secure", Rule::Replace),
        ("value", Rule::Owned),
        ("seed", Rule::Initial),
    ];
    const READS_TAGS: bool = false;

    /// Whether a value is ours is known only to the desired side: the reader
    /// puts what it found into both.
    fn given(mut self, observed: &Self, _now: i64) -> Self {
        if !self.seed.is_empty() {
            self.value = observed.value.clone();
        }
        self
    }
}
