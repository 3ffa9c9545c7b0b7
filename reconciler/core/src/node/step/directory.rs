//! A directory: its owner, group and mode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, root};

/// A directory, or nothing at that path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Directory {
    /// Where, absolute. Directories around it that are missing are made, owned
    /// by root.
    #[schemars(regex(pattern = r"^/"), length(max = 1000))]
    pub path: String,
    /// The owner's name.
    #[serde(default = "root")]
    pub owner: String,
    /// The group's name.
    #[serde(default = "root")]
    pub group: String,
    /// Permissions, octal.
    #[serde(default = "mode")]
    #[schemars(regex(pattern = r"^[0-7]{3,4}$"))]
    pub mode: String,
    /// There is to be nothing at that path; what it holds goes too.
    #[serde(default)]
    pub absent: bool,
}

fn mode() -> String {
    "0755".into()
}
