//! Doing what a plan says: its steps, each when those before it are done,
//! several at a time.
//!
//! Owns: order, concurrency, stopping at a safe point. May not: decide
//! anything. A step that fails takes with it only what comes after it; a stop
//! lets the calls in flight end and begins no other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lyceum_core::address::{Address, Ref};
use lyceum_core::cloud::{Class, Cloud, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::observed::{Object, ObservedState, Surroundings};
use lyceum_core::plan::{Change, Plan, Step, StepAction, answer, answers, steps, stripped};
use lyceum_core::report::{Outcome, Report};
use tokio::sync::watch;

/// How a plan is executed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Steps in flight.
    pub parallel: usize,
    /// Turns true when no further step is to begin.
    pub stop: watch::Receiver<bool>,
    /// Changes that are not begun, so that what comes after them waits.
    pub held: BTreeSet<Address>,
}

/// Is told what happens while it happens.
pub trait Progress: Send + Sync {
    /// A step begins.
    fn begun(&self, change: &Change, action: StepAction);
    /// A step ended, after this long; none: it went well.
    fn ended(
        &self,
        change: &Change,
        action: StepAction,
        took: Duration,
        error: Option<&CloudError>,
    );
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begun(&self, _: &Change, _: StepAction) {}
    fn ended(&self, _: &Change, _: StepAction, _: Duration, _: Option<&CloudError>) {}
}

/// Does what the plan says, as far as it goes.
pub async fn execute(
    plan: &Plan,
    observed: &ObservedState,
    cloud: &impl Cloud,
    options: &Options,
    progress: &dyn Progress,
) -> Report {
    let changes: Vec<&Change> = plan.changes().collect();
    let steps = steps(&changes);
    let mut run = Run::new(&changes, &steps, (observed, &options.held));
    let mut flying = FuturesUnordered::new();
    loop {
        while flying.len() < options.parallel && !*options.stop.borrow() {
            let Some(place) = run.next_ready() else { break };
            let Some(work) = run.work(place) else { continue };
            let change = changes[steps[place].change];
            let action = steps[place].action;
            flying.push(async move {
                progress.begun(change, action);
                let begin = Instant::now();
                let result = perform(cloud, work).await;
                progress.ended(change, action, begin.elapsed(), result.as_ref().err());
                (place, result)
            });
        }
        let Some((place, result)) = flying.next().await else { break };
        run.ended(place, result);
    }
    run.report(*options.stop.borrow())
}

/// One call to the cloud, everything it needs answered.
enum Work {
    Create(Resource),
    Update(Box<(Object, Resource)>),
    Delete(Object),
}

async fn perform(cloud: &impl Cloud, work: Work) -> Result<Done, CloudError> {
    match work {
        Work::Create(resource) => {
            let outputs = cloud.create(&resource).await?;
            Ok(Done::Made(Box::new(resource), outputs))
        }
        Work::Update(sides) => cloud.update(&sides.0, &sides.1).await.map(Done::Changed),
        Work::Delete(object) => cloud.delete(&object).await.map(|()| Done::Gone),
    }
}

enum Done {
    Made(Box<Resource>, Outputs),
    Changed(Outputs),
    Gone,
}

/// An execution under way.
struct Run<'a> {
    changes: &'a [&'a Change],
    steps: &'a [Step],
    surroundings: &'a Surroundings,
    known: BTreeMap<Address, Outputs>,
    /// Made without its late attributes, for the step that finishes it.
    made: BTreeMap<usize, Object>,
    open: BTreeSet<usize>,
    flying: BTreeSet<usize>,
    done: BTreeSet<usize>,
    outcomes: BTreeMap<Address, Outcome>,
}

impl<'a> Run<'a> {
    fn new(
        changes: &'a [&'a Change],
        steps: &'a [Step],
        (observed, held): (&'a ObservedState, &BTreeSet<Address>),
    ) -> Self {
        let begins = |place: &usize| !held.contains(&changes[steps[*place].change].address);
        Self {
            changes,
            steps,
            surroundings: &observed.surroundings,
            known: answers(observed),
            made: BTreeMap::new(),
            open: (0..steps.len()).filter(begins).collect(),
            flying: BTreeSet::new(),
            done: BTreeSet::new(),
            outcomes: BTreeMap::new(),
        }
    }

    /// A step all of whose predecessors are done.
    fn next_ready(&mut self) -> Option<usize> {
        let ready = |place: &&usize| self.steps[**place].after.is_subset(&self.done);
        let place = self.open.iter().find(ready).copied()?;
        self.open.remove(&place);
        Some(place)
    }

    /// What a step has to do; none when it cannot be done, which is noted.
    fn work(&mut self, place: usize) -> Option<Work> {
        let step = &self.steps[place];
        let change = self.changes[step.change];
        let work = match step.action {
            StepAction::Delete => change.object.clone().map(Work::Delete),
            StepAction::Strip => change.object.clone().zip(stripped(change)).map(update),
            StepAction::Create => self.answered(change, step.action).map(Work::Create),
            StepAction::Update => {
                let after = self.answered(change, step.action);
                change.object.clone().zip(after).map(update)
            }
            StepAction::Finish => {
                let after = self.answered(change, step.action);
                self.made.get(&step.change).cloned().zip(after).map(update)
            }
        };
        if work.is_some() {
            self.flying.insert(place);
        }
        work
    }

    fn answered(&mut self, change: &Change, action: StepAction) -> Option<Resource> {
        let resource = change.resource.as_ref()?;
        match answer(resource, action, &|reference| self.look_up(reference)) {
            Ok(resource) => Some(resource),
            Err(open) => {
                self.outcomes.insert(change.address.clone(), Outcome::Waiting { on: open.0 });
                None
            }
        }
    }

    fn look_up(&self, reference: &Ref) -> Option<String> {
        match self.known.get(&reference.address) {
            Some(outputs) => outputs.get(&reference.output).cloned(),
            None => self.surroundings.answer(reference),
        }
    }

    fn ended(&mut self, place: usize, result: Result<Done, CloudError>) {
        self.flying.remove(&place);
        let step = &self.steps[place];
        let address = &self.changes[step.change].address;
        match result {
            Ok(done) => {
                self.done.insert(place);
                self.learn(step, address, done);
                let finished = !self.unfinished(step.change);
                if finished && !self.outcomes.contains_key(address) {
                    self.outcomes.insert(address.clone(), Outcome::Applied);
                }
            }
            Err(error) => {
                tracing::debug!(%address, %error, "a step failed");
                self.outcomes.insert(address.clone(), error.into());
            }
        }
    }

    fn learn(&mut self, step: &Step, address: &Address, done: Done) {
        match done {
            Done::Made(resource, outputs) => {
                let id = outputs.get("id").cloned().unwrap_or_default();
                let object = Object {
                    address: address.clone(),
                    region: resource.region.clone(),
                    id,
                    outputs: outputs.clone(),
                    tags: resource.tags.clone(),
                    body: resource.body.clone(),
                };
                self.made.insert(step.change, object);
                self.known.insert(address.clone(), outputs);
            }
            Done::Changed(outputs) => {
                self.known.entry(address.clone()).or_default().extend(outputs);
            }
            // The extra of an address goes, the one that counts stays.
            Done::Gone => {
                let id = self.changes[step.change].id.as_deref();
                let known = self.known.get(address).and_then(|outputs| outputs.get("id"));
                if known.map(String::as_str) == id {
                    self.known.remove(address);
                }
            }
        }
    }

    /// Whether a change has steps that are not done yet.
    fn unfinished(&self, change: usize) -> bool {
        let mut steps = self.steps.iter().enumerate();
        steps.any(|(place, step)| step.change == change && !self.done.contains(&place))
    }

    /// What was not begun waits for what was not done, or was superseded.
    fn report(mut self, stopped: bool) -> Report {
        for place in std::mem::take(&mut self.open) {
            let step = &self.steps[place];
            let address = &self.changes[step.change].address;
            if self.outcomes.get(address).is_some_and(|outcome| *outcome != Outcome::Applied) {
                continue;
            }
            let before = step.after.iter().find(|before| !self.done.contains(before));
            let on =
                before.map(|before| self.changes[self.steps[*before].change].address.to_string());
            let outcome = match on {
                _ if stopped => Outcome::Superseded,
                Some(on) => Outcome::Waiting { on },
                None => Outcome::Superseded,
            };
            self.outcomes.insert(address.clone(), outcome);
        }
        Report { outcomes: self.outcomes }
    }
}

fn update(sides: (Object, Resource)) -> Work {
    Work::Update(Box::new(sides))
}

/// Whether another pass is worth while: something failed that may pass.
pub fn worth_another_pass(report: &Report) -> bool {
    report.next() == lyceum_core::report::Next::Retry
}

/// How long until the next pass: what a lost answer made must be visible first.
pub fn pause_before_next(report: &Report, consistency: Duration) -> Duration {
    let lost = report.failures().any(|(_, failure)| failure.class == Class::Ambiguous);
    if lost { consistency } else { Duration::from_millis(500) }
}
