//! `lyceum local shell`: a shell on a node, or a command there.

use std::io::{IsTerminal, stdin, stdout};
use std::os::unix::process::CommandExt;

use anyhow::Context;

use super::node::Found;
use crate::cli::Exit;
use crate::cli::args::LocalShellArgs;
use crate::cli::failure::Failed;

pub(super) fn run(args: &LocalShellArgs) -> Result<Exit, Failed> {
    let found = Found::named(&args.cloud.name, &args.node)?;
    let mut words = vec!["exec", "--interactive"];
    if stdin().is_terminal() && stdout().is_terminal() {
        words.push("--tty");
    }
    words.push(found.node.container());
    match args.command.is_empty() {
        true => words.extend(["bash", "--login"]),
        false => words.extend(args.command.iter().map(String::as_str)),
    }
    // Its exit code is the command's.
    Err(found.docker.command(&words).exec()).context("docker does not start")
}
