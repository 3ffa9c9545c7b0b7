//! `make bench`: calls, time and memory for 1, 10, 30 and 100 clusters, as the
//! emulator with 10 ms before every answer gives them, and the offline speed of
//! validation. `--clusters 1,10` chooses the numbers.
//!
//! Call rates are raised for it: it measures the program, not AWS's buckets.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use system_tests::emulator::{in_tests, python};
use system_tests::proxy::{Fault, Lent, Rule};
use system_tests::scenario::{Lyceum, Repo, World};

const NUMBERS: &[usize] = &[1, 10, 30, 100];
const OFFLINE: usize = 1_000;
const DELAY: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let numbers = numbers(std::env::args().skip(1))?;
    println!("call rates raised; {DELAY:?} before every answer");
    println!(
        "{:>8}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "clusters", "apply s", "calls", "plan s", "calls", "at most", "peak MiB"
    );
    for number in numbers {
        measure(number)?;
    }
    validate()
}

/// One line: an apply from nothing, and the plan after it.
fn measure(number: usize) -> Result<()> {
    let (repo, world) = (of(number)?, World::lending(Lent::nothing())?);
    let delay = Fault::Latency { base: DELAY, jitter: Duration::ZERO };
    world.proxy.rule(Rule::new("*", delay));
    let program = Lyceum::new(&world.endpoint(), repo.path())?;
    let started = Instant::now();
    program.start(&["apply", "--yes"])?.wait_at_most(Duration::from_secs(1800))?.succeeded()?;
    let (apply, calls) = (started.elapsed(), world.proxy.attempts().len());
    world.proxy.forget_attempts();
    let started = Instant::now();
    let ended = program.run(&["plan", "--format", "json", "--stats", "--detailed-exitcode"])?;
    let plan = started.elapsed();
    let stats = ended.succeeded().context("the plan after an apply is not empty")?.json()?;
    println!(
        "{number:>8}{:>12.2}{calls:>12}{:>12.2}{:>12}{:>12}{:>12}",
        apply.as_secs_f64(),
        plan.as_secs_f64(),
        world.proxy.attempts().len(),
        45 + 8 * number,
        peak(&stats)?
    );
    Ok(())
}

/// Memory at most, in MiB.
fn peak(stats: &Value) -> Result<u64> {
    let bytes = stats["stats"]["peak_rss_bytes"].as_u64();
    Ok(bytes.context("the plan says nothing of its memory")? >> 20)
}

/// A thousand manifests, checked without AWS.
fn validate() -> Result<()> {
    let repo = of(OFFLINE)?;
    let program = Lyceum::new("http://127.0.0.1:9", repo.path())?;
    let output = Command::new(python()?)
        .arg(in_tests("measure.py"))
        .arg(program.binary())
        .args(["validate", "--repo"])
        .arg(repo.path())
        .output()?;
    if !output.status.success() {
        bail!("validate: {}", String::from_utf8_lossy(&output.stderr));
    }
    let cost: Value = serde_json::from_slice(&output.stdout)?;
    let of = |name: &str| cost[name].as_f64().unwrap_or(f64::NAN);
    println!(
        "validate: {OFFLINE} clusters in {:.2} s of CPU (at most 1) and {:.0} MiB (at most 100)",
        of("cpu"),
        of("peak_mib")
    );
    Ok(())
}

/// A repository of so many clusters like the example.
fn of(number: usize) -> Result<Repo> {
    let repo = Repo::of_examples(&["geo-101"])?;
    let example = repo.read("clusters/geo-101/cluster.yaml")?;
    repo.remove("clusters/geo-101")?;
    for place in 0..number {
        let name = format!("bench-{place:04}");
        // /22 ranges, so that a thousand fit without overlap.
        let (second, third) = (place / 64, place % 64 * 4);
        let manifest = example
            .replace("geo-101", &name)
            .replace("10.20.0.0/16", &format!("10.{second}.{third}.0/22"))
            .replace("notebooks.example.edu", &format!("{name}.example.edu"));
        repo.write(&format!("clusters/{name}/cluster.yaml"), &manifest)?;
    }
    repo.commit("Clusters to measure")?;
    Ok(repo)
}

fn numbers(mut arguments: impl Iterator<Item = String>) -> Result<Vec<usize>> {
    match arguments.next().as_deref() {
        None => Ok(NUMBERS.to_vec()),
        Some("--clusters") => {
            let list = arguments.next().context("--clusters needs numbers")?;
            list.split(',').map(|number| Ok(number.parse()?)).collect()
        }
        Some(other) => bail!("{other} is unknown; there is --clusters"),
    }
}
