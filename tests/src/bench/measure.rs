//! A process and what it cost: wall time, CPU, the most memory it held.
//!
//! Linux only: the figures are the kernel's, from `/proc`.

use std::fs::{self, File};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::scenario::{Ended, Lyceum};

/// How often the kernel is asked for the most memory so far; also how exact the
/// wall time is.
const GLANCE: Duration = Duration::from_millis(2);
/// In which `/proc` counts CPU time, on every Linux (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;
/// Where `/proc/<pid>/stat` has the user and system time of a process, and
/// where that of its children, in fields counted from 1.
const OWN: usize = 14;
const OF_CHILDREN: usize = 16;

/// What a process cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// User and system, in all its threads; in hundredths of a second.
    pub cpu: Duration,
    /// The most memory it held, in bytes.
    pub peak: u64,
}

/// The CPU time of a running process so far, all its threads.
pub fn cpu_of(id: u32) -> Result<Duration> {
    ticks(&format!("/proc/{id}/stat"), OWN)
}

/// A process that ended, and its cost.
#[derive(Debug)]
pub struct Measured {
    /// What it said.
    pub ended: Ended,
    /// What it cost.
    pub cost: Cost,
}

/// Runs a command to its end, at most for `patience`; fails where it does not
/// succeed. No other child of this process may end meanwhile: its CPU time
/// would count.
pub fn measured(program: &Lyceum, arguments: &[&str], patience: Duration) -> Result<Measured> {
    let folder = TempDir::new()?;
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    let before = cpu_of_children()?;
    let started = Instant::now();
    let mut child = program
        .command(arguments, folder.path())
        .stdin(Stdio::null())
        .stdout(File::create(&stdout)?)
        .stderr(File::create(&stderr)?)
        .spawn()
        .context("the program does not start")?;
    let (status, peak) = watch(&mut child, started + patience)?;
    let cost = Cost { wall: started.elapsed(), cpu: cpu_of_children()? - before, peak };
    let ended = Ended {
        line: format!("lyceum {}", arguments.join(" ")),
        code: status.code(),
        stdout: fs::read_to_string(stdout)?,
        stderr: fs::read_to_string(stderr)?,
    };
    Ok(Measured { ended: ended.succeeded()?, cost })
}

/// Waits for the end of a process, and gives the most memory it held.
fn watch(child: &mut Child, deadline: Instant) -> Result<(ExitStatus, u64)> {
    let mut peak = 0;
    while Instant::now() < deadline {
        // The mark only rises, and goes with the process.
        peak = high_water_mark(child.id()).unwrap_or(peak);
        if let Some(status) = child.try_wait()? {
            return Ok((status, peak));
        }
        thread::sleep(GLANCE);
    }
    child.kill()?;
    child.wait()?;
    bail!("the program was not done in time and was killed");
}

fn high_water_mark(id: u32) -> Option<u64> {
    mark(&fs::read_to_string(format!("/proc/{id}/status")).ok()?)
}

/// The bytes of the line `VmHWM`, which says `2048 kB`.
fn mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The CPU time of all children of this process that have ended.
fn cpu_of_children() -> Result<Duration> {
    ticks("/proc/self/stat", OF_CHILDREN)
}

fn ticks(stat: &str, first: usize) -> Result<Duration> {
    let text = fs::read_to_string(stat).with_context(|| format!("{stat} is missing"))?;
    let ticks = sum(&text, first).with_context(|| format!("{stat} is not as proc(5) says"))?;
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// The sum of two fields, counted from 1. The second is the name of the
/// program, in brackets, and may hold anything.
fn sum(stat: &str, first: usize) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(first - 3);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 99 8 0 0 11 12 30 4 20 0 1 0 5 6 7";
        assert_eq!((sum(stat, OWN), sum(stat, OF_CHILDREN)), (Some(23), Some(34)));
        assert_eq!(mark("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(mark("Name:\tlyceum\n"), None);
        assert!(cpu_of_children().is_ok());
    }

    #[test]
    fn a_process_is_watched_to_its_end_and_no_longer_than_allowed() {
        let sleeping = || std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let mut late = sleeping();
        let error = watch(&mut late, Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("killed"), "{error}");
        assert!(late.try_wait().unwrap().is_some());
        let mut brief = std::process::Command::new("true").spawn().unwrap();
        let (status, _) = watch(&mut brief, Instant::now() + Duration::from_secs(20)).unwrap();
        assert!(status.success());
    }
}
