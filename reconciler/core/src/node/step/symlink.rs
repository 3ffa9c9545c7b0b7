//! A symbolic link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// A symbolic link, or nothing at that path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Symlink {
    /// Where, absolute.
    #[schemars(regex(pattern = r"^/"), length(max = 1000))]
    pub path: String,
    /// What it points to.
    #[serde(default)]
    pub target: String,
    /// There is to be no link at that path.
    #[serde(default)]
    pub absent: bool,
}
