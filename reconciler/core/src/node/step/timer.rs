//! A program at set times: a service and a timer of systemd.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::{Difference, Run, Step, StepError};
use crate::node::host::{Cause, UnitVerb};

/// A program at set times, or no timer of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timer {
    /// What its units are called, without an ending.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,60}$|\{\{"))]
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

impl Step for Timer {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let files = self.files()?;
        if self.absent {
            return self.leftover(run, &files);
        }
        let mut found = Vec::new();
        for (path, text) in &files {
            let differs = Content::system(path, text).differences(run)?;
            found.extend(differs.into_iter().map(|it| Difference { what: path.clone(), ..it }));
        }
        let state = run.host.unit(&self.timer())?;
        if state.active != "active" {
            found.push(Difference::new("timer", state.active, "active"));
        } else if state.needs_reload || run.host.unit(&self.service())?.needs_reload {
            found.push(Difference::new("unit file", "changed", "read"));
        }
        if !state.enabled {
            found.push(Difference::new("enabled", "no", "yes"));
        }
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let files = self.files()?;
        let timer = self.timer();
        if self.absent {
            if run.host.unit(&timer)?.loaded {
                run.host.unit_do(&timer, UnitVerb::Stop)?;
                run.host.unit_do(&timer, UnitVerb::Disable)?;
            }
            for (path, _) in &files {
                run.host.remove(path)?;
            }
            return Ok(run.host.reload_units()?);
        }
        for (path, text) in &files {
            Content::system(path, text).put(run, &[])?;
        }
        run.host.reload_units()?;
        run.host.unit_do(&timer, UnitVerb::Enable)?;
        // A timer that runs keeps its old times until it is started anew.
        Ok(run.host.unit_do(&timer, UnitVerb::Restart)?)
    }

    fn owns(&self) -> Vec<String> {
        [self.service(), self.timer()].iter().map(|unit| unit_path(unit)).collect()
    }

    fn wants(&self) -> Vec<String> {
        vec![format!("user {}", self.user)]
    }
}

impl Timer {
    fn service(&self) -> String {
        format!("{}.service", self.name)
    }

    fn timer(&self) -> String {
        format!("{}.timer", self.name)
    }

    fn files(&self) -> Result<Vec<(String, String)>, StepError> {
        if !self.absent && (self.run.is_empty() || self.schedule.trim().is_empty()) {
            let message = format!("the timer {} needs `schedule` and `run`", self.name);
            return Err(StepError::new(Cause::Invalid, message));
        }
        let service = format!(
            "# Written by Lyceum.\n[Unit]\nDescription={name}\n[Service]\nType=oneshot\n\
             User={user}\nExecStart={run}\n",
            name = self.name,
            user = self.user,
            run = self.run.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
        );
        let timer = format!(
            "# Written by Lyceum.\n[Unit]\nDescription={name}\n[Timer]\nOnCalendar={schedule}\n\
             RandomizedDelaySec={jitter}\nPersistent=true\n[Install]\nWantedBy=timers.target\n",
            name = self.name,
            schedule = self.schedule,
            jitter = self.jitter_seconds,
        );
        Ok(vec![(unit_path(&self.service()), service), (unit_path(&self.timer()), timer)])
    }

    fn leftover(
        &self,
        run: &mut Run<'_>,
        files: &[(String, String)],
    ) -> Result<Vec<Difference>, StepError> {
        let mut found = Vec::new();
        for (path, _) in files {
            if run.host.stat(path)?.is_some() {
                found.push(Difference::new(path, "present", "absent"));
            }
        }
        Ok(found)
    }
}

fn unit_path(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}")
}

/// One word of a command line of systemd, in which `%` and `$` mean nothing.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for character in word.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '%' => text.push_str("%%"),
            '$' => text.push_str("$$"),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}
