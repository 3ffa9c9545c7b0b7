//! One cluster's task, or that of what a region shares.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, Cloud, CloudError};
use lyceum_core::desired::{Inputs, desired};
use lyceum_core::kind::{Kind, Pointer};
use lyceum_core::manifest::Manifests;
use lyceum_core::node::rollout::{Phase, RolloutState, Trouble};
use lyceum_core::observed::ObservedState;
use lyceum_core::plan::{Change, Plan, PlanContext, Policy, ScopePlan, StepAction, plan};
use lyceum_core::report::{Next, Outcome, Report};
use tokio::sync::watch;
use tokio::time::sleep;

use super::refused::Refused;
use super::{Commit, Shared};
use crate::applied::{Recorded, in_full, record};
use crate::execute::{self, Progress, execute};

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How old a look may be for the first pass of a new commit.
const JUST_NOW: Duration = Duration::from_secs(5);

/// Converges one scope until the end, or until nothing of it is left.
pub(crate) async fn run<C: Cloud + 'static>(
    shared: Arc<Shared<C>>,
    (scope, found_in): (String, String),
    mut commits: watch::Receiver<Arc<Commit>>,
    mut end: watch::Receiver<bool>,
) {
    let mut since = Instant::now();
    let mut stored = since;
    // When everything is looked at again; before, the nodes alone are.
    let mut due = since;
    let mut tries: u32 = 0;
    let mut refused = Refused::default();
    let mut progress = shared.progress.subscribe();
    let mut said = Vec::new();
    let mut settled = None;
    while !*end.borrow() {
        let commit = commits.borrow_and_update().clone();
        let declared = commit.scopes().find(|(name, _)| *name == scope);
        let region = declared.as_ref().map_or(found_in.as_str(), |(_, region)| region);
        let nodes_alone = Instant::now() < due;
        let declared = declared.is_some();
        let task = Task { scope: &scope, region, declared, since, stored, nodes_alone };
        let pass = tokio::select! {
            pass = pass(&shared, &task, (&commit, &mut refused), stop(&commits, &end)) => pass,
            // Looking and planning change nothing: they may be left at once.
            // What executes is asked to stop, and `pass` ends by itself.
            () = ended_while_idle(end.clone()) => return,
        };
        if pass.nothing_left {
            return;
        }
        say_settled(&mut settled, (&scope, &commit), &pass);
        if pass.rollouts != said {
            pass.rollouts.iter().for_each(say_rollout);
            said.clone_from(&pass.rollouts);
        }
        // What this pass did is no news to itself.
        progress.borrow_and_update();
        let now = Instant::now();
        due = match pass.next {
            _ if pass.told_alone => now + shared.options.interval,
            // The end of a roll-out is the end of what was to be done.
            _ if nodes_alone => due.min(if pass.rolling { due } else { now }),
            Next::Retry => {
                tries = tries.saturating_add(1);
                now + backoff(tries)
            }
            Next::Settled | Next::Stalled => {
                tries = 0;
                now + shared.options.interval
            }
        };
        // A lost answer is waited out whatever else happens.
        let mut newer = false;
        tokio::select! {
            () = sleep(pass.pause) => {}
            _ = end.wait_for(|end| *end) => return,
        }
        let wait = due.saturating_duration_since(Instant::now());
        let wait = if pass.rolling { wait.min(shared.options.rolling) } else { wait };
        tokio::select! {
            () = sleep(wait) => {}
            _ = commits.changed() => {
                (tries, newer, due) = (0, true, Instant::now());
                refused.try_again();
            }
            _ = progress.changed(), if pass.waits => due = Instant::now(),
            _ = end.wait_for(|end| *end) => return,
        }
        // It may have come as something else ended the wait.
        newer |= commits.has_changed().unwrap_or(false);
        // Who changed nothing may share the look that somebody else began, or
        // begin on a commit from what was seen just now.
        since = match (pass.quiet, newer) {
            (false, _) => Instant::now(),
            (true, false) if Instant::now() < due => super::before(shared.options.rolling / 2),
            (true, false) => super::before(shared.options.interval / 2),
            (true, true) => super::before(JUST_NOW.min(shared.options.interval / 2)),
        };
        // But who does not know that nodes have come tells all of them at once.
        stored = if newer { Instant::now() } else { since };
    }
}

/// What a pass is about.
struct Task<'a> {
    scope: &'a str,
    region: &'a str,
    declared: bool,
    /// How old the look may be.
    since: Instant,
    /// How old the look at the bucket may be; not older than `since`.
    stored: Instant,
    /// Only what nodes are told is looked at and written.
    nodes_alone: bool,
}

struct Pass {
    next: Next,
    /// The revision was found to be there in full.
    settled: bool,
    pause: Duration,
    /// Nothing was done: what was seen is still so, as far as we are concerned.
    quiet: bool,
    /// Something waits for another scope.
    waits: bool,
    nothing_left: bool,
    /// A roll-out is under way, and its next wave can be written.
    rolling: bool,
    /// All that was done was telling nodes what to be next: nothing else is new.
    told_alone: bool,
    /// How roll-outs stand.
    rollouts: Vec<RolloutState>,
}

/// Look, plan, execute, record.
async fn pass<C: Cloud>(
    shared: &Shared<C>,
    task: &Task<'_>,
    (commit, refused): (&Commit, &mut Refused),
    stop: watch::Receiver<bool>,
) -> Pass {
    let scope = task.scope;
    let manifests = part_of_manifests(&commit.manifests, scope);
    let observed = seen(shared, task, (commit, &manifests)).await;
    let plan = planned(shared, scope, (commit, &manifests), &observed);
    let plan = if task.nodes_alone { told_alone(&plan) } else { plan };
    let there = observed.objects.iter().any(|object| object.address.scope() == scope);
    if !task.nodes_alone {
        say(scope, &plan);
    }
    let report = done(shared, (&plan, &observed), (commit, refused), stop.clone()).await;
    let mut settled = false;
    if report.outcomes.is_empty() && !*stop.borrow() {
        let full = in_full(&plan, scope, &commit.revision).filter(|_| !task.nodes_alone);
        if let Some(full) = full {
            settled = settle(shared, (scope, commit), &observed, &full).await;
        }
    } else if !report.outcomes.is_empty() {
        if report.outcomes.values().any(|outcome| *outcome == Outcome::Applied) {
            shared.progress.send_modify(|count| *count += 1);
        }
        tell(scope, commit, &report);
    }
    let lost = report.failures().any(|(_, failure)| failure.class == Class::Ambiguous);
    let told = |(address, outcome): (&Address, &Outcome)| {
        address.kind() == Pointer::NAME && *outcome == Outcome::Applied
    };
    let told_alone = !report.outcomes.is_empty() && report.outcomes.iter().all(told);
    let rolling = plan.scopes.get(scope).is_some_and(ScopePlan::is_rolling);
    let refused = report.failures().any(|(address, _)| address.kind() == Pointer::NAME);
    Pass {
        // What was just applied is looked at once more: that look finds nothing
        // to do, and only then is the revision recorded.
        next: if report.outcomes.is_empty() { Next::Settled } else { again(&report) },
        settled,
        pause: if lost { shared.options.consistency } else { Duration::ZERO },
        quiet: report.outcomes.is_empty(),
        waits: report.outcomes.values().any(|one| matches!(one, Outcome::Waiting { .. })),
        nothing_left: !task.declared && !there,
        rolling: rolling && !refused,
        told_alone: rolling && told_alone && !task.nodes_alone,
        rollouts: plan.scopes.get(scope).map(|plan| plan.rollouts.clone()).unwrap_or_default(),
    }
}

/// Executes a plan but for what was refused lately; that is failed still.
async fn done<C: Cloud>(
    shared: &Shared<C>,
    (plan, observed): (&Plan, &ObservedState),
    (commit, refused): (&Commit, &mut Refused),
    stop: watch::Receiver<bool>,
) -> Report {
    let consents = &commit.manifests.consents;
    let changes: Vec<Change> = plan.changes().cloned().collect();
    let held = refused.held(&changes, consents, Instant::now());
    let options = execute::Options {
        parallel: commit.parallel(),
        stop,
        held: held.keys().cloned().collect(),
    };
    let mut report = execute(plan, observed, &*shared.cloud, &options, &Log).await;
    let timing = (shared.options.interval, Instant::now());
    refused.learn((&changes, &report), consents, timing);
    report.outcomes.extend(held.into_iter().map(|(address, it)| (address, Outcome::Failed(it))));
    report
}

/// What there is of a scope, and what its nodes are told and report.
async fn seen<C: Cloud>(
    shared: &Shared<C>,
    task: &Task<'_>,
    (commit, manifests): (&Commit, &Manifests),
) -> ObservedState {
    let Task { scope, region, since, stored, .. } = *task;
    let observed = match task.nodes_alone {
        true => shared.looks.stored(&*shared.cloud, commit, region, since).await,
        false => shared.looks.since(&*shared.cloud, commit, region, (since, stored)).await,
    };
    let mut observed = part(&observed, scope);
    if !scope.starts_with('@') {
        let agent = shared.options.agent.as_ref();
        let whose = (manifests, &shared.site);
        shared.heard.read(&*shared.cloud, manifests, &mut observed).await;
        crate::pointers::read(&*shared.cloud, whose, agent, &mut observed).await;
    }
    observed
}

/// The part of a plan that says what nodes are told: the rest was not looked at
/// just now.
fn told_alone(plan: &Plan) -> Plan {
    let scopes = plan.scopes.iter().map(|(name, scope)| {
        let told = |change: &&Change| change.kind == Pointer::NAME;
        let changes = scope.changes.iter().filter(told).cloned().collect();
        (name.clone(), ScopePlan { changes, ..scope.clone() })
    });
    Plan { scopes: scopes.collect() }
}

fn again(report: &Report) -> Next {
    match report.next() {
        Next::Settled => Next::Retry,
        other => other,
    }
}

fn planned<C>(
    shared: &Shared<C>,
    scope: &str,
    (commit, manifests): (&Commit, &Manifests),
    observed: &ObservedState,
) -> Plan {
    let now = now();
    let agent = shared.options.agent.as_ref();
    let inputs = Inputs::new(manifests, agent, observed).with_nodes(manifests, observed, now);
    let context = PlanContext {
        now,
        policy: Policy { declares_nothing: commit.manifests.declared_nothing, ..commit.policy() },
        applied: shared.history.desired(observed, (manifests, agent), &shared.site),
        only: Some([scope.to_string()].into()),
    };
    plan(&desired(manifests, &shared.site, &inputs), observed, &context)
}

/// Everything is as it should be: the cluster has this revision. Whether that is
/// recorded.
async fn settle<C: Cloud>(
    shared: &Shared<C>,
    (scope, commit): (&str, &Commit),
    observed: &ObservedState,
    full: &Recorded,
) -> bool {
    if commit.manifests.clusters.get(scope).is_none_or(|one| one.cluster.spec.suspend) {
        return false;
    }
    match record(&*shared.cloud, observed, scope, full).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(cluster = scope, %error, "cannot record the revision");
            false
        }
    }
}

/// Says that a cluster has its revision, where that is news: another revision, or
/// something was done since.
fn say_settled(last: &mut Option<String>, (scope, commit): (&str, &Commit), pass: &Pass) {
    if !pass.quiet {
        *last = None;
    }
    if pass.settled && last.as_ref() != Some(&commit.revision) {
        tracing::info!(cluster = scope, revision = commit.revision, "converged");
        *last = Some(commit.revision.clone());
    }
}

/// The manifests a scope's plan depends on: its own cluster; of a region all.
fn part_of_manifests(manifests: &Manifests, scope: &str) -> Manifests {
    if scope.starts_with('@') { manifests.clone() } else { crate::applied::only(manifests, scope) }
}

/// What a scope's plan depends on: its own objects and what its region shares.
fn part(observed: &ObservedState, scope: &str) -> ObservedState {
    let region = scope.starts_with('@');
    let of_it = |name: &str| region || name == scope || name.starts_with('@');
    let instances = observed.instances.iter();
    ObservedState {
        instances: instances.filter(|one| of_it(&one.cluster)).cloned().collect(),
        objects: observed
            .objects
            .iter()
            .filter(|object| of_it(object.address.scope()))
            .cloned()
            .collect(),
        gaps: observed.gaps.clone(),
        surroundings: observed.surroundings.clone(),
    }
}

/// True when a newer commit came or the end did.
fn stop(
    commits: &watch::Receiver<Arc<Commit>>,
    end: &watch::Receiver<bool>,
) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    let (mut commits, mut end) = (commits.clone(), end.clone());
    tokio::spawn(async move {
        tokio::select! {
            _ = commits.changed() => {}
            _ = end.wait_for(|end| *end) => {}
            () = sender.closed() => return,
        }
        sender.send(true).ok();
    });
    receiver
}

/// After the end, an execution is given the grace; a look that hangs is not.
async fn ended_while_idle(mut end: watch::Receiver<bool>) {
    end.wait_for(|end| *end).await.ok();
    sleep(super::GRACE).await;
}

fn backoff(tries: u32) -> Duration {
    let tries = tries.saturating_sub(1);
    Duration::from_millis(250u64 << tries.min(8)).min(LONGEST_PAUSE)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn say(scope: &str, plan: &Plan) {
    let Some(plan) = plan.scopes.get(scope) else { return };
    for blocked in &plan.blocked {
        tracing::warn!(
            cluster = scope,
            address = blocked.address,
            hint = blocked.hint(),
            "blocked: {}",
            blocked.cause
        );
    }
    for drift in &plan.reported {
        tracing::warn!(cluster = scope, address = %drift.address, "drift, reported only");
    }
    if !plan.changes.is_empty() {
        tracing::info!(cluster = scope, changes = plan.changes.len(), "changing");
    }
}

fn say_rollout(rollout: &RolloutState) {
    let RolloutState { cluster, group, done, of, .. } = rollout;
    match rollout.phase {
        Phase::Settled => {}
        Phase::Stopped => {
            for Trouble { node, what, cause, hint } in &rollout.stopped {
                tracing::warn!(
                    cluster,
                    group,
                    node,
                    step = what,
                    hint,
                    "the roll-out is stopped: {cause}"
                );
            }
        }
        phase => {
            let phase = phase.word();
            tracing::info!(cluster, group, phase, done, of, wave = rollout.wave.len(), "roll-out");
        }
    }
}

fn tell(scope: &str, commit: &Commit, report: &Report) {
    for (address, failure) in report.failures() {
        tracing::warn!(cluster = scope, %address, hint = failure.hint, "failed: {}", failure.error);
    }
    for (address, outcome) in &report.outcomes {
        if let Outcome::Waiting { on } = outcome {
            tracing::info!(cluster = scope, %address, on, "waits");
        }
    }
    let done = report.outcomes.values().filter(|one| **one == Outcome::Applied).count();
    let failed = report.failures().count();
    let waiting = report.outcomes.len() - done - failed;
    tracing::info!(
        cluster = scope,
        revision = commit.revision,
        done,
        failed,
        waiting,
        "pass ended"
    );
}

/// Progress as log lines.
struct Log;

impl Progress for Log {
    fn begun(&self, change: &Change, action: StepAction) {
        for attribute in &change.attributes {
            let (before, after) = (&attribute.before, &attribute.after);
            tracing::debug!(address = %change.address, path = attribute.path, %before, %after);
        }
        tracing::debug!(address = %change.address, ?action, "begun");
    }

    fn ended(
        &self,
        change: &Change,
        action: StepAction,
        took: Duration,
        error: Option<&CloudError>,
    ) {
        let (address, took_ms) = (&change.address, took.as_millis());
        match error {
            None => tracing::info!(%address, ?action, reason = %change.reason, took_ms, "done"),
            Some(error) => tracing::debug!(%address, ?action, took_ms, %error, "not done"),
        }
    }
}
