//! A program that is run where its guard says it is needed: for what no other
//! kind of step can say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, Texts};

/// A program and the guard that says whether it is needed. Without a guard it
/// would run every time, so one is required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments; no shell is between.
    #[schemars(length(min = 1, max = 100))]
    pub run: Vec<String>,
    /// It is needed while this is not so.
    pub unless: Guard,
    /// Environment. Nothing secret.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,
    /// Working directory.
    #[serde(default = "slash")]
    pub cwd: String,
    /// It is ended after this many seconds.
    #[serde(default = "minutes")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: u32,
}

/// What tells that a program is not needed (any more). All that is given must
/// hold; at least one must be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Guard {
    /// Something is at this path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists: Option<String>,
    /// This program ends with 0; it changes nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub succeeds: Vec<String>,
    /// Two files have the same content: `[/srv/a, /srv/b]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub same: Vec<String>,
}

fn slash() -> String {
    "/".into()
}
fn minutes() -> u32 {
    300
}
