//! Carrying a node's plan out: each step looked at, applied where it differs,
//! and looked at again.
//!
//! Invariants: a step that fails takes with it only what needs it; restarts
//! come once, at the end, and are noted before what causes them; dying anywhere
//! and beginning again converges; a dry run changes nothing; no secret that was
//! read is in a report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::facts::Facts;
use super::host::{Cause, Host};
use super::plan::{NodePlan, PlannedStep};
use super::report::{CheckReport, StepOutcome, StepReport};
use super::step::{Action, Difference, Memory, Run, Service, StepError};

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Makes what differs as it should be.
    Apply,
    /// Only says what differs.
    DryRun,
}

/// What a run is told and asked besides the host: it may not look at a clock
/// itself.
pub trait Observer {
    /// The time since some fixed moment.
    fn now(&mut self) -> Duration;
    /// A step begins; again, where what it watches makes it restart at the end.
    fn begun(&mut self, id: &str);
    /// A step ended.
    fn ended(&mut self, report: &StepReport);
}

/// Converges a node to its plan; a report for each step, in order.
pub fn converge(
    plan: &NodePlan,
    facts: &Facts,
    host: &mut dyn Host,
    observer: &mut dyn Observer,
    mode: Mode,
) -> Vec<StepReport> {
    let mut pass = Pass {
        plan,
        facts,
        host,
        mode,
        memory: Memory::new(packages(plan)),
        watchers: watchers(plan),
        places: plan
            .steps
            .iter()
            .enumerate()
            .map(|(place, step)| (step.id.as_str(), place))
            .collect(),
        reports: Vec::new(),
        restarts: BTreeMap::new(),
    };
    for step in &plan.steps {
        observer.begun(&step.id);
        let begun = observer.now();
        let outcome = pass.take(step);
        let report = pass.report(step, outcome, observer.now().saturating_sub(begun));
        observer.ended(&report);
        pass.reports.push(report);
    }
    pass.restart_what_is_stale(observer);
    pass.reports
}

/// Runs a plan's checks; they change nothing.
pub fn check(plan: &NodePlan, host: &mut dyn Host) -> Vec<CheckReport> {
    let report = |check: &super::plan::PlannedCheck| {
        let seen = check.probe.look(host);
        CheckReport {
            id: check.id.clone(),
            holds: seen.is_ok(),
            seen: seen.err().unwrap_or_default(),
        }
    };
    plan.checks.iter().map(report).collect()
}

/// One run.
struct Pass<'a> {
    plan: &'a NodePlan,
    facts: &'a Facts,
    host: &'a mut dyn Host,
    mode: Mode,
    memory: Memory,
    /// Steps by those they watch.
    watchers: BTreeMap<&'a str, Vec<&'a str>>,
    places: BTreeMap<&'a str, usize>,
    reports: Vec<StepReport>,
    /// Services that have to restart at the end, and why.
    restarts: BTreeMap<usize, String>,
}

impl<'a> Pass<'a> {
    fn take(&mut self, step: &'a PlannedStep) -> StepOutcome {
        if let Some(on) = self.blocked_on(step) {
            return StepOutcome::Blocked { on };
        }
        match self.go(step) {
            Ok(outcome) => outcome,
            Err(error) => match self.cannot_be_told(step, &error) {
                Some(difference) => StepOutcome::Would { differences: vec![difference] },
                None => failed(&error),
            },
        }
    }

    fn go(&mut self, step: &'a PlannedStep) -> Result<StepOutcome, StepError> {
        let stale = self.stale(step)?;
        let differences = self.look(step, stale.is_some())?;
        if !differences.is_empty() && self.mode == Mode::Apply {
            self.apply(step, stale.is_some())?;
        }
        self.settle(step, stale, &differences)?;
        Ok(match (differences.is_empty(), self.mode) {
            (true, _) => StepOutcome::Unchanged,
            (false, Mode::Apply) => StepOutcome::Changed { differences },
            (false, Mode::DryRun) => StepOutcome::Would { differences },
        })
    }

    /// Who watches it is noted first: whatever happens then, they will be made
    /// anew.
    fn apply(&mut self, step: &PlannedStep, stale: bool) -> Result<(), StepError> {
        for watcher in self.watchers.get(step.id.as_str()).into_iter().flatten() {
            self.host.mark(&mark(watcher))?;
        }
        let mut run = self.run(step, stale);
        let applied = step.action.step().apply(&mut run);
        self.memory.forget();
        applied?;
        let left = self.look(step, false)?;
        if left.is_empty() {
            return Ok(());
        }
        let left: Vec<String> = left.iter().map(line).collect();
        let message = format!("it still differs after it was applied: {}", left.join("; "));
        Err(StepError::new(Cause::Failed, message)
            .hint("something else sets it back, or it cannot be so; see the machine's log"))
    }

    /// What became of the note that it is to be made anew.
    fn settle(
        &mut self,
        step: &PlannedStep,
        stale: Option<String>,
        differences: &[Difference],
    ) -> Result<(), StepError> {
        let Some(why) = stale else { return Ok(()) };
        let anew = match &step.action {
            Action::Service(service) => is_started(service, differences),
            _ => true,
        };
        if anew {
            if self.mode == Mode::Apply {
                self.host.unmark(&mark(&step.id))?;
            }
        } else if let Some(place) = self.places.get(step.id.as_str()) {
            self.restarts.insert(*place, why);
        }
        Ok(())
    }

    fn look(&mut self, step: &PlannedStep, stale: bool) -> Result<Vec<Difference>, StepError> {
        let mut run = self.run(step, stale);
        step.action.step().check(&mut run)
    }

    fn run<'r>(&'r mut self, step: &'r PlannedStep, stale: bool) -> Run<'r> {
        let stamp = stamp(self.plan, &self.places, step);
        Run {
            host: &mut *self.host,
            facts: self.facts,
            id: &step.id,
            stamp,
            stale,
            memory: &mut self.memory,
        }
    }

    /// Why it has to be made anew, or restarted.
    fn stale(&mut self, step: &PlannedStep) -> Result<Option<String>, StepError> {
        if step.watches.is_empty() {
            return Ok(None);
        }
        let changed: Vec<&str> = step
            .watches
            .iter()
            .filter(|watched| self.outcome(watched).is_some_and(is_change))
            .map(String::as_str)
            .collect();
        if !changed.is_empty() {
            return Ok(Some(format!("{} changed", changed.join(", "))));
        }
        let noted = self.host.marked(&mark(&step.id))?;
        Ok(noted.then(|| "something it watches changed in an earlier run".into()))
    }

    /// The failed step that it cannot be without.
    fn blocked_on(&self, step: &PlannedStep) -> Option<String> {
        let mut needs: Vec<usize> =
            step.needs.iter().filter_map(|need| self.places.get(need.as_str()).copied()).collect();
        needs.sort_unstable();
        needs.into_iter().find_map(|need| match &self.reports.get(need)?.outcome {
            StepOutcome::Failed { .. } => Some(self.plan.steps[need].id.clone()),
            StepOutcome::Blocked { on } => Some(on.clone()),
            _ => None,
        })
    }

    /// In a dry run, what is not there yet for steps that are only pretended is
    /// no failure.
    fn cannot_be_told(&self, step: &PlannedStep, error: &StepError) -> Option<Difference> {
        if self.mode == Mode::Apply {
            return None;
        }
        let would = |report: &&StepReport| matches!(report.outcome, StepOutcome::Would { .. });
        let needed = |report: &&StepReport| step.needs.contains(&report.id);
        let brings = |report: &&StepReport| BRINGING.contains(&report.kind.as_str());
        let missing = matches!(error.cause, Cause::NotFound | Cause::Unreachable)
            && !matches!(step.action, Action::File(_));
        let pretended = self.reports.iter().filter(would);
        let before = pretended.clone().find(needed).or_else(|| {
            let mut brought = pretended.filter(brings);
            if missing { brought.next() } else { None }
        })?;
        Some(Difference::new("state", "", format!("cannot be told before {} is done", before.id)))
    }

    fn outcome(&self, id: &str) -> Option<&StepOutcome> {
        self.places.get(id).and_then(|place| self.reports.get(*place)).map(|report| &report.outcome)
    }

    fn report(&self, step: &PlannedStep, outcome: StepOutcome, took: Duration) -> StepReport {
        StepReport {
            id: step.id.clone(),
            kind: step.action.kind().into(),
            outcome: self.clean(outcome),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn clean(&self, outcome: StepOutcome) -> StepOutcome {
        let text = |text: String| self.memory.clean(text);
        let all = |differences: Vec<Difference>| {
            differences
                .into_iter()
                .map(|it| Difference::new(text(it.what), text(it.before), text(it.after)))
                .collect()
        };
        match outcome {
            StepOutcome::Changed { differences } => {
                StepOutcome::Changed { differences: all(differences) }
            }
            StepOutcome::Would { differences } => {
                StepOutcome::Would { differences: all(differences) }
            }
            StepOutcome::Failed { cause, error, hint } => {
                StepOutcome::Failed { cause, error: text(error), hint: text(hint) }
            }
            other => other,
        }
    }

    /// Once, at the end: what changed meanwhile is all in place.
    fn restart_what_is_stale(&mut self, observer: &mut dyn Observer) {
        for (place, why) in std::mem::take(&mut self.restarts) {
            let step = &self.plan.steps[place];
            let Action::Service(service) = &step.action else { continue };
            observer.begun(&step.id);
            let begun = observer.now();
            let outcome = match self.restart(step, service) {
                Ok(()) => self.with_restart(place, service, &why),
                Err(error) => failed(&error),
            };
            let took = observer.now().saturating_sub(begun);
            let mut report = self.report(step, outcome, took);
            report.took_ms += self.reports[place].took_ms;
            observer.ended(&report);
            self.reports[place] = report;
        }
    }

    fn restart(&mut self, step: &PlannedStep, service: &Service) -> Result<(), StepError> {
        if self.mode == Mode::DryRun {
            return Ok(());
        }
        if service.running {
            self.host.unit_do(&service.unit, service.restart())?;
            if let Some(left) = self.look(step, false)?.first() {
                let message = format!("{} after its restart: {}", service.unit, line(left));
                return Err(StepError::new(Cause::Failed, message));
            }
        }
        Ok(self.host.unmark(&mark(&step.id))?)
    }

    fn with_restart(&self, place: usize, service: &Service, why: &str) -> StepOutcome {
        let before = self.reports[place].outcome.clone();
        if !service.running {
            return before;
        }
        let what = if service.reload { "reload" } else { "restart" };
        let restart = Difference::new(what, "", why);
        let with = |mut differences: Vec<Difference>| {
            differences.push(restart.clone());
            differences
        };
        match before {
            StepOutcome::Changed { differences } => {
                StepOutcome::Changed { differences: with(differences) }
            }
            StepOutcome::Would { differences } => {
                StepOutcome::Would { differences: with(differences) }
            }
            _ if self.mode == Mode::DryRun => StepOutcome::Would { differences: with(Vec::new()) },
            _ => StepOutcome::Changed { differences: with(Vec::new()) },
        }
    }
}

/// Steps that may bring what a later step looks for without naming it.
const BRINGING: &[&str] =
    &["package", "command", "unit", "service", "kernel_module", "swarm", "docker_image"];

fn is_change(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Changed { .. } | StepOutcome::Would { .. })
}

/// Whether applying a service started it, with all it watches in place.
fn is_started(service: &Service, differences: &[Difference]) -> bool {
    service.running && differences.iter().any(|it| it.what == "running")
}

fn failed(error: &StepError) -> StepOutcome {
    StepOutcome::Failed {
        cause: error.cause,
        error: error.message.clone(),
        hint: error.hint.clone(),
    }
}

fn line(difference: &Difference) -> String {
    let shorten = |text: &str| text.chars().take(80).collect::<String>().replace('\n', " ");
    let (before, after) = (shorten(&difference.before), shorten(&difference.after));
    format!("{} is `{before}`, not `{after}`", difference.what)
}

/// The name of the note that a step has to be made anew: fit for a file's name.
fn mark(id: &str) -> String {
    format!("stale.{}", id.replace('/', ".").replace('[', "-").replace(']', ""))
}

fn watchers(plan: &NodePlan) -> BTreeMap<&str, Vec<&str>> {
    let mut watchers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for step in &plan.steps {
        for watched in &step.watches {
            watchers.entry(watched).or_default().push(&step.id);
        }
    }
    watchers
}

/// Every package any step asks for, so that they are looked up together.
fn packages(plan: &NodePlan) -> Vec<String> {
    let names = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Package(package) => Some(package.names()),
        _ => None,
    });
    names.flatten().collect::<BTreeSet<String>>().into_iter().collect()
}

/// A digest of what the steps it watches are to be, where Docker carries one.
fn stamp(plan: &NodePlan, places: &BTreeMap<&str, usize>, step: &PlannedStep) -> String {
    let docker = matches!(step.action, Action::DockerService(_) | Action::DockerContainer(_));
    if !docker || step.watches.is_empty() {
        return String::new();
    }
    let watched = step.watches.iter().filter_map(|id| places.get(id.as_str()));
    let watched: Vec<&Action> = watched.map(|place| &plan.steps[*place].action).collect();
    let text = serde_json::to_string(&watched).unwrap_or_default();
    crate::site::digest(&text)[..16].into()
}
