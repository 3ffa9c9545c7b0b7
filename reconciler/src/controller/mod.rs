//! Keeping it so: a task for every cluster, and for what each region shares,
//! that looks, plans, executes, and looks again.
//!
//! Owns: when something is done. May not: decide what. Invariants: one sick
//! cluster delays no other; one look serves every cluster that asks for one; a
//! newer commit is taken up at the next safe point; a commit that does not
//! validate changes nothing; the end waits for the calls in flight, at most
//! [`GRACE`].

mod commit;
mod look;
mod scope;
mod serve;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lyceum_core::cloud::Cloud;
use lyceum_core::desired::Agent;
use lyceum_core::site::Site;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::applied::History;

pub use commit::{Commit, Commits, Follow, NoCommit};
use look::Looks;
pub use serve::{Serve, ServeError, aws_options, serve};

/// How long the end waits for calls in flight.
pub const GRACE: Duration = Duration::from_secs(8);
/// How long after a lost answer the next look waits: what the call may have
/// made must be visible by then.
pub const CONSISTENCY: Duration = Duration::from_secs(5);

/// How the service runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often everything is looked at although nothing changed.
    pub interval: Duration,
    /// The node agent this program carries.
    pub agent: Option<Agent>,
    /// The repository, for the history of applied revisions.
    pub repository: PathBuf,
    /// How long after a lost answer the next look waits.
    pub consistency: Duration,
}

impl Options {
    /// The usual waits for a repository.
    pub fn new(repository: PathBuf, interval: Duration, agent: Option<Agent>) -> Self {
        Self { interval, agent, repository, consistency: CONSISTENCY }
    }
}

/// What every task works with.
pub(crate) struct Shared<C> {
    pub(crate) cloud: Arc<C>,
    pub(crate) site: Site,
    pub(crate) options: Options,
    pub(crate) history: History,
    pub(crate) looks: Looks,
    /// Counts what was done; whoever waits for another scope looks again.
    pub(crate) progress: watch::Sender<u64>,
}

/// Converges until `end` turns true: then the calls in flight are finished.
pub async fn converge<C: Cloud + 'static>(
    cloud: Arc<C>,
    site: Site,
    options: Options,
    commits: watch::Receiver<Arc<Commit>>,
    mut end: watch::Receiver<bool>,
) {
    let shared = Arc::new(Shared {
        cloud,
        site,
        history: History::new(&options.repository),
        looks: Looks::default(),
        progress: watch::Sender::new(0),
        options,
    });
    let mut tasks: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    let mut changed = commits.clone();
    let mut clock = interval(shared.options.interval);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            news = changed.changed() => if news.is_err() { break },
            _ = end.wait_for(|end| *end) => break,
        }
        let commit = changed.borrow_and_update().clone();
        // The declared ones at once; what else is there after a look.
        start(&mut tasks, commit.scopes(), (&shared, &commits, &end));
        let observed = tokio::select! {
            observed = shared.looks.recent(&*shared.cloud, &commit, shared.options.interval) => observed,
            _ = end.wait_for(|end| *end) => break,
        };
        let there = observed.objects.iter().map(|object| object.address.scope().to_string());
        start(&mut tasks, there, (&shared, &commits, &end));
    }
    finish(tasks).await;
}

type Tasks = BTreeMap<String, JoinHandle<()>>;
type Context<'a, C> =
    (&'a Arc<Shared<C>>, &'a watch::Receiver<Arc<Commit>>, &'a watch::Receiver<bool>);

fn start<C: Cloud + 'static>(
    tasks: &mut Tasks,
    scopes: impl IntoIterator<Item = String>,
    (shared, commits, end): Context<'_, C>,
) {
    tasks.retain(|_, task| !task.is_finished());
    for scope in scopes {
        tasks.entry(scope.clone()).or_insert_with(|| {
            let run = scope::run(shared.clone(), scope, commits.clone(), end.clone());
            tokio::spawn(run)
        });
    }
}

async fn finish(tasks: Tasks) {
    let handles: Vec<_> = tasks.into_values().collect();
    let aborts: Vec<_> = handles.iter().map(JoinHandle::abort_handle).collect();
    if timeout(GRACE, futures_util::future::join_all(handles)).await.is_err() {
        tracing::warn!("calls still in flight after {} s are given up", GRACE.as_secs());
        aborts.iter().for_each(tokio::task::AbortHandle::abort);
    }
}
