//! What may be asked. The texts here are the reference: `docs/cli.md` is made
//! from them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::duration::duration;

const EXIT_CODES: &str = "\
Exit codes:
  0    all went well
  1    something failed or is wrong; standard error says what
  2    there are changes (`plan --detailed-exitcode` only)
  130  stopped by a signal before all was done

AWS is reached as the AWS SDK's own environment says: AWS_PROFILE, AWS_REGION,
AWS_ENDPOINT_URL, credentials. RUST_LOG sets what is logged; NO_COLOR turns
colour off.";

/// Runs JupyterHub clusters on AWS from a git repository
#[derive(Debug, Parser)]
#[command(name = "lyceum", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Cli {
    /// Log more: once what happens, twice every call
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// How log lines are written to standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(super) log_format: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub(super) command: Command,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check all manifests, without asking AWS anything
    Validate(ValidateArgs),
    /// Show what would change, and why
    Plan(PlanArgs),
    /// Show what would change, ask, and change it
    Apply(ApplyArgs),
    /// Remove clusters: all but what is protected
    Destroy(DestroyArgs),
    /// Follow a repository and keep AWS as it says
    Serve(ServeArgs),
    /// Show how the clusters are
    Status(StatusArgs),
    /// Write the secrets that manifests refer to
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Run a cluster on this machine, without an account
    #[command(subcommand)]
    Local(LocalCommand),
}

/// A repository on this machine.
#[derive(Args, Debug)]
pub(super) struct RepoArgs {
    /// The repository's folder, or one within it
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) repo: PathBuf,
}

/// The node agent.
#[derive(Args, Debug)]
pub(super) struct AgentArgs {
    /// The node agent's file [default: lyceum-agent beside this program]
    #[arg(long, value_name = "FILE")]
    pub(super) agent: Option<PathBuf>,
}

/// Text or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs; its shape is stable
    Json,
}

/// How a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    /// For people
    Text,
    /// For programs; its shape is stable
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// Arguments of `validate`.
#[derive(Args, Debug)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    pub(super) repo: RepoArgs,
    /// A branch, tag or commit instead of the working tree
    #[arg(long, value_name = "REV")]
    pub(super) rev: Option<String>,
    /// How to show what was found
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) repo: RepoArgs,
    /// A branch, tag or commit instead of the working tree
    #[arg(long, value_name = "REV")]
    pub(super) rev: Option<String>,
    /// Only this cluster and what its region shares; may be repeated
    #[arg(long = "cluster", value_name = "NAME")]
    pub(super) clusters: Vec<String>,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
    /// How to show the plan
    #[arg(long, default_value = "text")]
    pub(super) format: PlanFormat,
    /// Exit with 2 when there are changes; what is blocked or unknown is none
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// Add API calls by operation, wall time and peak memory
    #[arg(long)]
    pub(super) stats: bool,
}

/// Arguments of `apply`.
#[derive(Args, Debug)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    pub(super) repo: RepoArgs,
    /// A branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REV", default_value = "HEAD", hide_default_value = true)]
    pub(super) rev: String,
    /// Only this cluster and what its region shares; may be repeated
    #[arg(long = "cluster", value_name = "NAME")]
    pub(super) clusters: Vec<String>,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) execution: ExecutionArgs,
}

/// What `apply` and `destroy` share.
#[derive(Args, Debug)]
pub(super) struct ExecutionArgs {
    /// How long after a lost answer AWS may hide what the call made
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(super) consistency: Duration,
    /// Add API calls by operation, wall time and peak memory
    #[arg(long)]
    pub(super) stats: bool,
}

/// Arguments of `destroy`.
#[derive(Args, Debug)]
pub(super) struct DestroyArgs {
    #[command(flatten)]
    pub(super) repo: RepoArgs,
    /// The cluster to remove; may be repeated
    #[arg(long = "cluster", value_name = "NAME", required = true)]
    pub(super) clusters: Vec<String>,
    /// Look in this region as well, where no manifest names it any more; may be repeated
    #[arg(long = "region", value_name = "REGION")]
    pub(super) regions: Vec<String>,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    /// With --yes: although HEAD still declares the cluster, unsuspended
    #[arg(long, requires = "yes")]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) execution: ExecutionArgs,
}

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// The repository: a folder, or a URL that git can fetch
    #[arg(long, value_name = "DIR|URL", default_value = ".")]
    pub(super) repo: String,
    /// The branch to follow
    #[arg(long, default_value = "main")]
    pub(super) branch: String,
    /// How often everything is looked at although nothing changed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(super) interval: Duration,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
    /// Where copies of remote repositories are kept; may be lost at any time
    /// [default: lyceum in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub(super) cache: Option<PathBuf>,
    /// End when standard input does, as a child that must not outlive its parent
    #[arg(long, hide = true)]
    pub(super) until_input_ends: bool,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub(super) repo: RepoArgs,
    /// A branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REV", default_value = "HEAD", hide_default_value = true)]
    pub(super) rev: String,
    /// Only this cluster; may be repeated
    #[arg(long = "cluster", value_name = "NAME")]
    pub(super) clusters: Vec<String>,
    /// How to show it
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Write a secret from standard input, as an encrypted parameter
    Set(SecretSetArgs),
}

/// Arguments of `secret set`.
#[derive(Args, Debug)]
pub(super) struct SecretSetArgs {
    /// `ssm:/path`, as in a manifest, `/path`, or `<cluster>/<name>`
    pub(super) name: String,
    /// Where it is needed [default: the region of the cluster it belongs to]
    #[arg(long)]
    pub(super) region: Option<String>,
    #[command(flatten)]
    pub(super) repo: RepoArgs,
}

/// What to do with clouds on this machine.
#[derive(Debug, Subcommand)]
pub(super) enum LocalCommand {
    /// Bring a cluster up: everything AWS would be, and a machine for each of its nodes
    Up(LocalUpArgs),
    /// Show the clouds of this machine
    Status(LocalStatusArgs),
    /// Show a node's journal, or a log
    Logs(LocalLogsArgs),
    /// Open a shell on a node, or run a command there
    Shell(LocalShellArgs),
    /// Do something to a node
    Node(LocalNodeArgs),
    /// End a cloud; nothing of it is left
    Down(LocalDownArgs),
    /// What holds a cloud while it is up; `up` starts it
    #[command(hide = true)]
    Keep(LocalKeepArgs),
}

/// Which cloud of this machine.
#[derive(Args, Debug)]
pub(super) struct CloudArgs {
    /// The cloud's name; several stand side by side
    #[arg(long, value_name = "NAME", default_value = "lab")]
    pub(super) name: String,
}

/// Arguments of `local up`.
#[derive(Args, Debug)]
pub(super) struct LocalUpArgs {
    /// The repository's folder [default: one that is made, with a small cluster to change]
    #[arg(long, value_name = "DIR")]
    pub(super) repo: Option<PathBuf>,
    /// The cluster that gets machines [default: the only one there is]
    #[arg(long, value_name = "NAME")]
    pub(super) cluster: Option<String>,
    #[command(flatten)]
    pub(super) cloud: CloudArgs,
    /// The port of this machine at which the hub answers; a free one if it is taken
    #[arg(long, default_value_t = 8443)]
    pub(super) port: u16,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

/// Arguments of `local status`.
#[derive(Args, Debug)]
pub(super) struct LocalStatusArgs {
    /// Only this cloud
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// How to show it
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// Arguments of `local logs`.
#[derive(Args, Debug)]
pub(super) struct LocalLogsArgs {
    /// A node (`hub`, `workers-1`, an instance's id), or `service`, `emulator`, `keeper`
    pub(super) of: String,
    /// Go on showing what is written
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Lines to begin with
    #[arg(short = 'n', long, default_value_t = 200)]
    pub(super) lines: u32,
    #[command(flatten)]
    pub(super) cloud: CloudArgs,
}

/// Arguments of `local shell`.
#[derive(Args, Debug)]
pub(super) struct LocalShellArgs {
    /// The node: `hub`, `workers-1`, or an instance's id
    pub(super) node: String,
    /// A command to run instead of a shell, after `--`
    #[arg(last = true)]
    pub(super) command: Vec<String>,
    #[command(flatten)]
    pub(super) cloud: CloudArgs,
}

/// Arguments of `local node`.
#[derive(Args, Debug)]
pub(super) struct LocalNodeArgs {
    /// The node: `hub`, `workers-1`, or an instance's id
    pub(super) node: String,
    /// What to do to it
    pub(super) deed: Deed,
    /// With `fill`: the folder whose disk is full
    #[arg(long, value_name = "DIR", default_value = "/var/lib/lyceum")]
    pub(super) folder: String,
    /// With `slow`: kilobits it can send in a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    pub(super) kilobits: u32,
    /// With `notice`: how long until it is taken away
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub(super) within: Duration,
    #[command(flatten)]
    pub(super) cloud: CloudArgs,
}

/// What can be done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Deed {
    /// Shut it down in order
    Stop,
    /// Cut its power: every program ends at once
    Kill,
    /// Switch it on again after `stop` or `kill`
    Start,
    /// Cut it off from the network; nobody is told
    Cut,
    /// Leave it a slow line to the network
    Slow,
    /// Fill up a disk of it
    Fill,
    /// End what `cut`, `slow` and `fill` began
    Heal,
    /// Announce a spot interruption, then take it away
    Notice,
}

/// Arguments of `local down`.
#[derive(Args, Debug)]
pub(super) struct LocalDownArgs {
    #[command(flatten)]
    pub(super) cloud: CloudArgs,
    /// Every cloud of this machine
    #[arg(long, conflicts_with = "name")]
    pub(super) all: bool,
}

/// Arguments of `local keep`.
#[derive(Args, Debug)]
pub(super) struct LocalKeepArgs {
    #[command(flatten)]
    pub(super) cloud: CloudArgs,
    /// The repository's folder
    #[arg(long)]
    pub(super) repo: PathBuf,
    /// The cluster that gets machines
    #[arg(long)]
    pub(super) cluster: String,
    /// The node agent's file
    #[arg(long)]
    pub(super) agent: PathBuf,
    /// The port of this machine at which the hub answers
    #[arg(long)]
    pub(super) port: u16,
}
