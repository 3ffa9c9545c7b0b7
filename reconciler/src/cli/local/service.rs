//! The service as a child of the keeper: `lyceum serve`, pointed at the emulator,
//! started again when it ends. It ends with its parent, however that ends.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use lyceum_local::Alive;

use super::state;
use crate::cli::failure::Failed;

/// How often everything is looked at although nothing changed.
const INTERVAL: &str = "10s";
/// Between the end of one and the start of the next.
const PAUSE: Duration = Duration::from_secs(1);
/// It lets the calls in flight end.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// The service.
#[derive(Debug)]
pub(super) struct Service {
    /// Found once: a program that is built anew meanwhile has no path of its own.
    program: PathBuf,
    repository: PathBuf,
    branch: String,
    agent: PathBuf,
    log: PathBuf,
    endpoint: String,
    child: Child,
    starts: u32,
    ended: Option<Instant>,
}

impl Service {
    /// Starts it for a branch of a repository, with this agent for its nodes.
    pub(super) fn start(
        (repository, branch): (&Path, &str),
        agent: &Path,
        log: &Path,
        endpoint: &str,
    ) -> Result<Self, Failed> {
        let program = std::env::current_exe()?;
        let child = spawn(command(&program, (repository, branch), agent, endpoint), log)?;
        Ok(Self {
            program,
            repository: repository.into(),
            branch: branch.into(),
            agent: agent.into(),
            log: log.into(),
            endpoint: endpoint.into(),
            child,
            starts: 1,
            ended: None,
        })
    }

    /// Starts it again if it has ended.
    pub(super) fn tend(&mut self) -> Result<(), Failed> {
        match (self.child.try_wait()?, self.ended) {
            (Some(status), None) => {
                tracing::warn!(%status, "the service has ended");
                self.ended = Some(Instant::now());
            }
            (Some(_), Some(since)) if since.elapsed() >= PAUSE => {
                let of = (self.repository.as_path(), self.branch.as_str());
                let again = command(&self.program, of, &self.agent, &self.endpoint);
                self.child = spawn(again, &self.log)?;
                self.starts += 1;
                self.ended = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// As it is written down.
    pub(super) fn state(&self) -> state::Service {
        state::Service { alive: Alive::of(self.child.id()), starts: self.starts }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The end of its input asks it to end.
        self.child.stdin.take();
        let asked = Instant::now();
        while asked.elapsed() < ENDS_WITHIN {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(GLANCE);
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn command(
    program: &Path,
    (repository, branch): (&Path, &str),
    agent: &Path,
    endpoint: &str,
) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", "--until-input-ends", "--interval", INTERVAL]);
    command.arg("--repo").arg(repository).args(["--branch", branch]);
    command.arg("--agent").arg(agent);
    command.env_remove("AWS_PROFILE").envs(environment(endpoint));
    // Signals are for the keeper, which ends it in order.
    command.process_group(0);
    command
}

/// What a program of this machine needs to find AWS in the emulator.
pub(super) fn environment(endpoint: &str) -> [(&'static str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "lyceum"),
        ("AWS_SECRET_ACCESS_KEY", "lyceum"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

fn spawn(mut command: Command, log: &Path) -> Result<Child, Failed> {
    let log = File::options().create(true).append(true).open(log)?;
    let errors = log.try_clone()?;
    let command = command.stdin(Stdio::piped()).stdout(log).stderr(errors);
    command.spawn().context("the service does not start")
}
