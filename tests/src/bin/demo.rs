//! `make demo`: see [`system_tests::demo`]. `--keep` leaves it running until it
//! is interrupted. Exits 1 where a stage does not come about, 130 when it was
//! interrupted before its end.

use std::process::ExitCode;

use anyhow::{Result, bail};
use system_tests::demo::{Interrupt, Interrupted, run};

fn main() -> ExitCode {
    let ended =
        options(std::env::args().skip(1)).and_then(|keep| run(keep, Interrupt::of_signals()?));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("\nthe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: impl Iterator<Item = String>) -> Result<bool> {
    let mut keep = false;
    for argument in arguments {
        match argument.as_str() {
            "--keep" => keep = true,
            other => bail!("{other} is unknown; there is --keep"),
        }
    }
    Ok(keep)
}
