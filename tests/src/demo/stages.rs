//! The stages, in the order in which they are played.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Demo;
use super::convergence::{Convergence, has_converged, made};
use super::service::Event;
use crate::proxy::Attempt;

/// Whom things happen to.
const CLUSTER: &str = "geo-101";
const MANIFEST: &str = "clusters/geo-101/cluster.yaml";
/// What the example says, and what it becomes.
const BEFORE: &str = "max: 20";
const AFTER: &str = "max: 30";
const MISTAKE: &str = "maxx: 30";
/// What somebody sets by hand.
const MEDDLED: u32 = 3;
/// Whose folder goes.
const REMOVED: &str = "stats-200";
/// In which a look at AWS asks for networks.
const REGIONS: usize = 2;

impl Demo {
    /// From nothing to what the first commit says.
    pub(super) fn converge(&mut self) -> Result<()> {
        self.screen.stage("From nothing to converged; objects made, ✓ converged")?;
        let head = self.head()?;
        let (clusters, started) = (self.clusters.clone(), Instant::now());
        let mut convergence = Convergence::new(&clusters, &head);
        self.screen.write(&convergence.head())?;
        let mut lines = Ok(());
        let count = loop {
            let next = self.until(0, "every cluster to converge", |events, _| {
                let done = convergence.is_done(events);
                let count: usize = made(events).values().map(|made| made.len()).sum();
                let line = convergence.line(events);
                (done || line.is_some()).then_some((done, count, line))
            })?;
            let (done, count, line) = next;
            lines = lines.and(line.map_or(Ok(()), |line| self.screen.write(&line)));
            if done {
                break count;
            }
        };
        lines?;
        self.time(&format!("from nothing to converged, {count} objects"), started.elapsed());
        let calls = self.world.proxy.attempts().len();
        self.screen.say(&format!("{count} objects in AWS, by {calls} API calls"))?;
        self.world.fidelity(self.repo.path())?;
        self.screen.say("boto3 finds every one, as the manifests say")
    }

    /// Somebody changes AWS past the repository.
    pub(super) fn repair(&mut self) -> Result<()> {
        self.screen.stage("Somebody changes AWS by hand")?;
        let mark = self.mark()?;
        let done = self.outsider.meddle(CLUSTER, MEDDLED)?;
        self.screen.say(&format!("{CLUSTER}: the hub's port 443 is closed"))?;
        self.screen.say(&format!("{CLUSTER}: at most {MEDDLED} workers instead of 20"))?;
        let found = self.until(mark, "the change to be found", |events, _| changing(events))?;
        self.at("a change by hand, found after", found, done)?;
        let repaired = self.until(mark, "the repair", |events, _| {
            let repaired: Vec<Event> =
                events.iter().filter(|one| is_update(one)).cloned().collect();
            (repaired.len() >= 2).then_some(repaired)
        })?;
        for event in &repaired {
            self.screen.say(&format!("  ~ {} ({})", event.address, event.reason))?;
        }
        let last = repaired.last().map_or(done, |event| event.at);
        self.at("a change by hand, repaired after", last, done)?;
        let after = self.outsider.look(CLUSTER)?;
        ensure!(after.open && after.max == Some(20), "not as it was: {after:?}");
        self.screen.say("boto3 finds it as it was")
    }

    /// A commit is carried out.
    pub(super) fn follow(&mut self) -> Result<()> {
        self.screen.stage("A commit: more workers")?;
        self.repo.edit(MANIFEST, BEFORE, AFTER)?;
        self.screen.say(&format!("{MANIFEST}: workers, {BEFORE} becomes {AFTER}"))?;
        let mark = self.mark()?;
        let (revision, done) = self.commit("More workers for the second lab")?;
        let written = self.until(mark, "a write to AWS", |_, calls| first_write(calls))?;
        self.at("a commit, first write to AWS after", written, done)?;
        let clusters = self.clusters.clone();
        let converged = self.until(mark, "the commit to be applied", |events, _| {
            all_converged(events, &clusters, &revision)
        })?;
        self.at("a commit, all clusters converged after", converged, done)?;
        let sight = self.outsider.look(CLUSTER)?;
        ensure!(sight.max == Some(30), "the commit was not applied: {sight:?}");
        self.screen.say("boto3 finds at most 30 workers")
    }

    /// A commit with a mistake changes nothing.
    pub(super) fn hold(&mut self) -> Result<()> {
        self.screen.stage("A commit that does not validate")?;
        self.repo.edit(MANIFEST, AFTER, MISTAKE)?;
        self.screen.say(&format!("{MANIFEST}: a typing mistake, {MISTAKE}"))?;
        let mark = self.mark()?;
        let (revision, done) = self.commit("A mistake")?;
        let reported = self.until(mark, "the mistake to be reported", |events, _| {
            let held = |event: &&Event| {
                event.revision == revision && event.message.contains("does not validate")
            };
            let at = events.iter().find(held)?.at;
            let lines = events.iter().filter(|event| event.revision == revision);
            Some((at, lines.map(|event| event.message.clone()).collect::<Vec<_>>()))
        })?;
        self.at("a mistake, reported after", reported.0, done)?;
        for line in reported.1.iter().flat_map(|message| message.lines()) {
            self.screen.say(&format!("  {line}"))?;
        }
        let writes = self.until(mark, "the next look at AWS", |_, calls| {
            (looks(calls) >= REGIONS).then(|| calls.iter().filter(|call| call.mutating).count())
        })?;
        let sight = self.outsider.look(CLUSTER)?;
        ensure!(writes == 0 && sight.max == Some(30), "{writes} writes, and now {sight:?}");
        self.screen.say("after the next look at AWS: nothing written, still 30 workers")
    }

    /// A cluster's folder goes, and the cluster stays.
    pub(super) fn protect(&mut self) -> Result<()> {
        self.screen.stage("The mistake mended, and a cluster's folder removed")?;
        let before = self.outsider.look(REMOVED)?;
        self.repo.edit(MANIFEST, MISTAKE, AFTER)?;
        self.repo.remove(&format!("clusters/{REMOVED}"))?;
        self.screen.say(&format!("clusters/{REMOVED} is gone from the repository"))?;
        let mark = self.mark()?;
        let (revision, done) = self.commit("The term is over")?;
        let blocked = self.until(mark, "the removal to be blocked", |events, _| {
            let says =
                |event: &&Event| event.cluster == REMOVED && event.message.starts_with("blocked");
            events.iter().find(says).cloned()
        })?;
        self.at("a removed folder, blocked after", blocked.at, done)?;
        self.screen.say(&format!("  {}", blocked.message))?;
        self.clusters.retain(|name| name != REMOVED);
        let clusters = self.clusters.clone();
        self.until(mark, "the other clusters to converge", |events, _| {
            all_converged(events, &clusters, &revision)
        })?;
        let after = self.outsider.look(REMOVED)?;
        let deleted = self.world.proxy.attempts().iter().filter(|call| deletes(call)).count();
        ensure!(after == before && deleted == 0, "{deleted} deleted; {before:?}, now {after:?}");
        let kept = after.objects;
        self.screen.say(&format!("boto3 still finds its {kept} objects of EC2: nothing deleted"))
    }

    fn head(&self) -> Result<String> {
        Ok(self.repo.git(&["rev-parse", "HEAD"])?.trim().to_string())
    }

    /// Commits; the revision, and when that was done.
    fn commit(&self, message: &str) -> Result<(String, Instant)> {
        let revision = self.repo.commit(message)?;
        let done = Instant::now();
        self.screen.say(&format!("$ git commit -m '{message}'"))?;
        Ok((revision, done))
    }

    /// Shows and notes what came about, how long after something else.
    fn at(&mut self, what: &str, time: Instant, since: Instant) -> Result<()> {
        let took = time.checked_duration_since(since).unwrap_or(Duration::ZERO);
        let short = what.split(", ").last().unwrap_or(what);
        self.screen.at(took, short.strip_suffix(" after").unwrap_or(short))?;
        self.time(what, took);
        Ok(())
    }
}

fn changing(events: &[Event]) -> Option<Instant> {
    let begins = |event: &&Event| event.message == "changing" && event.cluster == CLUSTER;
    events.iter().find(begins).map(|event| event.at)
}

fn is_update(event: &Event) -> bool {
    event.message == "done" && event.action == "Update"
}

fn all_converged(events: &[Event], clusters: &[String], revision: &str) -> Option<Instant> {
    clusters.iter().all(|name| has_converged(events, name, revision)).then(Instant::now)
}

fn first_write(calls: &[Attempt]) -> Option<Instant> {
    calls.iter().any(|call| call.mutating).then(Instant::now)
}

/// Lists of networks that were answered: one a region and look.
fn looks(calls: &[Attempt]) -> usize {
    let networks = |call: &&Attempt| call.action == "ec2:DescribeVpcs" && call.outcome.is_some();
    calls.iter().filter(networks).count()
}

fn deletes(call: &Attempt) -> bool {
    call.action.contains(":Delete") || call.action.contains(":Terminate")
}
