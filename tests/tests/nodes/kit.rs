//! What the chapters share: the cluster, its people, a clock.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lyceum_local::Node;
use serde_json::Value;
use system_tests::emulator::{browser_python, hub_python, in_tests};
use system_tests::live::{Live, PASSWORD, Report};

pub(crate) type Reports = BTreeMap<String, Report>;

/// A new node, from its launch to its report, on a machine with other work.
pub(crate) const JOINED: Duration = Duration::from_secs(400);
/// So many times its bound is waited for what has one.
pub(crate) const PATIENCE: u32 = 4;
const GLANCE: Duration = Duration::from_millis(500);

/// The cluster, and what of it the chapters tell each other.
pub(crate) struct Story {
    pub(crate) live: Live,
    begun: Instant,
    /// A kernel of linus's, in which `x` is 41, started before anything went wrong.
    pub(crate) kernel: String,
    /// What took longer than it may. The story goes on: its other figures tell
    /// whether it is one of these or the machine.
    late: RefCell<Vec<String>>,
}

impl Story {
    pub(crate) fn begin(live: Live) -> Self {
        let (begun, kernel, late) = (Instant::now(), String::new(), RefCell::default());
        let story = Self { live, begun, kernel, late };
        story.say(&format!("screenshots: {}", shots().display()));
        story
    }

    /// A line for who reads the log.
    pub(crate) fn say(&self, what: &str) {
        println!("[{:>5.0} s] {what}", self.begun.elapsed().as_secs_f32());
    }

    pub(crate) fn took(&self, took: Duration, what: &str) {
        self.say(&format!("{:>7.1} s  {what}", took.as_secs_f32()));
    }

    /// The same for what has a bound; so long it is waited for at most.
    pub(crate) fn took_at_most(&self, bound: Duration, took: Duration, what: &str) {
        self.took(took, what);
        if took > bound {
            self.late.borrow_mut().push(format!("{what}: {took:.1?}, not {bound:?}"));
        }
    }

    pub(crate) fn end(self) {
        self.say("the end");
        let late = self.late.take();
        assert!(late.is_empty(), "too late:\n{}", late.join("\n"));
    }

    /// What a user without a browser does at the hub; gives what it prints.
    pub(crate) fn visit(&self, name: &str, words: &[&str]) -> String {
        self.try_visit(name, words).unwrap_or_else(|error| panic!("{error:#}\n{}", self.troubles()))
    }

    pub(crate) fn try_visit(&self, name: &str, words: &[&str]) -> Result<String> {
        let mut command = Command::new(hub_python()?);
        command.arg(in_tests("cookbooks/visit.py")).args([&self.hub_url()?, name, PASSWORD]);
        said(command.args(words).output()?, &format!("{name} {words:?}"))
    }

    /// What a user with a browser sees at the hub.
    pub(crate) fn browse(&self, name: &str, scene: &str) -> String {
        let mut command = Command::new(browser_python().unwrap());
        command
            .arg(in_tests("browser/person.py"))
            .args([&self.hub_url().unwrap(), name, PASSWORD, scene, "--shots"])
            .arg(shots());
        let begun = Instant::now();
        let seen = said(command.output().unwrap(), &format!("{name} in the browser: {scene}"));
        self.took(begun.elapsed(), &format!("{name} in the browser: {scene}"));
        seen.unwrap_or_else(|error| panic!("{error:#}\n{}", self.troubles()))
    }

    /// A page as anybody gets it.
    pub(crate) fn page(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.try_visit("anybody", &["page", path])?)?)
    }

    /// `x + 1` in linus's kernel, which only the one that was started at first
    /// knows.
    pub(crate) fn kernel_lives(&self) {
        let said = self.visit("linus", &["run", "x + 1", "--kernel", &self.kernel]);
        assert_eq!(said.trim(), "42");
    }

    /// The instance on which a user's server runs.
    pub(crate) fn place_of(&self, name: &str) -> String {
        let hub = self.live.hub().unwrap();
        let tasks = format!(
            "docker service ls -q --filter name=jupyter-{name}- | xargs docker service ps \
             --filter desired-state=running --format '{{{{.Node}}}}'"
        );
        let place = hub.shell(&tasks).unwrap();
        let workers = self.workers();
        assert!(workers.contains(&place), "{name} is on {place:?}, none of {workers:?}");
        place
    }

    /// The workers there are, by instance.
    pub(crate) fn workers(&self) -> BTreeSet<String> {
        self.live.nodes_of("workers").unwrap().iter().map(|node| node.name().to_owned()).collect()
    }

    pub(crate) fn worker(&self, id: &str) -> Node {
        self.live.nodes_of("workers").unwrap().into_iter().find(|one| one.name() == id).unwrap()
    }

    /// Waits until everything is as it should be, with so many workers.
    pub(crate) fn until_whole(&self, workers: usize, within: Duration) -> Duration {
        let what = format!("a hub and {workers} workers ready");
        self.live.until(&what, within, |all| is_whole(all, workers)).unwrap()
    }

    /// Waits until something holds.
    pub(crate) fn until(
        &self,
        what: &str,
        within: Duration,
        mut holds: impl FnMut() -> Result<bool>,
    ) -> Duration {
        let begun = Instant::now();
        loop {
            let held = holds();
            match held {
                Ok(true) => return begun.elapsed(),
                _ if begun.elapsed() > within => {
                    panic!("not within {within:?}: {what}: {held:?}\n{}", self.troubles())
                }
                _ => std::thread::sleep(GLANCE),
            }
        }
    }

    /// For a failed test.
    pub(crate) fn troubles(&self) -> String {
        let hub = self.live.hub().and_then(|hub| {
            Ok(hub.shell(
                "docker node ls; docker service ls; \
                 for s in $(docker service ls -q); do docker service ps --no-trunc $s; done; \
                 docker service logs --tail 40 hub 2>&1",
            )?)
        });
        format!("{}\n{}", hub.unwrap_or_else(|error| format!("{error:#}")), self.live.said())
    }

    fn hub_url(&self) -> Result<String> {
        let hub = self.live.hub()?.address()?.context("the hub has no address")?;
        Ok(format!("https://{hub}"))
    }
}

pub(crate) fn is_whole(reports: &Reports, workers: usize) -> bool {
    let ready = |group: &str| {
        reports.values().filter(|report| report.group() == group && report.ready()).count()
    };
    ready("hub") == 1 && ready("workers") == workers && reports.len() == workers + 1
}

/// It holds of each report of a group.
pub(crate) fn every(reports: &Reports, group: &str, holds: impl Fn(&Report) -> bool) -> bool {
    reports.values().filter(|report| report.group() == group).all(holds)
}

/// Where a person can look at what people saw.
pub(crate) fn shots() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| in_tests("../target"));
    std::path::absolute(target.join("screenshots")).unwrap()
}

fn said(output: Output, what: &str) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        bail!("{what}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}
