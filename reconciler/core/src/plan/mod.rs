//! From what should be and what is there to what is done, and why.
//!
//! Owns every decision: what is made, changed, replaced, removed, left alone
//! because it is unknown, protected, suspended or over a limit. May not: look
//! at a clock, or at anything that is not an argument.
//!
//! Invariants: the same input gives the same plan; planning after everything
//! was done gives an empty one; nothing in a gap is touched; nothing that holds
//! data goes without a consent naming it; what blocks one object blocks neither
//! the rest of its cluster nor any other.

mod change;
mod converge;
mod diff;
mod draft;
mod drift;
mod files;
mod hold;
mod index;
mod nodes;
mod order;
mod prune;
mod steps;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::cloud::Outputs;
use crate::desired::{DesiredState, Resource};
use crate::manifest::repository::{Consent, Deed};
use crate::observed::{Object, ObservedState};

pub use change::{Action, AttributeChange, Blocked, Change, Plan, Reason, ScopePlan};
pub use steps::{Step, StepAction, Unanswered, answer, steps, stripped};

/// What else a plan depends on.
#[derive(Clone, Debug, Default)]
pub struct PlanContext {
    /// The moment, in seconds since 1970 UTC: schedules have a say in what is
    /// desired.
    pub now: i64,
    /// What may be deleted.
    pub policy: Policy,
    /// What the applied revision desired, by scope: tells a change of the
    /// manifest from drift. A scope that is absent was never applied.
    pub applied: BTreeMap<String, BTreeMap<Address, Resource>>,
    /// Only these clusters and regions; all when none.
    pub only: Option<BTreeSet<String>>,
}

impl PlanContext {
    /// Whether a scope is planned at all.
    pub fn includes(&self, scope: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(scope))
    }
}

/// What may be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Objects a scope's plan may delete without a consent.
    pub deletes_per_plan: usize,
    /// `consents.yaml`.
    pub consents: Vec<Consent>,
    /// The repository declares no cluster: nothing at all is deleted.
    pub declares_nothing: bool,
    /// Clusters to be removed as an operator asked on the command line: as if
    /// undeclared, and consented to as a whole.
    pub destroy: BTreeSet<String>,
}

impl Policy {
    /// Whether a consent allows this to be done to this object.
    pub fn consents_to(&self, deed: Deed, address: &str, id: &str) -> bool {
        self.consents.iter().any(|consent| consent.allows(deed, address, id))
    }
}

/// The object of an address that counts, of several the same one as in a plan.
pub fn kept<'a>(observed: &'a ObservedState, address: &Address) -> Option<&'a Object> {
    let mut of_it = observed.objects.iter().filter(|object| object.address == *address);
    let first = of_it.next()?;
    match of_it.next() {
        None => Some(first),
        Some(_) => index::Index::new(observed).kept(address),
    }
}

/// What references get from what is there, by address; of several objects of
/// one address the same one counts as in the plan.
pub fn answers(observed: &ObservedState) -> BTreeMap<Address, Outputs> {
    let index = index::Index::new(observed);
    let outputs = |object: &Object| {
        let mut outputs = object.outputs.clone();
        outputs.insert("id".into(), object.id.clone());
        (object.address.clone(), outputs)
    };
    index.all().map(outputs).collect()
}

/// The changes that would make what is there what should be.
pub fn plan(desired: &DesiredState, observed: &ObservedState, context: &PlanContext) -> Plan {
    let mut draft = draft::Draft::new(desired, observed, context);
    for resource in order::by_reference(&desired.resources) {
        draft.converge(resource);
    }
    draft.prune();
    draft.replace_mute_workers();
    draft.finish()
}
