//! A service of systemd: running, starting at boot, restarted when something it
//! watches changed.
//!
//! A restart is noted durably before the watched thing is changed and done once
//! at the end of the run, so that an agent that dies in between still does it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, yes};
use crate::node::host::{Cause, UnitState, UnitVerb};

/// A service of systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// The unit, `nginx.service`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9:_.@-]+\.(service|socket|timer|path|target|mount)$|\{\{"))]
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

impl Step for Service {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let state = run.host.unit(&self.unit)?;
        if !state.loaded {
            return self.unknown();
        }
        let mut found = Vec::new();
        if state.needs_reload {
            found.push(Difference::new("unit file", "changed", "read"));
        }
        if runs(&state) != self.running {
            let wanted = if self.running { "active" } else { "inactive" };
            found.push(Difference::new("running", &state.active, wanted));
        }
        if state.enabled != self.enabled {
            found.push(Difference::new("enabled", word(state.enabled), word(self.enabled)));
        }
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let state = run.host.unit(&self.unit)?;
        if state.needs_reload {
            run.host.reload_units()?;
        }
        if state.enabled != self.enabled {
            let verb = if self.enabled { UnitVerb::Enable } else { UnitVerb::Disable };
            run.host.unit_do(&self.unit, verb)?;
        }
        if runs(&state) != self.running {
            let verb = if self.running { UnitVerb::Start } else { UnitVerb::Stop };
            run.host.unit_do(&self.unit, verb)?;
        }
        Ok(())
    }

    fn uses(&self) -> Vec<String> {
        let unit = format!("/etc/systemd/system/{}", self.unit);
        vec![format!("{unit}.d"), unit]
    }

    fn watches(&self) -> &[String] {
        &self.watches
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("unit {}", self.unit)]
    }

    /// Docker starts once everything it may write to is mounted.
    fn wants(&self) -> Vec<String> {
        let docker = matches!(self.unit.as_str(), "docker.service" | "docker.socket");
        if docker { vec!["mount".into()] } else { Vec::new() }
    }
}

impl Service {
    /// What is done when something it watches changed.
    pub(in crate::node) fn restart(&self) -> UnitVerb {
        if self.reload { UnitVerb::ReloadOrRestart } else { UnitVerb::Restart }
    }

    fn unknown(&self) -> Result<Vec<Difference>, StepError> {
        if !self.running && !self.enabled {
            return Ok(Vec::new());
        }
        let message = format!("systemd knows no unit {}", self.unit);
        Err(StepError::new(Cause::NotFound, message)
            .hint("install the package that brings it, or write it with a `unit` step"))
    }
}

fn runs(state: &UnitState) -> bool {
    matches!(state.active.as_str(), "active" | "reloading" | "refreshing")
}

fn word(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
