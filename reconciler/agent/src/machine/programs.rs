//! Programs: run in a process group of their own, for a time, with the end of
//! what they write.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use lyceum_core::node::host::{Answer, Cause, Ended, HostError};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::disk;

/// How much of each of its outputs is kept, from the end.
const KEPT: usize = 16 * 1024;
/// Between asking a program to end and ending it.
const GRACE: Duration = Duration::from_secs(5);
/// How long outputs are read after the end, which a child left behind may hold.
const REST: Duration = Duration::from_millis(500);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program to be run.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment besides the fixed one.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: String,
    /// It is ended after this long.
    pub timeout: Duration,
    /// Keep this much of its output.
    pub kept: usize,
}

impl Asked {
    /// A program in `/` with the fixed environment.
    pub fn of(argv: Vec<String>, timeout: Duration) -> Self {
        Self { argv, env: BTreeMap::new(), cwd: "/".into(), timeout, kept: KEPT }
    }

    /// The same, from words.
    pub fn words(words: &[&str], timeout: Duration) -> Self {
        Self::of(words.iter().map(ToString::to_string).collect(), timeout)
    }

    fn name(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }
}

/// Runs a program to its end.
pub async fn run(asked: &Asked) -> Answer<Ended> {
    let operation = format!("run {}", asked.name());
    let mut child = start(asked, &operation)?;
    let output = child.stdout.take().map(|pipe| end_of(pipe, asked.kept));
    let errors = child.stderr.take().map(|pipe| end_of(pipe, asked.kept));
    let status = match tokio::time::timeout(asked.timeout, child.wait()).await {
        Ok(status) => status.map_err(|error| disk::failed(operation.clone(), &error))?,
        Err(_) => {
            end(&mut child).await;
            let text = collect(output, errors).await;
            let message =
                format!("still running after {} s{}", asked.timeout.as_secs(), tail(&text));
            return Err(HostError::new(Cause::Timeout, operation, message));
        }
    };
    Ok(Ended { code: status.code().unwrap_or(-1), output: collect(output, errors).await })
}

/// The last line, for a message.
pub fn tail(output: &str) -> String {
    match output.trim().lines().last() {
        Some(line) => format!("; its last line: {line}"),
        None => String::new(),
    }
}

fn start(asked: &Asked, operation: &str) -> Answer<Child> {
    if asked.argv.is_empty() {
        return Err(HostError::new(Cause::Invalid, operation, "no program is named"));
    }
    Command::new(asked.name())
        .args(&asked.argv[1..])
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", "/root")
        .envs(&asked.env)
        .current_dir(&asked.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| disk::failed(operation, &error))
}

/// Ends a program and all it started.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let Some(group) = group else { return };
    // It may be gone already, which is what is wanted.
    let _ = kill_process_group(group, Signal::TERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        // One that waits for a disk or a file server does not end even then. It
        // is left behind, and ends with its wait.
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
    } else {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn end_of(mut pipe: impl AsyncRead + Unpin + Send + 'static, kept: usize) -> Reading {
    let (sender, receiver) = tokio::sync::watch::channel(Vec::new());
    let task = tokio::spawn(async move {
        let mut part = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut part).await {
            sender.send_modify(|text: &mut Vec<u8>| {
                text.extend_from_slice(&part[..count]);
                if text.len() > 2 * kept {
                    text.drain(..text.len() - kept);
                }
            });
        }
    });
    Reading { task, receiver, kept }
}

struct Reading {
    task: JoinHandle<()>,
    receiver: tokio::sync::watch::Receiver<Vec<u8>>,
    kept: usize,
}

async fn collect(output: Option<Reading>, errors: Option<Reading>) -> String {
    let mut text = String::new();
    for mut reading in output.into_iter().chain(errors) {
        if tokio::time::timeout(REST, &mut reading.task).await.is_err() {
            reading.task.abort();
        }
        let all = reading.receiver.borrow();
        text.push_str(&String::from_utf8_lossy(&all[all.len().saturating_sub(reading.kept)..]));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn shell(script: &str, timeout: Duration) -> Answer<Ended> {
        run(&Asked::words(&["sh", "-c", script], timeout)).await
    }

    #[tokio::test]
    async fn a_program_ends_with_its_code_and_the_end_of_its_output() {
        let ended = shell("echo out; echo err >&2; exit 7", Duration::from_secs(10)).await;
        assert_eq!(ended, Ok(Ended { code: 7, output: "out\nerr\n".into() }));
        let long = "i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done";
        let ended = shell(long, Duration::from_secs(20)).await.unwrap();
        assert!(ended.output.len() <= KEPT && ended.output.ends_with("line 8999\n"));
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let script = format!("(sleep 3; touch {}) & echo begun; wait", mark.display());
        let began = Instant::now();
        let error = shell(&script, Duration::from_millis(400)).await.unwrap_err();
        assert_eq!(error.cause, Cause::Timeout);
        assert!(error.message.contains("begun"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(3));
        let group = run(&Asked::words(&["pgrep", "-f", &mark.display().to_string()], GRACE)).await;
        assert_eq!(group.map(|ended| ended.code), Ok(1), "something was left running");
    }

    #[tokio::test]
    async fn a_child_left_behind_does_not_hold_the_end() {
        let began = Instant::now();
        let ended = shell("sleep 5 & echo done", Duration::from_secs(10)).await.unwrap();
        assert_eq!(ended.output, "done\n");
        assert!(began.elapsed() < Duration::from_secs(4));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_not_found() {
        let error = run(&Asked::words(&["no-such-program"], GRACE)).await.unwrap_err();
        assert_eq!(error.cause, Cause::NotFound);
    }
}
