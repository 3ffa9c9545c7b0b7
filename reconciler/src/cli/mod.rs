//! The commands: what is asked, answered and exited with.
//!
//! Owns: arguments, prompts, printing, exit codes. May not: know how anything
//! is done; that is the road's and the service's. Results go to standard
//! output, everything else to standard error.

mod apply;
mod args;
mod ask;
mod destroy;
mod duration;
mod failure;
mod local;
mod output;
mod plan;
mod progress;
mod reference;
mod secret;
mod serve;
mod status;
mod stop;
mod validate;

use std::process::ExitCode;

use clap::Parser;

pub use reference::reference;

use args::{Cli, Command};
use failure::Failed;

/// What a command ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All went well.
    Well,
    /// Something failed, or is wrong; it was said.
    Error,
    /// There are changes, and `--detailed-exitcode` asked to say so.
    Changes,
    /// Stopped by a signal before all was done.
    Stopped,
}

/// Runs the program with the arguments it was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    output::start_log(&cli);
    let exit = run(cli.command).unwrap_or_else(|error| {
        failure::report(&error);
        Exit::Error
    });
    match exit {
        Exit::Well => ExitCode::SUCCESS,
        Exit::Error => ExitCode::from(1),
        Exit::Changes => ExitCode::from(2),
        Exit::Stopped => ExitCode::from(130),
    }
}

/// clap's own code for a wrong call is 2, which here means changes.
fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe is the reader's business.
    error.print().ok();
    if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

fn run(command: Command) -> Result<Exit, Failed> {
    let command = match command {
        Command::Validate(args) => return validate::run(&args),
        Command::Local(command) => return local::run(command),
        command => command,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)?;
    let exit = runtime.block_on(async {
        match command {
            Command::Validate(args) => validate::run(&args),
            Command::Local(command) => local::run(command),
            Command::Plan(args) => plan::run(args).await,
            Command::Apply(args) => apply::run(args).await,
            Command::Destroy(args) => destroy::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Secret(args) => secret::run(args).await,
        }
    });
    // A read that will never end (a fetch, a prompt) must not hold the exit.
    runtime.shutdown_background();
    exit
}
