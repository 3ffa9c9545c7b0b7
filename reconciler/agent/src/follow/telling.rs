//! What a node says of itself: its report, and when that is news.

use std::time::{Duration, Instant, SystemTime};

use lyceum_core::node::converge::Mode;
use lyceum_core::node::host::{Cause, Docker, HostError};
use lyceum_core::node::report::{NodeReport, PointerReport, StepOutcome, TargetReport};
use lyceum_core::node::step::SESSION_LABEL;

use super::{Node, Wish};
use crate::keep;
use crate::round::Round;

/// A report that says the same is written this often.
const REPORT: Duration = Duration::from_secs(25);
/// The way out where another agent does not do.
const OTHER_AGENT: &str =
    "give `lyceum` an agent that runs on this node, with `--agent` or beside it, and apply again";

impl Node {
    /// Counts the notebook servers and reports them if that is news.
    pub fn count(&mut self) {
        if let Ok(sessions) = self.machine.running_with_label(SESSION_LABEL) {
            self.report.sessions = sessions;
        }
        self.report.pointer = self.pointer_report();
        self.tell();
    }

    /// What stands in the way besides the steps, each by its name, once.
    pub(super) fn set_trouble(&mut self, id: &str, error: Option<&HostError>) {
        self.trouble.retain(|step| step.id != id);
        if let Some(error) = error {
            let hint = match (id, error.cause) {
                ("agent", Cause::Refused) => OTHER_AGENT,
                (_, cause) => cause.hint(),
            };
            self.trouble.extend(Round::failed(id, error.cause, error.to_string(), hint).steps);
        }
    }

    pub(super) fn report_of(&self, round: Round, began: SystemTime, mode: Mode) -> NodeReport {
        let mut steps = self.trouble.clone();
        let ready = round.converged() && round.holds() && steps.is_empty() && self.wish.is_some();
        steps.extend(round.steps);
        let attempted = self.wish.as_ref().map(|wish| self.target_report(wish));
        let applied = if ready && mode == Mode::Apply {
            attempted.clone()
        } else {
            self.report.applied.clone()
        };
        NodeReport {
            facts: self.report.facts.clone(),
            agent: self.own.report(),
            pointer: self.pointer_report(),
            attempted,
            applied,
            steps,
            checks: round.checks,
            left_out: 0,
            ready,
            sessions: round.sessions,
            started: keep::seconds(began),
            took_ms: u64::try_from(round.took.as_millis()).unwrap_or(u64::MAX),
            next: self.report.next,
        }
    }

    /// Nodes that wait for their wave stay at the commit they had.
    pub(super) fn target_report(&self, wish: &Wish) -> TargetReport {
        let target = wish.target.digest();
        let before = self.report.applied.iter().chain(&self.report.attempted);
        let waits = wish.body.previous.is_some() && wish.target != wish.body.target;
        let known = before.filter(|_| waits).find(|report| report.target == target);
        let revision = known.map_or(&wish.pointer.revision, |report| &report.revision);
        TargetReport { revision: revision.clone(), target, bundle: wish.target.bundle.clone() }
    }

    pub(super) fn pointer_report(&self) -> PointerReport {
        PointerReport {
            sequence: self.wish.as_ref().map_or(0, |wish| wish.pointer.sequence),
            seen: if self.wish.is_some() { self.keep.pointer_seen() } else { 0 },
            refused: self.refused.clone(),
        }
    }

    pub(super) fn no_pointer(&self) -> Round {
        let bucket = &self.settings.bucket;
        let error = match self.refused.as_str() {
            "" => format!("no pointer of this node's group was ever taken from {bucket}"),
            refused => {
                format!("no pointer was ever taken, and the one there is refused: {refused}")
            }
        };
        let hint = "`lyceum apply` writes it; until then there is nothing to do";
        Round::failed("pointer", Cause::NotFound, error, hint)
    }

    /// Writes the report, if it says something new or the last is old.
    pub(super) fn tell(&mut self) {
        let said_so = |(when, what): &(Instant, NodeReport)| {
            when.elapsed() < REPORT && essence(what) == essence(&self.report)
        };
        if self.written.as_ref().is_some_and(said_so) {
            return;
        }
        if let Err(error) = self.keep.keep_report(&self.report) {
            tracing::error!("{error}");
        }
        let id = &self.report.facts.instance_id;
        if id.is_empty() {
            return;
        }
        let key = self.settings.key(&format!("nodes/{id}.json"));
        let put =
            self.aws.put(&self.settings.bucket, &key, self.report.to_send(), "application/json");
        match self.runtime.block_on(put) {
            Ok(()) => self.written = Some((Instant::now(), self.report.clone())),
            Err(error) => tracing::warn!("the report cannot be written: {error}"),
        }
    }
}

/// A report without what every run changes.
fn essence(report: &NodeReport) -> NodeReport {
    let mut essence = report.clone();
    (essence.started, essence.took_ms, essence.next, essence.pointer.seen) = (0, 0, 0, 0);
    for step in &mut essence.steps {
        step.took_ms = 0;
        // What a run changed is no news when the next has nothing to change.
        if matches!(step.outcome, StepOutcome::Changed { .. }) {
            step.outcome = StepOutcome::Unchanged;
        }
    }
    essence
}
