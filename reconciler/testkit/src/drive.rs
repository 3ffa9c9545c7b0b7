//! Plans and carries them out one step after the other, without a runtime: the
//! fake cloud answers at once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lyceum_core::address::{Address, Ref};
use lyceum_core::cloud::{Cloud, CloudError, Outputs};
use lyceum_core::desired::{Inputs, desired, distrust_replayed, pointers, recognise, scope};
use lyceum_core::manifest::Manifests;
use lyceum_core::observed::{Object, ObservedState};
use lyceum_core::plan::{
    Change, Plan, PlanContext, StepAction, answer, answers, plan, steps, stripped,
};
use lyceum_core::site::Site;

use crate::FakeCloud;

/// One look and what is to be done about it.
pub fn look(
    cloud: &FakeCloud,
    manifests: &Manifests,
    site: &Site,
    context: &PlanContext,
) -> (ObservedState, Plan) {
    let mut observed = now(cloud.observe(&scope(manifests)));
    read_reports(cloud, &mut observed);
    read_pointers(cloud, manifests, site, &mut observed);
    let inputs = Inputs::new(manifests, None, &observed);
    let inputs = inputs.with_nodes(manifests, &observed, context.now);
    let desired = desired(manifests, site, &inputs);
    let plan = plan(&desired, &observed, context);
    (observed, plan)
}

/// Fills in what the pointers say, reading those that are not as wished.
pub fn read_pointers(
    cloud: &FakeCloud,
    manifests: &Manifests,
    site: &Site,
    observed: &mut ObservedState,
) {
    let inputs = Inputs::new(manifests, None, observed);
    for open in recognise(&pointers(manifests, site, &inputs), observed) {
        if let Ok(Some(whole)) = now(cloud.read(&open)) {
            observed.put(whole);
        }
    }
    distrust_replayed(observed);
}

/// Fills in what the nodes report.
pub fn read_reports(cloud: &FakeCloud, observed: &mut ObservedState) {
    let reports = observed.objects.iter().filter(|it| it.address.kind() == "node-report");
    for report in reports.cloned().collect::<Vec<_>>() {
        if let Ok(Some(whole)) = now(cloud.read(&report)) {
            observed.put(whole);
        }
    }
}

/// Carries out what can be carried out; the errors met.
pub fn carry_out(cloud: &FakeCloud, observed: &ObservedState, plan: &Plan) -> Vec<CloudError> {
    let changes: Vec<&Change> = plan.changes().collect();
    let steps = steps(&changes);
    let mut known = answers(observed);
    let mut made: BTreeMap<usize, Object> = BTreeMap::new();
    let mut open: Vec<usize> = (0..steps.len()).collect();
    let mut done = BTreeSet::new();
    let mut errors = Vec::new();
    while let Some(at) = open.iter().position(|place| steps[*place].after.is_subset(&done)) {
        let place = open.remove(at);
        let step = &steps[place];
        let change = changes[step.change];
        let look_up = |reference: &Ref| match known.get(&reference.address) {
            Some(outputs) => outputs.get(&reference.output).cloned(),
            None => observed.surroundings.answer(reference),
        };
        let before = change.object.clone().or_else(|| made.get(&step.change).cloned());
        match one(cloud, change, step.action, before, &look_up) {
            Ok(outputs) => {
                if step.action == StepAction::Create {
                    made.insert(step.change, made_object(change, &outputs));
                }
                note(&mut known, &change.address, outputs);
                done.insert(place);
            }
            Err(error) => errors.push(error),
        }
    }
    errors
}

/// Passes until nothing is left to do; the number of passes that did something.
///
/// # Panics
/// When that does not come within `most` passes.
#[allow(clippy::panic)] // that it settles is what is tested
pub fn settle(
    cloud: &FakeCloud,
    manifests: &Manifests,
    site: &Site,
    context: &PlanContext,
    most: usize,
) -> usize {
    for pass in 0..=most {
        let (observed, plan) = look(cloud, manifests, site, context);
        if plan.is_empty() {
            return pass;
        }
        carry_out(cloud, &observed, &plan);
    }
    let (_, plan) = look(cloud, manifests, site, context);
    let left: Vec<_> = plan.changes().map(|change| change.address.to_string()).collect();
    panic!("not settled after {most} passes: {}", left.join(", "))
}

/// The answer of a future that waits for nothing.
///
/// # Panics
/// When it waits.
#[allow(clippy::panic)] // the fake cloud never waits
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the fake cloud waits for nothing"),
    }
}

fn one(
    cloud: &FakeCloud,
    change: &Change,
    action: StepAction,
    before: Option<Object>,
    look_up: &dyn Fn(&Ref) -> Option<String>,
) -> Result<Outputs, CloudError> {
    let unanswered = |error: &dyn std::fmt::Display| {
        CloudError::new(lyceum_core::cloud::Class::NotYet, "answer", error.to_string())
    };
    let nothing = || unanswered(&"nothing to work on");
    let answered = || {
        let resource = change.resource.as_ref().ok_or_else(nothing)?;
        answer(resource, action, look_up).map_err(|error| unanswered(&error))
    };
    match action {
        StepAction::Create => now(cloud.create(&answered()?)),
        StepAction::Strip => {
            let after = stripped(change).ok_or_else(nothing)?;
            now(cloud.update(&before.ok_or_else(nothing)?, &after))
        }
        StepAction::Update | StepAction::Finish => {
            now(cloud.update(&before.ok_or_else(nothing)?, &answered()?))
        }
        StepAction::Delete => {
            now(cloud.delete(&before.ok_or_else(nothing)?)).map(|()| Outputs::new())
        }
    }
}

fn made_object(change: &Change, outputs: &Outputs) -> Object {
    let resource = change.resource.clone();
    let body = resource.as_ref().map(|resource| resource.body.clone());
    Object {
        address: change.address.clone(),
        region: resource.as_ref().map(|resource| resource.region.clone()).unwrap_or_default(),
        id: outputs.get("id").cloned().unwrap_or_default(),
        outputs: outputs.clone(),
        tags: resource.map(|resource| resource.tags).unwrap_or_default(),
        body: body.unwrap_or_else(|| lyceum_core::kind::Vpc::default().into()),
    }
}

fn note(known: &mut BTreeMap<Address, Outputs>, address: &Address, outputs: Outputs) {
    known.entry(address.clone()).or_default().extend(outputs);
}
