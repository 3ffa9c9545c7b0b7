//! A cloud's name of one's own, and the program called with it.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::scenario::{Lyceum, at_terminal};
use tempfile::TempDir;

use crate::SOON;

const GLANCE: Duration = Duration::from_millis(200);

/// A cloud of this machine, ended with this value.
pub(crate) struct Local {
    pub(crate) name: String,
    pub(crate) folder: TempDir,
    program: PathBuf,
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Local {
    pub(crate) fn new(name: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let program = Lyceum::new("", folder.path()).unwrap().binary().to_path_buf();
        Self { name: format!("{name}-{}", std::process::id()), folder, program }
    }

    /// Where its state is.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("state/lyceum/local").join(&self.name)
    }

    /// Begins `lyceum local …`.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// Begins it, and gives what it prints as it comes.
    pub(crate) fn follow(&self, words: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
        let mut child =
            self.command(words).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    }

    /// Runs it at a terminal; gives what that shows.
    pub(crate) fn at_terminal(&self, words: &[&str]) -> Ran {
        wait(at_terminal(&self.command(words)), self.folder.path(), SOON)
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_within(words, SOON)
    }

    pub(crate) fn run_within(&self, words: &[&str], within: Duration) -> Ran {
        wait(self.command(words), self.folder.path(), within)
    }

    /// Where no program is found, and nothing was ever kept.
    pub(crate) fn bare(&self, words: &[&str]) -> Ran {
        let mut command = self.command(words);
        command.env("PATH", "/nowhere").env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        wait(command, self.folder.path(), SOON)
    }

    /// What `status --format json` says; null where there is none.
    pub(crate) fn state(&self) -> Value {
        let said = self.run(&["status", "--format", "json"]).out;
        let clouds: Value = serde_json::from_str(&said).unwrap_or_default();
        clouds[0].clone()
    }

    pub(crate) fn id_of(&self, name: &str) -> String {
        let nodes = self.state()["nodes"].clone();
        let found = nodes.as_array().unwrap().iter().find(|node| node["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {nodes:#}"))["id"].as_str().unwrap().into()
    }

    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < SOON * 2, "waited in vain for {what}: {:#}", self.state());
            std::thread::sleep(GLANCE);
        }
    }

    pub(crate) fn signal(&self, id: &Value, name: &str) {
        let sent = Command::new("kill").args(["-s", name, "--", &id.to_string()]).status();
        assert!(sent.unwrap().success(), "{id} cannot be sent {name}");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let (first, rest) = words.split_first().unwrap();
        command.args(["local", first, "--name", &self.name]).args(rest);
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "{}",
                std::fs::read_to_string(self.home().join("keeper.log")).unwrap_or_default()
            );
        }
        self.command(&["down"]).status().unwrap();
    }
}

impl Ran {
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }
}

/// Its output goes to files: what it leaves running may hold a pipe open.
fn wait(mut command: Command, folder: &Path, within: Duration) -> Ran {
    let own = tempfile::tempdir_in(folder).unwrap();
    let file = |name: &str| File::create(own.path().join(name)).unwrap();
    let mut child =
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap();
    let begun = Instant::now();
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if begun.elapsed() > within => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(GLANCE / 10),
        }
    };
    let text = |name: &str| std::fs::read_to_string(own.path().join(name)).unwrap_or_default();
    Ran { code, out: text("out"), err: text("err") }
}
