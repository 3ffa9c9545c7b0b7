//! A program that is run where its guard says it is needed: for what no other
//! kind of step can say.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, LARGEST_FILE, Run, Step, StepError, Texts};
use crate::node::host::{Cause, Program};

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

/// A guard's program ends within this.
const GUARD_TIME: Duration = Duration::from_secs(60);

impl Step for Command {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        if self.unless.holds(run, self)? {
            return Ok(Vec::new());
        }
        Ok(vec![Difference::new("run", "", self.run.join(" "))])
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let time = Duration::from_secs(u64::from(self.timeout_seconds));
        let (code, output) = run.program(&self.program(&self.run, time))?;
        if code == 0 {
            return Ok(());
        }
        let message = format!("`{}` ended with {code}: {output}", self.run.join(" "));
        Err(StepError::new(Cause::Failed, message))
    }

    fn uses(&self) -> Vec<String> {
        self.unless.same.clone()
    }
}

impl Command {
    fn program(&self, argv: &[String], timeout: Duration) -> Program {
        Program { argv: argv.to_vec(), env: self.env.clone(), cwd: self.cwd.clone(), timeout }
    }
}

impl Guard {
    /// The program is not needed.
    fn holds(&self, run: &mut Run<'_>, command: &Command) -> Result<bool, StepError> {
        if *self == Self::default() || self.same.len() == 1 {
            let message = "`unless` needs `exists`, `succeeds` or two files that are the `same`";
            return Err(StepError::new(Cause::Invalid, message));
        }
        if let Some(path) = &self.exists
            && run.host.stat(path)?.is_none()
        {
            return Ok(false);
        }
        if let [one, other] = &self.same[..]
            && !same(run, one, other)?
        {
            return Ok(false);
        }
        if self.succeeds.is_empty() {
            return Ok(true);
        }
        match run.program(&command.program(&self.succeeds, GUARD_TIME)) {
            Ok((code, _)) => Ok(code == 0),
            // What is not installed does not succeed.
            Err(error) if error.cause == Cause::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Both are there, and have the same content.
fn same(run: &mut Run<'_>, one: &str, other: &str) -> Result<bool, StepError> {
    let (first, second) = (run.host.stat(one)?, run.host.stat(other)?);
    let sizes = first.zip(second).map(|(first, second)| (first.size, second.size));
    if sizes.is_none_or(|(first, second)| first != second) {
        return Ok(false);
    }
    let first = run.host.read(one, LARGEST_FILE)?;
    Ok(first == run.host.read(other, LARGEST_FILE)?)
}
