//! A program at set times: a service and a timer of systemd.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// A program at set times, or no timer of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timer {
    /// What its units are called, without an ending.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,60}$"))]
    pub name: String,
    /// When, as systemd's `OnCalendar`: `daily`, `*-*-* 03:00:00`.
    #[serde(default)]
    pub schedule: String,
    /// The program and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub run: Vec<String>,
    /// The user it runs as.
    #[serde(default = "super::root")]
    pub user: String,
    /// Up to this many seconds later, so that not all nodes do it at once.
    #[serde(default)]
    #[schemars(range(max = 86400))]
    pub jitter_seconds: u32,
    /// There is to be no such timer.
    #[serde(default)]
    pub absent: bool,
}
