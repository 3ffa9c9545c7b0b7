//! Executing what was shown, in as many passes as it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lyceum_core::address::Address;
use lyceum_core::cloud::Cloud;
use lyceum_core::plan::{Plan, ScopePlan};
use lyceum_core::report::{Next, Outcome, Report};
use tokio::sync::watch;

use super::{Look, Road, RoadError};
use crate::execute::{Options, Progress, execute, pause_before_next};

/// Passes before the rest is left for another time.
const MOST: usize = 8;

/// How passes are made.
pub struct Passes<'a> {
    /// Is told what happens.
    pub progress: &'a dyn Progress,
    /// Turns true when no further step is to begin.
    pub stop: watch::Receiver<bool>,
    /// How long after a lost answer the next look waits.
    pub consistency: Duration,
}

/// What became of a plan.
#[derive(Debug)]
pub struct Done {
    /// The outcome of every change, of the pass that decided it.
    pub report: Report,
    /// The look after the last pass.
    pub last: Look,
}

impl Passes<'_> {
    /// Executes what the plan of `first` says. What did not go through and may
    /// by itself is tried again; what newly turned up is not: nobody saw it.
    pub async fn run<C: Cloud>(&self, road: &Road<C>, first: Look) -> Result<Done, RoadError> {
        let mut open: BTreeSet<Address> =
            first.plan.changes().map(|change| change.address.clone()).collect();
        let mut look = first;
        let mut outcomes = BTreeMap::new();
        for _ in 0..MOST {
            let plan = only(&look.plan, &open);
            if plan.is_empty() {
                break;
            }
            let report = self.execute(road, &look, &plan).await;
            for address in hopeless(&plan, &report) {
                open.remove(&address);
            }
            outcomes.extend(report.outcomes.clone());
            let again = report.next() == Next::Retry && !*self.stop.borrow();
            if again {
                self.pause(&report).await;
            }
            look = road.look_again().await?;
            settle(&mut outcomes, &look.plan);
            if !again {
                break;
            }
        }
        Ok(Done { report: Report { outcomes }, last: look })
    }

    async fn execute<C: Cloud>(&self, road: &Road<C>, look: &Look, plan: &Plan) -> Report {
        let parallel = road.declared.manifests.repository.limits.parallel_changes as usize;
        // The limit is a cluster's; several clusters go at the same time.
        let clusters = plan.scopes.values().filter(|scope| !scope.changes.is_empty()).count();
        let options = Options {
            parallel: parallel * clusters.clamp(1, 8),
            stop: self.stop.clone(),
            held: BTreeSet::new(),
        };
        execute(plan, &look.observed, &road.cloud, &options, self.progress).await
    }

    async fn pause(&self, report: &Report) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(pause_before_next(report, self.consistency)) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// What fails the same way until its input changes, and what stopped a machine in
/// vain: that is done once only.
fn hopeless(plan: &Plan, report: &Report) -> BTreeSet<Address> {
    let stopped: BTreeSet<&Address> =
        plan.changes().filter(|change| change.disrupts()).map(|change| &change.address).collect();
    let failures = report
        .failures()
        .filter(|(address, failure)| !failure.class.passes() || stopped.contains(address));
    failures.map(|(address, _)| address.clone()).collect()
}

/// What was not done and is no longer to be done was done after all: its
/// answer was lost. In a gap nobody knows.
fn settle(outcomes: &mut BTreeMap<Address, Outcome>, plan: &Plan) {
    let empty = ScopePlan::default();
    for (address, outcome) in outcomes.iter_mut().filter(|(_, it)| **it != Outcome::Applied) {
        let scope = plan.scopes.get(address.scope()).unwrap_or(&empty);
        let open = scope.changes.iter().any(|change| change.address == *address);
        let blocked = scope.blocked.iter().any(|blocked| blocked.address == address.to_string());
        if !open && !blocked && scope.gaps.is_empty() {
            *outcome = Outcome::Applied;
        }
    }
}

/// The part of a plan that is about these addresses.
fn only(plan: &Plan, open: &BTreeSet<Address>) -> Plan {
    let scopes = plan.scopes.iter().map(|(name, scope)| {
        let changes = scope.changes.iter().filter(|change| open.contains(&change.address));
        (name.clone(), ScopePlan { changes: changes.cloned().collect(), ..scope.clone() })
    });
    Plan { scopes: scopes.collect() }
}
