//! What a step has at hand while it looks and acts, and what one run remembers
//! so that the machine is not asked twice.
//!
//! Invariant: every secret a run has read is known here, so that none of them
//! gets into a report.

use std::collections::BTreeMap;

use super::StepError;
use crate::node::facts::Facts;
use crate::node::host::{Cause, Confidential, Host, Program};

/// What a step has at hand while it looks and acts.
pub struct Run<'a> {
    /// The machine.
    pub host: &'a mut dyn Host,
    /// What the node is.
    pub facts: &'a Facts,
    /// `role/name`.
    pub id: &'a str,
    /// A digest of what the steps it watches are to be; empty where it watches
    /// none. Docker's objects carry it as a label, so that they are made anew
    /// when it changes.
    pub stamp: String,
    /// Something it watches was changed and it was not made anew since.
    pub stale: bool,
    /// What this run knows already.
    pub(in crate::node) memory: &'a mut Memory,
}

/// What one run knows already.
#[derive(Debug, Default)]
pub(in crate::node) struct Memory {
    /// Packages that any step of the plan asks for.
    packages: Vec<String>,
    installed: Option<BTreeMap<String, String>>,
    parameters: BTreeMap<String, Option<Confidential>>,
    secrets: Vec<Confidential>,
}

/// Shorter values are no secrets worth hiding, and hiding them would blot out
/// half of every text.
const SHORTEST_SECRET: usize = 4;
/// Most characters of a program's output in a message.
const MOST_OUTPUT: usize = 2_000;

impl Memory {
    /// For a plan whose steps ask for these packages.
    pub(in crate::node) fn new(packages: Vec<String>) -> Self {
        Self { packages, ..Self::default() }
    }

    /// The machine was changed: what was asked before may not hold.
    pub(in crate::node) fn forget(&mut self) {
        self.installed = None;
        self.parameters.clear();
    }

    /// A text without any secret that was read in this run.
    pub(in crate::node) fn clean(&self, text: String) -> String {
        self.secrets.iter().map(Confidential::reveal).fold(text, |text, secret| {
            if text.contains(secret) { text.replace(secret, "(confidential)") } else { text }
        })
    }

    fn keep_secret(&mut self, value: &Confidential) {
        let lines = value.reveal().lines().map(str::trim);
        for part in lines.chain([value.reveal()]).filter(|part| part.len() >= SHORTEST_SECRET) {
            if !self.secrets.iter().any(|known| known.reveal() == part) {
                self.secrets.push(Confidential::new(part));
            }
        }
        // The longest first, so that none leaves a rest of another.
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
    }
}

impl Run<'_> {
    /// A parameter's value: one of the cluster by its name, any by `ssm:/…`.
    /// It is kept out of every report.
    pub(super) fn secret(&mut self, name: &str) -> Result<Option<Confidential>, StepError> {
        let value = self.public_parameter(name)?;
        if let Some(value) = &value {
            self.memory.keep_secret(value);
        }
        Ok(value)
    }

    /// A parameter's value that may be shown.
    pub(super) fn public_parameter(
        &mut self,
        name: &str,
    ) -> Result<Option<Confidential>, StepError> {
        let path = self.parameter_path(name);
        if let Some(known) = self.memory.parameters.get(&path) {
            return Ok(known.clone());
        }
        let value = self.host.parameter(&path)?;
        self.memory.parameters.insert(path, value.clone());
        Ok(value)
    }

    /// A parameter's absolute name.
    pub(super) fn parameter_path(&self, name: &str) -> String {
        match name.strip_prefix("ssm:") {
            Some(path) => path.into(),
            None => format!("{}/{name}", self.facts.parameters),
        }
    }

    /// The token of this swarm for `worker` or `manager`.
    pub(super) fn token(&mut self, role: &str) -> Result<Confidential, StepError> {
        let token = self.host.swarm_token(role)?;
        self.memory.keep_secret(&token);
        Ok(token)
    }

    /// Versions of those of these packages that are installed, asked for once
    /// for all steps together.
    pub(super) fn installed(
        &mut self,
        names: &[String],
    ) -> Result<BTreeMap<String, String>, StepError> {
        let all = match self.memory.installed.take() {
            Some(known) => known,
            None => self.host.installed(&self.memory.packages)?,
        };
        let mine = names.iter().filter_map(|name| Some((name.clone(), all.get(name)?.clone())));
        let mine = mine.collect();
        self.memory.installed = Some(all);
        Ok(mine)
    }

    /// Runs a program; its exit code, and the end of its output for a message.
    pub(super) fn program(&mut self, program: &Program) -> Result<(i32, String), StepError> {
        let ended = self.host.run(program)?;
        let output = ended.output.trim();
        let skip = output.chars().count().saturating_sub(MOST_OUTPUT);
        Ok((ended.code, output.chars().skip(skip).collect()))
    }

    /// A user by name or number is the one of this name.
    pub(super) fn is_user(&mut self, wanted: &str, name: &str) -> Result<bool, StepError> {
        let Ok(number) = wanted.parse::<u32>() else { return Ok(wanted == name) };
        Ok(wanted == name || self.host.user(name)?.is_some_and(|user| user.uid == number))
    }

    /// A group by name or number is the one of this name.
    pub(super) fn is_group(&mut self, wanted: &str, name: &str) -> Result<bool, StepError> {
        let Ok(number) = wanted.parse::<u32>() else { return Ok(wanted == name) };
        Ok(wanted == name || self.host.group(name)? == Some(number))
    }
}

/// A parameter that has no value, with the way to give it one.
pub(super) fn no_parameter(path: &str) -> StepError {
    StepError::new(Cause::NotFound, format!("the parameter {path} has no value")).hint(format!(
        "write it with `lyceum secret set {path}`, the value on standard input; what another \
         node publishes is there once that node has converged"
    ))
}
