//! `lyceum local logs`: a node's journal, or what the cloud's own programs write.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use super::home::{Home, place};
use super::node::Found;
use crate::cli::Exit;
use crate::cli::args::LocalLogsArgs;
use crate::cli::failure::{Failed, Refused};

pub(super) fn run(args: &LocalLogsArgs) -> Result<Exit, Failed> {
    let home = Home::of(&args.cloud.name)?;
    let lines = args.lines.to_string();
    let file = match args.of.as_str() {
        "service" => home.service_log(),
        "keeper" => home.keeper_log(),
        "emulator" => place()?.cache().join("clouds").join(home.name()).join("emulator/log"),
        _ => return journal(args, &lines),
    };
    shown(file, args, &lines)
}

fn journal(args: &LocalLogsArgs, lines: &str) -> Result<Exit, Failed> {
    let found = Found::named(&args.cloud.name, &args.of)?;
    let mut words =
        vec!["exec", found.node.container(), "journalctl", "--no-pager", "--lines", lines];
    if args.follow {
        words.push("--follow");
    }
    Err(found.docker.command(&words).exec()).context("docker does not start")
}

fn shown(file: PathBuf, args: &LocalLogsArgs, lines: &str) -> Result<Exit, Failed> {
    if !file.exists() {
        let what = format!("there is no log of {} of the cloud `{}`", args.of, args.cloud.name);
        return Err(Refused::new(what, "`lyceum local up` brings one up").into());
    }
    let mut tail = Command::new("tail");
    tail.args(["-n", lines]);
    if args.follow {
        // By its name: it may be begun anew.
        tail.arg("-F");
    }
    Err(tail.arg("--").arg(file).exec()).context("tail does not start")
}
