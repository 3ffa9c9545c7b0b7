//! The commands: what is asked, answered and exited with.
//!
//! Owns: arguments, printing, exit codes. May not: know how anything is done.
//!
//! Exit codes: 0 all is as it should be; 1 it could not be told; 2 the command
//! was not understood; 3 a step failed; 4 a check does not hold; 5 a dry run
//! found something to do; 6 another run goes on.

mod show;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand, ValueEnum};
use lyceum_core::node::converge::Mode;
use lyceum_core::node::host::{Cause, HostError};
use lyceum_core::node::report::{AgentReport, NodeReport, StepOutcome, StepReport};
use tokio::runtime::{Builder, Runtime};

use crate::aws::Endpoints;
use crate::follow::Node;
use crate::http::Names;
use crate::keep::{self, Keep};
use crate::life;
use crate::local::{self, LocalError};
use crate::machine::Machine;
use crate::machine::cluster::Surroundings;
use crate::replace::{self, Own};
use crate::round::{self, Round, Stop};
use crate::settings::{self, Settings, SettingsError};
use crate::{facts, http};

/// The environment's variable with what is logged: `error`, `warn`, `info`,
/// `debug`.
const LOG: &str = "LYCEUM_LOG";

/// The node agent of Lyceum: makes a machine what its cluster's roles say.
#[derive(Parser, Debug)]
#[command(name = "lyceum-agent", version, about, after_help = EXITS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Where the agent keeps what outlives it
    #[arg(long, global = true, value_name = "DIR", default_value = keep::DIRECTORY)]
    state: PathBuf,
    /// What the node was told when it first booted
    #[arg(long, global = true, value_name = "FILE", default_value = settings::FILE)]
    settings: PathBuf,
}

const EXITS: &str = "Exit codes: 0 as it should be, 1 it could not be told, 2 wrong usage, \
3 a step failed, 4 a check does not hold, 5 a dry run found something to do, 6 another run goes on";

#[derive(Subcommand, Debug)]
enum Command {
    /// Follow the cluster's pointer and keep the node as it says
    Run,
    /// Converge once
    Once(Once),
    /// Run the checks; change nothing
    Check(Check),
    /// Print what the node last reported
    Report(Report),
}

#[derive(Args, Debug)]
struct Once {
    /// Only say what differs
    #[arg(long)]
    dry_run: bool,
    /// Seconds to wait for a run that goes on
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    #[command(flatten)]
    alone: Alone,
    #[command(flatten)]
    output: Output,
}

#[derive(Args, Debug)]
struct Check {
    #[command(flatten)]
    alone: Alone,
    #[command(flatten)]
    output: Output,
}

#[derive(Args, Debug)]
struct Report {
    #[command(flatten)]
    output: Output,
}

/// Without a cluster: roles from this machine.
#[derive(Args, Debug)]
struct Alone {
    /// A folder of roles, or a packed bundle, instead of the cluster's
    #[arg(long, value_name = "PATH")]
    bundle: Option<PathBuf>,
    /// `roles`, `attributes` by role, `cluster`: YAML or JSON
    #[arg(long, value_name = "FILE", requires = "bundle")]
    target: Option<PathBuf>,
    /// A role, after those of the target; may be repeated
    #[arg(long, value_name = "NAME", requires = "bundle")]
    role: Vec<String>,
    /// Facts over those of the machine: YAML or JSON
    #[arg(long, value_name = "FILE", requires = "bundle")]
    facts: Option<PathBuf>,
    /// Parameters, absolute name to value: YAML or JSON; written where a role
    /// publishes one. `peer:i-1: ready` stands in for another node's report
    #[arg(long, value_name = "FILE", requires = "bundle")]
    parameters: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Output {
    /// Text or JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Well,
    StepFailed,
    CheckFailed,
    WouldChange,
}

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot begin")]
    Begin(#[source] std::io::Error),
    #[error("there is no report yet: no run has ended")]
    NoReport,
}

/// The program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log();
    match go(cli) {
        Ok(Exit::Well) => ExitCode::SUCCESS,
        Ok(Exit::StepFailed) => ExitCode::from(3),
        Ok(Exit::CheckFailed) => ExitCode::from(4),
        Ok(Exit::WouldChange) => ExitCode::from(5),
        Err(error) => {
            let (mut code, mut hint) = (1, None);
            if let Failed::Host(error) = &error {
                hint = Some(error.cause.hint());
                code = if error.cause == Cause::Busy { 6 } else { 1 };
            }
            eprintln!("error: {}", http::chain(&error));
            if let Some(hint) = hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(code)
        }
    }
}

/// To standard error, which is the journal's under systemd.
fn log() {
    let level = std::env::var(LOG).ok().and_then(|level| level.parse().ok());
    let level: tracing::Level = level.unwrap_or(tracing::Level::INFO);
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_target(false)
        .with_ansi(!journal && std::io::stderr().is_terminal());
    // The journal has the time.
    if journal { lines.without_time().init() } else { lines.init() }
}

fn go(cli: Cli) -> Result<Exit, Failed> {
    // One thread beside this one: for signals, and what speaks D-Bus.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failed::Begin)?;
    let place = Place { runtime, keep: Keep::at(&cli.state)?, settings: cli.settings };
    match cli.command {
        Command::Run => place.run(),
        Command::Once(once) => place.once(&once),
        Command::Check(check) => place.check(&check),
        Command::Report(report) => place.report(&report),
    }
}

/// Where commands are carried out.
struct Place {
    runtime: Runtime,
    keep: Keep,
    settings: PathBuf,
}

impl Place {
    fn run(self) -> Result<Exit, Failed> {
        // First of all: whatever goes wrong from here on is counted.
        let own = Own::read()?;
        replace::begin(&self.keep, &own)?;
        let node = self.node_of(own)?;
        life::run(node, &self.runtime)?;
        Ok(Exit::Well)
    }

    fn once(&self, once: &Once) -> Result<Exit, Failed> {
        let mode = if once.dry_run { Mode::DryRun } else { Mode::Apply };
        let _lock = self.keep.lock(Duration::from_secs(once.wait))?;
        let report = match &once.alone.bundle {
            Some(path) => self.alone(path, &once.alone, Some(mode))?,
            None => {
                let mut node = self.node()?;
                let _ = node.look();
                node.converge(mode, &Stop::default())
            }
        };
        Ok(print(&report, once.output.format, mode))
    }

    fn check(&self, check: &Check) -> Result<Exit, Failed> {
        let report = match &check.alone.bundle {
            Some(path) => self.alone(path, &check.alone, None)?,
            None => self.node()?.check(),
        };
        Ok(print(&report, check.output.format, Mode::Apply))
    }

    fn report(&self, report: &Report) -> Result<Exit, Failed> {
        let kept = self.keep.report()?.ok_or(Failed::NoReport)?;
        Ok(print(&kept, report.output.format, Mode::Apply))
    }

    fn node(&self) -> Result<Node, Failed> {
        self.node_of(Own::read()?)
    }

    fn node_of(&self, own: Own) -> Result<Node, Failed> {
        let settings = Settings::read(&self.settings)?;
        let (runtime, keep) = (self.runtime.handle().clone(), self.keep.clone());
        let endpoints = Endpoints::here(&self.settings.with_file_name(settings::ENVIRONMENT));
        Ok(Node::new(runtime, keep, settings, &endpoints, own)?)
    }

    /// Roles from this machine; without a mode their checks alone.
    fn alone(&self, path: &Path, alone: &Alone, mode: Option<Mode>) -> Result<NodeReport, Failed> {
        let target = local::target(alone.target.as_deref(), &alone.role)?;
        let bundle = local::bundle(path, &target.roles)?;
        let facts = local::facts(facts::of_machine(), alone.facts.as_deref())?;
        let mut machine = Machine::new(
            self.runtime.handle().clone(),
            self.keep.clone(),
            Arc::new(Names::default()),
            Surroundings::Alone(alone.parameters.clone()),
        )?;
        let wish = (&bundle, &target);
        let round = match mode {
            Some(mode) => round::converge(&mut machine, &facts, wish, mode, &Stop::default()),
            None => round::check(&mut machine, &facts, wish),
        };
        Ok(of_round(round, facts))
    }
}

fn of_round(round: Round, facts: lyceum_core::node::facts::Facts) -> NodeReport {
    NodeReport {
        ready: round.converged() && round.holds(),
        facts,
        agent: AgentReport { version: env!("CARGO_PKG_VERSION").into(), ..AgentReport::default() },
        took_ms: u64::try_from(round.took.as_millis()).unwrap_or(u64::MAX),
        steps: round.steps,
        checks: round.checks,
        left_out: 0,
        sessions: round.sessions,
        ..NodeReport::default()
    }
}

fn print(report: &NodeReport, format: Format, mode: Mode) -> Exit {
    match format {
        Format::Text => {
            let now = keep::seconds(SystemTime::now());
            print!("{}", show::text(report, mode, now));
        }
        Format::Json => println!("{}", show::json(report)),
    }
    let would = |step: &StepReport| matches!(step.outcome, StepOutcome::Would { .. });
    if !report.converged() {
        Exit::StepFailed
    } else if report.checks.iter().any(|check| !check.holds) {
        Exit::CheckFailed
    } else if mode == Mode::DryRun && report.steps.iter().any(would) {
        Exit::WouldChange
    } else {
        Exit::Well
    }
}
