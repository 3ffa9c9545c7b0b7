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
mod refused;
mod scope;
mod serve;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lyceum_core::cloud::Cloud;
use lyceum_core::desired::{Agent, scope as scope_of};
use lyceum_core::observed::Object;
use lyceum_core::site::{GLOBAL, Site, TAG_REGION};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::applied::History;
use crate::reports::Heard;

pub use commit::{Commit, Commits, Follow};
use look::Looks;
pub use serve::{Serve, ServeError, aws_options, serve};

/// How long the end waits for calls in flight.
pub const GRACE: Duration = Duration::from_secs(8);
/// How long after a lost answer the next look waits: what the call may have
/// made must be visible by then.
pub const CONSISTENCY: Duration = Duration::from_secs(5);

/// How long after a look at a roll-out under way the next comes: a wave follows
/// the one before within this, a node's pause between two looks at its pointer
/// and the time it takes to converge.
pub const ROLLING: Duration = Duration::from_secs(4);

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
    /// How long after a look at a roll-out under way the next comes.
    pub rolling: Duration,
}

impl Options {
    /// The usual waits for a repository.
    pub fn new(repository: PathBuf, interval: Duration, agent: Option<Agent>) -> Self {
        Self { interval, agent, repository, consistency: CONSISTENCY, rolling: ROLLING }
    }
}

/// What every task works with.
pub(crate) struct Shared<C> {
    pub(crate) cloud: Arc<C>,
    pub(crate) site: Site,
    pub(crate) options: Options,
    pub(crate) history: History,
    pub(crate) looks: Looks,
    pub(crate) heard: Heard,
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
        heard: Heard::default(),
        progress: watch::Sender::new(0),
        options,
    });
    let mut tasks = Tasks::new();
    let mut changed = commits.clone();
    let mut clock = interval(shared.options.interval);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (found, mut scopes) = mpsc::channel(64);
    loop {
        let undeclared = tokio::select! {
            _ = clock.tick() => Vec::new(),
            news = changed.changed() => if news.is_err() { break } else { Vec::new() },
            Some(scopes) = scopes.recv() => scopes,
            _ = end.wait_for(|end| *end) => break,
        };
        let commit = changed.borrow_and_update().clone();
        start(&mut tasks, commit.scopes().collect(), (&shared, &commits, &end));
        match undeclared.is_empty() {
            true => discover(&shared, &commit, &found),
            false => start(&mut tasks, undeclared, (&shared, &commits, &end)),
        }
    }
    finish(tasks).await;
}

/// A scope and the region it is in.
type Place = (String, String);

/// Looks, in the background, for what no manifest declares but is there. A
/// region that does not answer hides only its own. Where no manifest names a
/// region, what has none tells where something is.
fn discover<C: Cloud + 'static>(
    shared: &Arc<Shared<C>>,
    commit: &Arc<Commit>,
    found: &mpsc::Sender<Vec<Place>>,
) {
    let regions = Arc::new(scope_of(&commit.manifests).regions);
    let nowhere = regions.is_empty().then(|| GLOBAL.to_string());
    for region in regions.iter().cloned().chain(nowhere) {
        let (shared, commit, found) = (shared.clone(), commit.clone(), found.clone());
        let regions = regions.clone();
        tokio::spawn(async move {
            let since = before(shared.options.interval);
            let seen = shared.looks.since(&*shared.cloud, &commit, &region, (since, since)).await;
            // Of the other regions those are seen that no manifest names.
            let told = seen.told_regions();
            let place = |object: &Object| {
                let at = match object.region.as_str() {
                    GLOBAL => {
                        object.tags.get(TAG_REGION).filter(|region| told.contains(*region))?
                    }
                    _ => &object.region,
                };
                let here = *at == region || !regions.contains(at);
                here.then(|| (object.address.scope().to_string(), at.clone()))
            };
            // Where something of it is tells more than what a tag says.
            let (global, regional): (Vec<_>, Vec<_>) =
                seen.objects.iter().partition(|object| object.region == GLOBAL);
            let mut places: BTreeMap<String, String> = BTreeMap::new();
            for (scope, region) in regional.into_iter().chain(global).filter_map(place) {
                places.entry(scope).or_insert(region);
            }
            // When nobody listens any more the service has ended. Nothing found is
            // no news: it would ask for the next look at once.
            if !places.is_empty() {
                found.send(places.into_iter().collect()).await.ok();
            }
        });
    }
}

/// A moment that long ago.
pub(crate) fn before(age: Duration) -> Instant {
    Instant::now().checked_sub(age).unwrap_or_else(Instant::now)
}

type Tasks = BTreeMap<String, JoinHandle<()>>;
type Context<'a, C> =
    (&'a Arc<Shared<C>>, &'a watch::Receiver<Arc<Commit>>, &'a watch::Receiver<bool>);

fn start<C: Cloud + 'static>(
    tasks: &mut Tasks,
    places: Vec<Place>,
    (shared, commits, end): Context<'_, C>,
) {
    tasks.retain(|_, task| !task.is_finished());
    for place in places {
        tasks.entry(place.0.clone()).or_insert_with(|| {
            let run = scope::run(shared.clone(), place, commits.clone(), end.clone());
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
