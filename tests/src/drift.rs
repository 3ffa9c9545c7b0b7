//! Drift: each owned attribute of each kind changed behind the program's back,
//! one at a time. The table of what is done, and the judgement, are Python's
//! (`tests/drift/`), where boto3 is; here are the worlds it is done in.
//!
//! A world belongs to one shard, so that shards run beside each other.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::dying::KNOWN_GAPS;
use crate::emulator::{in_tests, python};
use crate::scenario::{Lyceum, Repo, World};

/// The cluster that drifts, and one that only reports what does.
const CLUSTERS: [&str; 2] = ["geo-101", "stats-200"];

/// Which cases are run.
#[derive(Clone, Debug)]
pub struct Choice {
    /// One in so many, and at least one of every kind; all where it is 1.
    pub every: usize,
    /// The first that is taken.
    pub from: usize,
    /// Only those whose line contains this.
    pub only: String,
    /// Worlds side by side.
    pub shards: usize,
}

/// What became of a case.
#[derive(Clone, Debug, Deserialize)]
pub struct Verdict {
    /// What was done to what.
    pub case: String,
    /// The kind it was done to.
    pub kind: String,
    /// What the program must make of it: `repaired`, `ignored`, …
    pub expect: String,
    /// Seconds it took.
    pub seconds: f64,
    /// What it made of it instead.
    pub error: Option<String>,
}

/// How the table stands to the kinds' own lists of attributes.
#[derive(Clone, Debug, Deserialize)]
pub struct Coverage {
    /// Cases in all.
    pub cases: usize,
    /// Attributes in neither list, in both, or of no kind.
    pub faults: Vec<String>,
    /// What cannot be tried here.
    pub not_coverable: Vec<Excuse>,
}

/// An attribute that cannot be tried here.
#[derive(Clone, Debug, Deserialize)]
pub struct Excuse {
    /// Of which kind.
    pub kind: String,
    /// Its name.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Reads the table and the kinds' sources.
pub fn coverage() -> Result<Coverage> {
    let output = suite(&["--coverage"])?;
    serde_json::from_slice(&output.stdout).with_context(|| told(&output))
}

/// Runs what was chosen, and tells of each case as it ends; fails where a shard
/// could not start or end.
pub fn run(choice: &Choice, tell: &(dyn Fn(&Verdict) + Sync)) -> Result<Vec<Verdict>> {
    std::thread::scope(|scope| {
        let shards: Vec<_> = (1..=choice.shards)
            .map(|shard| scope.spawn(move || run_shard(choice, shard, tell)))
            .collect();
        let mut verdicts = Vec::new();
        for shard in shards {
            let found = shard.join().map_err(|_| anyhow::anyhow!("a shard panicked"))??;
            verdicts.extend(found);
        }
        Ok(verdicts)
    })
}

/// A line a kind, then what went wrong and what was not tried.
pub fn table(verdicts: &[Verdict], coverage: &Coverage) -> String {
    let mut rows: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for verdict in verdicts {
        let row = rows.entry((&verdict.kind, &verdict.expect)).or_default();
        row.0 += usize::from(verdict.error.is_none());
        row.1 += 1;
    }
    let mut text = String::new();
    for ((kind, expect), (well, all)) in rows {
        let _ = writeln!(text, "{kind:<20}{expect:<10}{well:>4}/{all}");
    }
    let well = verdicts.iter().filter(|verdict| verdict.error.is_none()).count();
    let _ = writeln!(
        text,
        "{well} of {} as they must be; {} cases in the table, {} attributes not coverable here:",
        verdicts.len(),
        coverage.cases,
        coverage.not_coverable.len()
    );
    for (reason, names) in excuses(coverage) {
        let _ = writeln!(text, "  {reason}: {}", names.join(", "));
    }
    text
}

/// The errors of those that went wrong.
pub fn failures(verdicts: &[Verdict]) -> Vec<String> {
    let failed = |verdict: &Verdict| {
        let error = verdict.error.as_ref()?;
        Some(format!("{} ({}): {error}", verdict.case, verdict.expect))
    };
    verdicts.iter().filter_map(failed).collect()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.error.is_none() { "ok" } else { "FAILED" };
        write!(f, "{word:<8}{:<10}{} ({:.1} s)", self.expect, self.case, self.seconds)
    }
}

fn run_shard(
    choice: &Choice,
    shard: usize,
    tell: &(dyn Fn(&Verdict) + Sync),
) -> Result<Vec<Verdict>> {
    let (world, repo) = (World::new()?, repository()?);
    let program = Lyceum::new(&world.endpoint(), repo.path())?;
    let mut child = command()?
        .args(["--endpoint", &world.endpoint(), "--backdoor", &world.backdoor()])
        .arg("--program")
        .arg(program.binary())
        .arg("--repo")
        .arg(repo.path())
        .args(["--shard", &format!("{shard}/{}", choice.shards), "--only", &choice.only])
        .args(["--every", &choice.every.to_string(), "--from", &choice.from.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("the suite does not start")?;
    let lines = BufReader::new(child.stdout.take().context("the suite has no output")?).lines();
    let mut verdicts = Vec::new();
    for line in lines {
        let line = line?;
        let verdict: Verdict = serde_json::from_str(&line).context(line)?;
        tell(&verdict);
        verdicts.push(verdict);
    }
    let wrong = verdicts.iter().any(|verdict: &Verdict| verdict.error.is_some());
    if child.wait()?.success() == wrong {
        bail!("shard {shard} ended early\n{}", world.log());
    }
    for action in world.proxy.unimplemented() {
        if !KNOWN_GAPS.contains(&action.as_str()) {
            bail!("{action} is not implemented");
        }
    }
    Ok(verdicts)
}

fn repository() -> Result<Repo> {
    let repo = Repo::of_examples(&CLUSTERS)?;
    repo.edit("clusters/stats-200/cluster.yaml", "\nspec:\n", "\nspec:\n  drift: report\n")?;
    repo.commit("One that only reports drift")?;
    Ok(repo)
}

fn excuses(coverage: &Coverage) -> BTreeMap<&str, Vec<String>> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Excuse { kind, path, reason } in &coverage.not_coverable {
        by_reason.entry(reason).or_default().push(format!("{kind} {path}"));
    }
    by_reason
}

fn suite(arguments: &[&str]) -> Result<Output> {
    command()?.args(arguments).output().context("the suite does not start")
}

/// The suite's command; what it says on standard error is everybody's.
fn command() -> Result<Command> {
    let mut command = Command::new(python()?);
    command.arg(in_tests("drift/suite.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

fn told(output: &Output) -> String {
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    format!("{}\n{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_counts_and_names_what_is_not_tried() {
        let verdict = |error: Option<&str>| Verdict {
            case: "geo-101/vpc/main tags: renamed".into(),
            kind: "vpc".into(),
            expect: "repaired".into(),
            seconds: 1.0,
            error: error.map(String::from),
        };
        let excuse =
            Excuse { kind: "vpc".into(), path: "cidr".into(), reason: "it is fixed".into() };
        let coverage = Coverage { cases: 9, faults: vec![], not_coverable: vec![excuse] };
        let verdicts = [verdict(None), verdict(Some("nothing is planned"))];
        let table = table(&verdicts, &coverage);
        assert!(table.contains("1/2") && table.contains("it is fixed: vpc cidr"), "{table}");
        assert_eq!(failures(&verdicts).len(), 1);
    }
}
