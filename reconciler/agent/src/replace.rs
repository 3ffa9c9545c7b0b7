//! The agent's own update: the new one has to get through a whole run before it
//! is put in place, and once more in its place; else the old one goes on.
//!
//! Invariants: at the agent's place is always a whole program that has got
//! through a run; a digest that failed is not tried again.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lyceum_core::node::host::{Answer, Cause, HostError};
use lyceum_core::node::report::AgentReport;
use lyceum_core::site::digest_of;
use serde::{Deserialize, Serialize};

use crate::disk::{self, failed};
use crate::keep::Keep;
use crate::machine::programs::{self, Asked};

/// Largest agent in bytes.
pub const LARGEST: u64 = 64 * 1024 * 1024;
/// How often a new agent may start without getting through a run.
const STARTS: u32 = 3;
/// Time for a new agent to say its version, and for its first run.
const VERSION: Duration = Duration::from_secs(10);
const FIRST_RUN: Duration = Duration::from_secs(1800);
const SELF: &str = "/proc/self/exe";

const PREVIOUS: &str = "agent.previous";
const TRIAL: &str = "agent.trial.json";
const REJECTED: &str = "agent.rejected.json";

/// The program that runs.
#[derive(Clone, Debug)]
pub struct Own {
    /// Where it was started from.
    pub path: PathBuf,
    /// SHA-256 of it.
    pub digest: String,
}

/// A new agent that has not got through a run yet.
#[derive(Debug, Serialize, Deserialize)]
struct Trial {
    digest: String,
    starts: u32,
}

/// An agent that is not tried again.
#[derive(Debug, Serialize, Deserialize)]
struct Rejection {
    digest: String,
    why: String,
}

impl Own {
    /// The program that runs.
    pub fn read() -> Answer<Self> {
        let error = |error: io::Error| failed("look at the agent's own program", &error);
        let path = std::fs::read_link(SELF).map_err(error)?;
        // One that was replaced while it ran.
        let text = path.to_string_lossy();
        let path = text.strip_suffix(" (deleted)").map_or(path.clone(), PathBuf::from);
        Ok(Self { path, digest: digest_of(&std::fs::read(SELF).map_err(error)?) })
    }

    /// For the report.
    pub fn report(&self) -> AgentReport {
        AgentReport { version: env!("CARGO_PKG_VERSION").into(), digest: self.digest.clone() }
    }
}

/// Counts the start of an agent on trial; one that started too often without
/// getting through a run gives its place back, and does not come back here.
pub fn begin(keep: &Keep, own: &Own) -> Answer<()> {
    let Some(mut trial) = keep.read::<Trial>(TRIAL)? else { return Ok(()) };
    if trial.digest != own.digest {
        return keep.forget(TRIAL);
    }
    trial.starts += 1;
    if trial.starts <= STARTS {
        return keep.write(TRIAL, &trial);
    }
    let why = format!("it was started {STARTS} times and got through no run");
    tracing::error!("agent {} is given up: {why}", own.digest);
    give_back(keep, own, why)?;
    Err(exec(&own.path))
}

/// The agent got through a run.
pub fn confirm(keep: &Keep) {
    let path = keep.path(PREVIOUS);
    let done = keep.forget(TRIAL).and_then(|()| {
        disk::absent(std::fs::remove_file(&path))
            .map_err(|error| failed(format!("remove {}", path.display()), &error))
    });
    if let Err(error) = done {
        tracing::warn!("{error}");
    }
}

/// Why an agent is not tried.
pub fn rejected(keep: &Keep, digest: &str) -> Option<HostError> {
    let rejection = keep.read::<Rejection>(REJECTED).ok().flatten()?;
    (rejection.digest == digest).then(|| refused(digest, &rejection.why))
}

/// Puts an agent in this one's place and becomes it. Comes back only with an
/// error.
pub async fn put(keep: &Keep, own: &Own, digest: &str, content: &[u8]) -> HostError {
    match prepare(keep, own, digest, content).await {
        Ok(()) => {}
        Err(error) => return error,
    }
    tracing::info!("becoming agent {digest}");
    let error = exec(&own.path);
    // What cannot be started leaves its place at once.
    match give_back(keep, own, error.message.clone()) {
        Ok(()) => error,
        Err(worse) => worse,
    }
}

async fn prepare(keep: &Keep, own: &Own, digest: &str, content: &[u8]) -> Answer<()> {
    let operation = format!("put agent {digest} in place");
    let error = |error: io::Error| failed(operation.clone(), &error);
    let staged = disk::stage(&own.path, content).map_err(error)?;
    std::fs::set_permissions(&staged, std::fs::Permissions::from_mode(0o755)).map_err(error)?;
    if let Err(tried) = try_out(&staged).await {
        let _ = std::fs::remove_file(&staged);
        return Err(match tried {
            Tried::NotNow(why) => HostError::new(Cause::Busy, operation, why),
            Tried::Badly(why) => {
                reject(keep, digest, &why)?;
                refused(digest, &why)
            }
        });
    }
    let present = std::fs::read(SELF).map_err(error)?;
    disk::write(&keep.path(PREVIOUS), &present, 0o700).map_err(error)?;
    keep.write(TRIAL, &Trial { digest: digest.into(), starts: 0 })?;
    disk::commit(&staged, &own.path).map_err(error)
}

/// Why a new agent is not put in place.
enum Tried {
    /// It could not be told.
    NotNow(String),
    /// It does not do.
    Badly(String),
}

/// A program that says its version and gets through a run, as this one is run.
async fn try_out(path: &Path) -> Result<(), Tried> {
    let program = path.to_string_lossy().into_owned();
    let version = Asked::words(&[&program, "--version"], VERSION);
    let ended = programs::run(&version).await.map_err(|error| Tried::Badly(error.message))?;
    if ended.code != 0 {
        let last = programs::tail(&ended.output);
        return Err(Tried::Badly(format!("`--version` ends with {}{last}", ended.code)));
    }
    let mut argv = vec![program];
    argv.extend(std::env::args().skip(1).filter(|word| word != "run"));
    argv.push("once".into());
    let mut once = Asked::of(argv, FIRST_RUN);
    once.env = std::env::vars().collect();
    let ended = programs::run(&once).await.map_err(|error| Tried::Badly(error.message))?;
    let last = programs::tail(&ended.output);
    match ended.code {
        // It got through, whatever became of the steps and checks.
        0 | 3 | 4 => Ok(()),
        1 | 6 => Err(Tried::NotNow(format!("its first run did not begin{last}"))),
        code => Err(Tried::Badly(format!("its first run ends with {code}{last}"))),
    }
}

fn give_back(keep: &Keep, own: &Own, why: String) -> Answer<()> {
    let error = |error: io::Error| failed("put the previous agent back", &error);
    let limit = usize::try_from(LARGEST).unwrap_or(usize::MAX);
    let previous = disk::read(&keep.path(PREVIOUS), limit).map_err(error)?;
    let previous = previous.ok_or_else(|| error(io::ErrorKind::NotFound.into()))?;
    disk::write(&own.path, &previous, 0o755).map_err(error)?;
    let digest = keep.read::<Trial>(TRIAL)?.map(|trial| trial.digest).unwrap_or_default();
    reject(keep, &digest, &why)?;
    keep.forget(TRIAL)
}

fn reject(keep: &Keep, digest: &str, why: &str) -> Answer<()> {
    keep.write(REJECTED, &Rejection { digest: digest.into(), why: why.into() })
}

fn refused(digest: &str, why: &str) -> HostError {
    let message = format!("{why}; the agent before it goes on");
    HostError::new(Cause::Refused, format!("become agent {digest}"), message)
}

fn exec(path: &Path) -> HostError {
    let error = Command::new(path).args(std::env::args_os().skip(1)).exec();
    failed(format!("start {}", path.display()), &error)
}
