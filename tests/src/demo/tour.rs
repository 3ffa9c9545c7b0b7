//! `make demo`: a whole cluster on this machine, as `lyceum local up` brings it
//! up, and what makes it more than a script: it mends what somebody changes, and
//! a commit is enough to make another machine join.
//!
//! Owns: the order of the stages, what is shown, and that the cloud ends with it.
//! May not: look into the program; it is called as a person calls it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::interrupt::{Interrupt, Interrupted};
use super::outsider::Outsider;
use super::screen::Screen;
use crate::emulator::{hub_python, in_tests};
use crate::scenario::Lyceum;

/// The cloud's name, and the cluster that `up` makes.
const NAME: &str = "demo";
const CLUSTER: &str = "lab";
const MANIFEST: &str = "clusters/lab/cluster.yaml";
const BEFORE: &str = "{min: 2, max: 4}";
const AFTER: &str = "{min: 3, max: 4}";
/// A stage that takes longer than this will not come about.
const PATIENCE: Duration = Duration::from_secs(300);
const GLANCE: Duration = Duration::from_millis(300);

/// The program, and what it was shown to do.
struct Tour {
    program: PathBuf,
    /// Of its own, so that every demo begins with the same repository.
    state: TempDir,
    screen: Screen,
    interrupt: Interrupt,
    times: Vec<(String, Duration)>,
}

/// Runs it to its end; with `keep` the cloud then stays.
///
/// Errors: a stage did not come about; the cloud is ended all the same.
/// [`Interrupted`], where it was before its end.
pub fn tour(keep: bool, interrupt: Interrupt) -> Result<()> {
    let program = Lyceum::new("", in_tests("").as_path())?.binary().to_path_buf();
    let state = TempDir::with_prefix("lyceum-demo-")?;
    let mut tour = Tour { program, state, screen: Screen::new(), interrupt, times: Vec::new() };
    let played = tour.play();
    if keep && played.is_ok() {
        return tour.stay();
    }
    tour.screen.head("$ lyceum local down")?;
    let ended = tour.call(&["down"]);
    match played {
        Err(_) if tour.interrupt.is_set() => Err(Interrupted.into()),
        played => played.and(ended),
    }
}

impl Tour {
    fn play(&mut self) -> Result<()> {
        let begun = Instant::now();
        self.screen.head("Lyceum: a JupyterHub cluster on this machine, from one commit")?;
        self.screen
            .say("one hub, two workers: containers that boot systemd, with a Docker Swarm")?;
        self.screen.say("of their own; AWS is an emulator, everything else is real")?;
        self.screen.stage("$ lyceum local up")?;
        self.call(&["up"])?;
        self.noted("a cluster from nothing", begun);
        self.work()?;
        self.repair()?;
        self.follow()?;
        self.screen.head("$ lyceum local status")?;
        self.call(&["status"])?;
        self.noted("all of it", begun);
        self.screen.head("Seconds")?;
        for (what, time) in &self.times {
            self.screen.quote(&format!("{what:<56}{:>6.1}", time.as_secs_f64()))?;
        }
        Ok(())
    }

    /// A user signs in and runs a cell, as a browser would.
    fn work(&mut self) -> Result<()> {
        self.screen.stage("Somebody signs in, starts a notebook and runs a cell")?;
        let begun = Instant::now();
        self.visit(&["start"])?;
        self.noted("signed in, a notebook started", begun);
        let begun = Instant::now();
        let said = self.visit(&["run", "import socket; print(socket.gethostname(), 6 * 7)"])?;
        self.noted("a kernel started, a cell run", begun);
        self.screen
            .say(&format!("import socket; print(socket.gethostname(), 6 * 7)  →  {}", said.trim()))
    }

    /// Somebody changes AWS past the repository.
    fn repair(&mut self) -> Result<()> {
        self.screen.stage("Somebody changes AWS by hand")?;
        let outsider = Outsider::new(self.state()?["endpoint"].as_str().unwrap_or_default().into());
        outsider.meddle(CLUSTER, 9)?;
        self.screen.say("the hub's port 443 is closed; at most 9 workers instead of 4")?;
        let begun = Instant::now();
        self.until("the repair", |_| {
            let now = outsider.look(CLUSTER)?;
            Ok(now.open && now.max == Some(4))
        })?;
        self.noted("a change by hand, repaired", begun);
        self.screen.say("boto3 finds it as it was")
    }

    /// A commit, and another machine joins.
    fn follow(&mut self) -> Result<()> {
        self.screen.stage("A commit: one more worker")?;
        let repository = PathBuf::from(self.state()?["repository"].as_str().unwrap_or_default());
        let file = repository.join(MANIFEST);
        let text = std::fs::read_to_string(&file)?;
        if !text.contains(BEFORE) {
            bail!("{} does not say {BEFORE}", file.display());
        }
        std::fs::write(&file, text.replace(BEFORE, AFTER))?;
        self.screen.say(&format!("{MANIFEST}: {BEFORE} becomes {AFTER}"))?;
        let mut git = Command::new("git");
        git.arg("-C").arg(&repository).args([
            "-c",
            "user.name=Demo",
            "-c",
            "user.email=demo@localhost",
        ]);
        let status =
            git.args(["commit", "--quiet", "--all", "--message", "One more worker"]).status();
        if !status.context("git does not start")?.success() {
            bail!("nothing was committed in {}", repository.display());
        }
        let begun = Instant::now();
        let count = |state: &Value, key: &str| state[key].as_array().map_or(0, Vec::len);
        self.until("a machine", |state| Ok(count(state, "nodes") == 4))?;
        self.noted("a commit, a machine launched", begun);
        self.until("the third worker to be ready", |state| {
            let nodes = state["standings"].as_array().into_iter().flatten();
            Ok(nodes.filter(|node| node["standing"] == "good").count() == 4)
        })?;
        self.noted("a commit, the third worker ready for notebooks", begun);
        Ok(())
    }

    fn stay(self) -> Result<()> {
        let program = self.program.display();
        let state = self.state.keep();
        self.screen.head("It stays. To look around:")?;
        // No variable of the shell's gets through sudo.
        let sudo = std::env::var_os("SUDO_UID").map_or("", |_| "sudo ");
        let cache = std::env::var("XDG_CACHE_HOME")
            .map(|cache| format!(" XDG_CACHE_HOME={cache}"))
            .unwrap_or_default();
        let lyceum = format!("{sudo}env XDG_STATE_HOME={}{cache} {program}", state.display());
        self.screen.quote(&format!("alias lyceum='{lyceum}'"))?;
        self.screen.quote(&format!("lyceum local status --name {NAME}"))?;
        self.screen.quote(&format!("lyceum local shell hub --name {NAME}"))?;
        self.screen.head(&format!("To end it: lyceum local down --name {NAME}"))
    }

    fn visit(&self, words: &[&str]) -> Result<String> {
        self.interrupt.check()?;
        let state = self.state()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let address = text(&state["hub"]["address"]);
        let output = Command::new(hub_python()?)
            .arg(in_tests("cookbooks/visit.py"))
            .arg(address.trim_end_matches('/'))
            .args([text(&state["login"]["user"]), text(&state["login"]["password"])])
            .args(words)
            .output()
            .context("the visitor does not start")?;
        if !output.status.success() {
            bail!("{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Calls the program with what it says shown as it says it.
    fn call(&self, words: &[&str]) -> Result<()> {
        let status = self.command(words).status().context("the program does not start")?;
        self.interrupt
            .check()
            .or_else(|error| if words == ["down"] { Ok(()) } else { Err(error) })?;
        if !status.success() {
            bail!("lyceum local {} ended with {status}", words.join(" "));
        }
        Ok(())
    }

    fn state(&self) -> Result<Value> {
        let mut command = self.command(&["status", "--format", "json"]);
        let output = command.stderr(Stdio::null()).output()?;
        let clouds: Value = serde_json::from_slice(&output.stdout).context("no state")?;
        Ok(clouds[0].clone())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let (first, rest) = words.split_first().unwrap_or((&"status", &[]));
        command.args(["local", first, "--name", NAME]).args(rest);
        command.env("XDG_STATE_HOME", self.state.path());
        command
    }

    fn until(&self, what: &str, mut holds: impl FnMut(&Value) -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.interrupt.check()?;
            if holds(&self.state()?)? {
                return Ok(());
            }
            thread::sleep(GLANCE);
        }
        bail!("waited {PATIENCE:?} in vain for {what}")
    }

    fn noted(&mut self, what: &str, since: Instant) {
        let took = since.elapsed();
        // A terminal that is gone fails at the next line that matters.
        self.screen.at(took, what.split(", ").last().unwrap_or(what)).ok();
        self.times.push((what.into(), took));
    }
}
