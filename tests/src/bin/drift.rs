//! `make drift`: everything done behind the program's back, one thing at a
//! time, and the table of what became of it.
//!
//! `--worlds N` runs in N worlds side by side, `--every N` one case in N, `--from
//! N` beginning with another, `--only TEXT` those whose line contains a text.
//! Exits 1 where one was not as it must be.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use system_tests::drift::{Choice, Verdict, coverage, failures, run, table};

fn main() -> Result<ExitCode> {
    let choice = choice(std::env::args().skip(1))?;
    let coverage = coverage()?;
    let verdicts = run(&choice, &tell)?;
    let failed = [coverage.faults.clone(), failures(&verdicts)].concat();
    failed.iter().for_each(|line| eprintln!("{line}\n"));
    print!("{}", table(&verdicts, &coverage));
    let well = failed.is_empty() && !verdicts.is_empty();
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// On standard error, as it goes: the table alone is the result.
fn tell(verdict: &Verdict) {
    eprintln!("{verdict}");
}

fn choice(mut arguments: impl Iterator<Item = String>) -> Result<Choice> {
    let mut choice = Choice { every: 1, from: 0, only: String::new(), shards: 2 };
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--every" => choice.every = value.parse::<usize>()?.max(1),
            "--from" => choice.from = value.parse()?,
            "--only" => choice.only = value,
            "--worlds" => choice.shards = value.parse::<usize>()?.max(1),
            _ => bail!("{name} {value} is unknown; the head of this file says what there is"),
        }
    }
    Ok(choice)
}
