//! One run: a node's plan is made, carried out and checked, and it is said what
//! became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lyceum_core::node::bundle::Bundle;
use lyceum_core::node::converge::{self, Mode, Observer};
use lyceum_core::node::facts::Facts;
use lyceum_core::node::host::{Cause, Docker};
use lyceum_core::node::plan::{NodePlan, node_plan};
use lyceum_core::node::pointer::Target;
use lyceum_core::node::report::{CheckReport, StepOutcome, StepReport};
use lyceum_core::node::step::{Action, Difference, SESSION_LABEL};

use crate::machine::Machine;

/// Longest text of a difference in the log.
const SHOWN: usize = 120;

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// Every step's outcome.
    pub steps: Vec<StepReport>,
    /// Every check's result.
    pub checks: Vec<CheckReport>,
    /// Notebook servers running.
    pub sessions: u64,
    /// How long it took.
    pub took: Duration,
    /// It was ended before its end.
    pub stopped: bool,
}

/// Says that the agent is to end, after the step in flight.
pub type Stop = Arc<AtomicBool>;

impl Round {
    /// One that could not begin.
    pub fn failed(id: &str, cause: Cause, error: String, hint: &str) -> Self {
        let outcome = StepOutcome::Failed { cause, error, hint: hint.into() };
        let step = StepReport { id: id.into(), kind: "agent".into(), outcome, took_ms: 0 };
        Watch::new(Stop::default()).ended(&step);
        Self { steps: vec![step], ..Self::default() }
    }

    /// Every step is as it should be.
    pub fn converged(&self) -> bool {
        let bad = |step: &StepReport| {
            matches!(step.outcome, StepOutcome::Failed { .. } | StepOutcome::Blocked { .. })
        };
        !self.stopped && !self.steps.iter().any(bad)
    }

    /// Every check holds.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// A dry run found something to do.
    pub fn would_change(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.outcome, StepOutcome::Would { .. }))
    }
}

/// Makes the machine what a target says, or says what differs.
pub fn converge(
    machine: &mut Machine,
    facts: &Facts,
    (bundle, target): (&Bundle, &Target),
    mode: Mode,
    stop: &Stop,
) -> Round {
    let began = Instant::now();
    machine.set_facts(facts.clone());
    let plan = match node_plan(bundle, target, facts) {
        Ok(plan) => plan,
        Err(error) => return unplanned(&error.to_string()),
    };
    let mut watch = Watch::new(Arc::clone(stop));
    let steps = converge::converge(&plan, facts, machine, &mut watch, mode);
    let stopped = stop.load(Ordering::Relaxed) && steps.len() < plan.steps.len();
    let checks = if mode == Mode::Apply && !stopped { checks(machine, &plan) } else { Vec::new() };
    let sessions = machine.running_with_label(SESSION_LABEL).unwrap_or_default();
    Round { steps, checks, sessions, took: began.elapsed(), stopped }
}

/// Runs the checks alone.
pub fn check(machine: &mut Machine, facts: &Facts, (bundle, target): (&Bundle, &Target)) -> Round {
    let began = Instant::now();
    machine.set_facts(facts.clone());
    match node_plan(bundle, target, facts) {
        Ok(plan) => {
            let checks = checks(machine, &plan);
            Round { checks, took: began.elapsed(), ..Round::default() }
        }
        Err(error) => unplanned(&error.to_string()),
    }
}

/// Looks after the members of the swarm, where that is this node's part, and
/// after nothing else.
pub fn tend(machine: &mut Machine, facts: &Facts, wish: (&Bundle, &Target), stop: &Stop) {
    let Ok(mut plan) = node_plan(wish.0, wish.1, facts) else { return };
    plan.steps.retain(|step| matches!(&step.action, Action::Swarm(swarm) if swarm.tend));
    let mut watch = Watch::new(Arc::clone(stop));
    converge::converge(&plan, facts, machine, &mut watch, Mode::Apply);
}

fn unplanned(error: &str) -> Round {
    Round::failed("plan", Cause::Invalid, error.into(), Cause::Invalid.hint())
}

fn checks(machine: &mut Machine, plan: &NodePlan) -> Vec<CheckReport> {
    let checks = converge::check(plan, machine);
    for check in checks.iter().filter(|check| !check.holds) {
        tracing::warn!(check = check.id, "does not hold: {}", check.seen);
    }
    checks
}

/// Tells the log what a run does.
struct Watch {
    began: Instant,
    stop: Stop,
}

impl Watch {
    fn new(stop: Stop) -> Self {
        Self { began: Instant::now(), stop }
    }
}

impl Observer for Watch {
    fn now(&mut self) -> Duration {
        self.began.elapsed()
    }

    fn begun(&mut self, id: &str) {
        tracing::debug!(step = id, "begins");
    }

    fn ended(&mut self, report: &StepReport) {
        let (step, ms) = (&report.id, report.took_ms);
        match &report.outcome {
            StepOutcome::Unchanged => tracing::debug!(step, ms, "unchanged"),
            StepOutcome::Changed { differences } => {
                tracing::info!(step, ms, "changed: {}", shown(differences));
            }
            StepOutcome::Would { differences } => {
                tracing::info!(step, ms, "would change: {}", shown(differences));
            }
            StepOutcome::Failed { error, hint, .. } => {
                tracing::error!(step, ms, hint, "failed: {error}");
            }
            StepOutcome::Blocked { on } => tracing::warn!(step, "waits for {on}"),
        }
    }

    fn stop(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn shown(differences: &[Difference]) -> String {
    let line = |it: &Difference| match (it.before.as_str(), it.after.as_str()) {
        ("", "") => it.what.clone(),
        ("", after) => format!("{} to be {}", it.what, short(after)),
        (before, after) => format!("{} from {} to {}", it.what, short(before), short(after)),
    };
    differences.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
