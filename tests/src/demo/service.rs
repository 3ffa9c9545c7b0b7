//! `lyceum serve` as a process, and its log as events.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::scenario::{Lyceum, terminate};

/// The service finishes the calls in flight, at most this long.
const GRACE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);
/// Lines of the log that a failure shows.
const SHOWN: usize = 12;

/// A running service. It is told to end, and waited for, when this goes.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    log: PathBuf,
    read: u64,
    events: Vec<Event>,
}

/// A line of its log.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Event {
    /// When it was read.
    #[serde(skip, default = "Instant::now")]
    pub(super) at: Instant,
    /// What happened.
    pub(super) message: String,
    /// In which cluster, or in what a region shares.
    #[serde(default)]
    pub(super) cluster: String,
    /// To which object.
    #[serde(default)]
    pub(super) address: String,
    /// What was done.
    #[serde(default)]
    pub(super) action: String,
    /// Why.
    #[serde(default)]
    pub(super) reason: String,
    /// By which commit.
    #[serde(default)]
    pub(super) revision: String,
}

impl Service {
    /// Starts it on the program's repository, with its log in `folder`.
    pub(super) fn start(program: &Lyceum, interval: &str, folder: &Path) -> Result<Self> {
        let log = folder.join("serve.log");
        let file = File::create(&log)?;
        let child = program
            .command(&["--log-format", "json", "serve", "--interval", interval], folder)
            // Ctrl-C is for the demo, which tells it to end.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("the service does not start")?;
        Ok(Self { child, log, read: 0, events: Vec::new() })
    }

    /// Everything it has said so far; fails where it has ended.
    pub(super) fn events(&mut self) -> Result<&[Event]> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // The last line may still be being written.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        self.events.extend(text[..whole].split(|byte| *byte == b'\n').filter_map(event));
        if let Some(status) = self.child.try_wait()? {
            bail!("the service has ended with {status}\n{}", self.tail());
        }
        Ok(&self.events)
    }

    /// How much it has said: where to go on reading.
    pub(super) fn said(&self) -> usize {
        self.events.len()
    }

    /// The end of its log.
    pub(super) fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    fn end(&mut self) -> Result<()> {
        let deadline = Instant::now() + GRACE;
        if self.child.try_wait()?.is_none() {
            terminate(self.child.id())?;
        }
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(GLANCE);
        }
        bail!("not ended after {GRACE:?}")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.end().is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A line that is not JSON is a note for people.
fn event(line: &[u8]) -> Option<Event> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_and_a_note_is_not() {
        let line = br#"{"level":"INFO","message":"converged","cluster":"a","revision":"1"}"#;
        let event = event(line).unwrap();
        assert_eq!((event.message.as_str(), event.cluster.as_str()), ("converged", "a"));
        assert!(super::event(b"note: no agent").is_none());
    }
}
