//! A service of systemd: running, starting at boot, restarted when something it
//! watches changed.
//!
//! A restart is noted durably before the watched thing is changed and done once
//! at the end of the run, so that an agent that dies in between still does it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, yes};

/// A service of systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// The unit, `nginx.service`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9:_.@-]+\.(service|socket|timer|path|target|mount)$"))]
    pub unit: String,
    /// It runs, or does not.
    #[serde(default = "yes")]
    pub running: bool,
    /// It starts at boot, or does not.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Steps whose change restarts it, once, at the end of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub watches: Vec<String>,
    /// Reload its configuration instead of restarting, where it can.
    #[serde(default)]
    pub reload: bool,
}
