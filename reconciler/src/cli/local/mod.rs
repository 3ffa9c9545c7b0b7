//! `lyceum local`: a cloud on this machine, its cluster, and what can be done to
//! its nodes.
//!
//! A cloud is held by one process of its own, the keeper, which `up` starts and
//! `down` ends; every other command looks at what the keeper writes down and asks
//! Docker. Owns: that process, the folder in which it writes, what a person is
//! shown. May not: know how a cluster is made; that is the service's, which runs
//! here as anywhere.

mod certificate;
mod down;
mod example;
mod home;
mod keeper;
mod lacks;
mod logs;
mod node;
mod orders;
mod python;
mod service;
mod shelf;
mod shell;
mod state;
mod status;
mod up;

use super::Exit;
use super::args::LocalCommand;
use super::failure::Failed;

pub(super) fn run(command: LocalCommand) -> Result<Exit, Failed> {
    match command {
        LocalCommand::Up(args) => up::run(args),
        LocalCommand::Status(args) => status::run(&args),
        LocalCommand::Logs(args) => logs::run(&args),
        LocalCommand::Shell(args) => shell::run(&args),
        LocalCommand::Node(args) => node::run(&args),
        LocalCommand::Down(args) => down::run(&args),
        LocalCommand::Keep(args) => keeper::run(args),
    }
}

/// A runtime for the few calls that need one.
fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}
