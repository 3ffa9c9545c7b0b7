//! A plan's changes as single steps, each with the steps it comes after.
//!
//! A replacement is two steps; an object with late attributes is made without
//! them, finished when all it refers to is there, and stripped before it goes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::{Address, Ref, refs_in_value, resolve};
use crate::desired::{Along, Resource};
use crate::kind::{Body, Facts, facts};

use super::change::{Action, Change};
use super::index::names;
use super::order::{early_refs, late_refs};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which change, by its place in the list given to [`steps`].
    pub change: usize,
    /// What of it.
    pub action: StepAction,
    /// The steps that come before, by their place in the list returned.
    pub after: BTreeSet<usize>,
}

/// What a step does of its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepAction {
    /// Empties the late attributes of what will go.
    Strip,
    /// Removes the object.
    Delete,
    /// Makes the object, late attributes empty.
    Create,
    /// Fills in the late attributes of what was made.
    Finish,
    /// Changes the object in place.
    Update,
}

/// The steps of these changes, in an order in which each comes after those it
/// waits for.
pub fn steps(changes: &[&Change]) -> Vec<Step> {
    let names = changes.iter().map(|change| Names::of(change)).collect();
    let mut plan = Steps { changes, names, steps: Vec::new(), by_change: BTreeMap::new() };
    for (place, change) in changes.iter().enumerate() {
        for action in actions(change) {
            plan.by_change.insert((place, action), plan.steps.len());
            plan.steps.push(Step { change: place, action, after: BTreeSet::new() });
        }
    }
    let makers = plan.makers();
    let after: Vec<_> = (0..plan.steps.len()).map(|step| plan.before(step, &makers)).collect();
    plan.steps.iter_mut().zip(after).for_each(|(step, after)| step.after = after);
    plan.steps
}

/// References that have no answer when a step is about to be done.
#[derive(Debug, thiserror::Error)]
#[error("waits for {0}")]
pub struct Unanswered(pub String);

/// A step's resource with every reference answered. For [`StepAction::Create`]
/// the late attributes are empty, whatever they refer to.
pub fn answer(
    resource: &Resource,
    action: StepAction,
    known: &dyn Fn(&Ref) -> Option<String>,
) -> Result<Resource, Unanswered> {
    let mut attributes = resolve(&resource.body.attributes(), known);
    if action == StepAction::Create {
        empty_late(resource.body.facts(), &mut attributes);
    }
    if let Some(open) = refs_in_value(&attributes).first() {
        return Err(Unanswered(open.address.to_string()));
    }
    let body = Body::from_attributes(resource.address.kind(), attributes)
        .map_err(|error| Unanswered(error.to_string()))?;
    Ok(Resource { body, ..resource.clone() })
}

/// An object's resource with its late attributes empty: what a strip leaves.
pub fn stripped(change: &Change) -> Option<Resource> {
    let object = change.object.as_ref()?;
    let mut attributes = object.body.attributes();
    empty_late(object.facts(), &mut attributes);
    let body = Body::from_attributes(object.address.kind(), attributes).ok()?;
    let (address, region) = (object.address.clone(), object.region.clone());
    Some(Resource { address, region, tags: BTreeMap::new(), body, along: Along::default() })
}

/// What an object's attributes name: computed once, asked for by every
/// deletion.
struct Names<'a> {
    early: BTreeSet<(&'a str, String)>,
    late: BTreeSet<(&'a str, String)>,
}

impl<'a> Names<'a> {
    fn of(change: &'a Change) -> Self {
        let Some(object) = &change.object else {
            return Self { early: BTreeSet::new(), late: BTreeSet::new() };
        };
        let is_late = |name: &str| object.facts().late.contains(&name);
        Self { early: names(object, |name| !is_late(name)), late: names(object, is_late) }
    }
}

struct Steps<'a> {
    changes: &'a [&'a Change],
    names: Vec<Names<'a>>,
    steps: Vec<Step>,
    by_change: BTreeMap<(usize, StepAction), usize>,
}

impl Steps<'_> {
    /// Address to the step after which references to it can be answered.
    fn makers(&self) -> BTreeMap<Address, usize> {
        let mut makers = BTreeMap::new();
        for (place, step) in self.steps.iter().enumerate() {
            if matches!(step.action, StepAction::Create | StepAction::Update) {
                makers.insert(self.changes[step.change].address.clone(), place);
            }
        }
        makers
    }

    fn before(&self, step: usize, makers: &BTreeMap<Address, usize>) -> BTreeSet<usize> {
        let Step { change, action, .. } = self.steps[step];
        let mut after = match action {
            StepAction::Strip => BTreeSet::new(),
            StepAction::Delete => self.before_delete(change),
            StepAction::Create => self.before_make(change, makers, false),
            StepAction::Update | StepAction::Finish => self.before_make(change, makers, true),
        };
        if action == StepAction::Finish {
            after.extend(self.by_change.get(&(change, StepAction::Create)));
        }
        after.remove(&step);
        after
    }

    /// What is made or changed comes after what it refers to, after the kinds
    /// its own comes after, and after what stood in its place.
    fn before_make(
        &self,
        change: usize,
        makers: &BTreeMap<Address, usize>,
        late: bool,
    ) -> BTreeSet<usize> {
        let this = self.changes[change];
        let Some(resource) = &this.resource else { return BTreeSet::new() };
        let (facts, attributes) = (resource.body.facts(), resource.body.attributes());
        let mut refs = early_refs(facts, &attributes);
        if late {
            refs.extend(late_refs(facts, &attributes));
        }
        let mut after: BTreeSet<usize> =
            refs.iter().filter_map(|reference| makers.get(&reference.address).copied()).collect();
        after.extend(self.by_change.get(&(change, StepAction::Delete)));
        if this.action != Action::Update {
            after.extend(self.of_kinds(this, facts.after));
        }
        after
    }

    /// What goes, goes after everything that refers to it and goes or lets go
    /// of it, and after the kinds that come after its own.
    fn before_delete(&self, change: usize) -> BTreeSet<usize> {
        let this = self.changes[change];
        let Some(id) = this.id.clone() else { return BTreeSet::new() };
        let id = &(this.address.kind(), id);
        let mut after = BTreeSet::new();
        for (place, step) in self.steps.iter().enumerate() {
            let other = self.changes[step.change];
            if step.change == change {
                if step.action == StepAction::Strip {
                    after.insert(place);
                }
                continue;
            }
            let Names { early, late } = &self.names[step.change];
            let waits = match step.action {
                StepAction::Strip => late.contains(id),
                StepAction::Delete => early.contains(id) || comes_after(other, this),
                // What refers to a replaced object afterwards as well is
                // changed once the new one is there, not before.
                StepAction::Update => {
                    (early.contains(id) || late.contains(id)) && !refers_to(other, &this.address)
                }
                StepAction::Create | StepAction::Finish => false,
            };
            if waits {
                after.insert(place);
            }
        }
        after
    }

    /// Every step that makes or finishes something of these kinds in a
    /// change's scope.
    fn of_kinds(&self, this: &Change, kinds: &[&str]) -> Vec<usize> {
        let makes = |action| matches!(action, StepAction::Create | StepAction::Finish);
        let wanted = |step: &Step| {
            let address = &self.changes[step.change].address;
            address.scope() == this.address.scope()
                && kinds.contains(&address.kind())
                && (makes(step.action) || step.action == StepAction::Update)
        };
        let places = self.steps.iter().enumerate();
        places.filter(|(_, step)| wanted(step)).map(|(place, _)| place).collect()
    }
}

fn actions(change: &Change) -> Vec<StepAction> {
    let late = !facts(&change.kind).late.is_empty();
    let (mut gone, mut made) = (vec![StepAction::Delete], vec![StepAction::Create]);
    if late {
        gone.insert(0, StepAction::Strip);
        made.push(StepAction::Finish);
    }
    match change.action {
        Action::Create => made,
        Action::Update => vec![StepAction::Update],
        Action::Delete => gone,
        Action::Replace => gone.into_iter().chain(made).collect(),
    }
}

fn comes_after(other: &Change, this: &Change) -> bool {
    other.address.scope() == this.address.scope()
        && facts(&other.kind).after.contains(&this.kind.as_str())
}

fn refers_to(change: &Change, address: &Address) -> bool {
    let attributes = change.resource.as_ref().map(|resource| resource.body.attributes());
    let refs = attributes.as_ref().map(refs_in_value).unwrap_or_default();
    refs.iter().any(|reference| reference.address == *address)
}

fn empty_late(facts: &Facts, attributes: &mut Value) {
    for name in facts.late {
        attributes[name] = Value::Array(Vec::new());
    }
}
