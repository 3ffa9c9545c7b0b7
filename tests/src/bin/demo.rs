//! `make demo`: see [`system_tests::demo`]. `--keep` leaves what it shows running,
//! `--aws` shows the AWS half alone, on all example clusters. Exits 1 where a stage
//! does not come about, 130 when it was interrupted before its end.

use std::process::ExitCode;

use anyhow::{Result, bail};
use system_tests::demo::{Interrupt, Interrupted, run, tour};

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("\nthe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<()> {
    let (mut keep, mut aws) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--keep" => keep = true,
            "--aws" => aws = true,
            other => bail!("{other} is unknown; there are --keep and --aws"),
        }
    }
    let interrupt = Interrupt::of_signals()?;
    if aws { run(keep, interrupt) } else { tour(keep, interrupt) }
}
