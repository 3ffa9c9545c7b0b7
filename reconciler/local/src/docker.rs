//! Docker, through its own command line: the same binary that comes with the
//! daemon, the same words a person would use to look at what this crate made,
//! and no client library to keep in step with it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::command::{self, Output};
use crate::error::Error;

/// For what takes no time on a sane daemon.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// For the removal of what nodes wrote: gigabytes of small files.
const REMOVED_WITHIN: Duration = Duration::from_secs(600);

/// Marks everything a local cloud makes; its value is the cloud's name.
pub const LABEL: &str = "org.lyceum.local";

/// A daemon to talk to.
#[derive(Clone, Debug)]
pub struct Docker {
    program: PathBuf,
    host: Option<String>,
}

impl Docker {
    /// The daemon that `docker` talks to in this environment.
    pub fn of_environment() -> Self {
        Self { program: PathBuf::from("docker"), host: None }
    }

    /// The daemon at `host` (`unix:///…`).
    pub(crate) fn at(host: String, program: PathBuf) -> Self {
        Self { program, host: Some(host) }
    }

    /// Where the daemon is, if it is not the environment's.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// A command of `docker`, to be run by the caller: an interactive shell, or
    /// a log that is followed.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host).env_remove("DOCKER_CONTEXT");
        }
        command.args(arguments);
        command
    }

    /// Runs it and gives what it printed.
    pub fn succeed<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Result<String, Error> {
        self.succeed_within(arguments, SOON)
    }

    /// The same, for what may take long.
    pub fn succeed_within<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: &[S],
        within: Duration,
    ) -> Result<String, Error> {
        command::succeed(&mut self.command(arguments), b"", within)
            .map(|text| text.trim().to_owned())
    }

    /// Runs it, whatever comes of it.
    pub fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: &[S],
        input: &[u8],
        within: Duration,
    ) -> Result<Output, Error> {
        command::run(&mut self.command(arguments), input, within)
    }

    /// Whether a daemon answers.
    pub(crate) fn answers(&self) -> bool {
        let ask = ["version", "--format", "{{.Server.Os}}"];
        self.run(&ask, b"", Duration::from_secs(20))
            .is_ok_and(|output| output.success() && output.stdout.trim() == "linux")
    }

    /// One object as Docker describes it; none where there is no such object.
    pub(crate) fn inspect(&self, kind: &str, name: &str) -> Result<Option<Value>, Error> {
        let ask = [kind, "inspect", name];
        let output = self.run(&ask, b"", SOON)?;
        if !output.success() {
            return match output.stderr.to_lowercase().contains("no such") {
                true => Ok(None),
                false => Err(Error::Failed {
                    what: format!("docker {}", ask.join(" ")),
                    code: output.code,
                    said: output.said(),
                }),
            };
        }
        let mut all: Vec<Value> = serde_json::from_str(&output.stdout)
            .map_err(|source| Error::Answer { what: ask.join(" "), source })?;
        Ok(all.pop())
    }

    /// The ids of what carries a label, `key` or `key=value`.
    pub(crate) fn labelled(&self, kind: &str, label: &str) -> Result<Vec<String>, Error> {
        let filter = format!("label={label}");
        let mut ask = vec![kind, "ls", "--quiet", "--filter", &filter];
        if kind == "container" {
            ask.push("--all");
        }
        Ok(self.succeed(&ask)?.lines().map(str::to_owned).collect())
    }

    /// Removes what carries a label: containers with their volumes, networks.
    pub(crate) fn remove_labelled(&self, label: &str) -> Result<(), Error> {
        let ways: [(&str, &[&str]); 3] = [
            ("container", &["container", "rm", "--force", "--volumes"]),
            ("volume", &["volume", "rm", "--force"]),
            ("network", &["network", "rm"]),
        ];
        for (kind, remove) in ways {
            let found = self.labelled(kind, label)?;
            if !found.is_empty() {
                let mut command: Vec<&str> = remove.to_vec();
                command.extend(found.iter().map(String::as_str));
                self.succeed_within(&command, REMOVED_WITHIN)?;
            }
        }
        Ok(())
    }
}
