//! One look at a region for everybody who asks at the same time.
//!
//! Invariants: a region that does not answer delays no cluster of another; what
//! has no region (IAM, Route 53) is taken from the look at the asker's own
//! region alone, so that nothing is seen twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lyceum_core::cloud::{Cloud, Scope};
use lyceum_core::desired::scope;
use lyceum_core::observed::{Gap, ObservedState};
use lyceum_core::site::GLOBAL;
use tokio::time::timeout;

use super::Commit;

/// How long a look may take; what has not answered by then is a gap.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// The last look at each region. Who asks while one is under way waits for the
/// next and shares it with all who wait.
#[derive(Default)]
pub(crate) struct Looks {
    regions: Mutex<BTreeMap<String, Arc<Region>>>,
}

#[derive(Default)]
struct Region {
    turn: tokio::sync::Mutex<()>,
    last: Mutex<Option<Look>>,
}

#[derive(Clone)]
struct Look {
    /// When everything was looked at.
    begun: Instant,
    /// When the bucket was.
    stored: Instant,
    scope: Scope,
    found: Arc<ObservedState>,
}

impl Looks {
    /// What is there for a cluster in `region`: that region as a look that
    /// began at `since` or later found it, its bucket as one at `stored` or
    /// later did, the others as they were last seen.
    pub(crate) async fn since(
        &self,
        cloud: &impl Cloud,
        commit: &Commit,
        region: &str,
        (since, stored): (Instant, Instant),
    ) -> ObservedState {
        let wanted = scope(&commit.manifests);
        let here = self.of(region);
        let mut state = (*here.since(cloud, part(&wanted, region), (since, stored)).await).clone();
        // Clusters may be where no manifest says so any more.
        let others = &wanted.regions | &state.told_regions();
        for other in others.iter().filter(|other| *other != region) {
            let seen = self.of(other).last(cloud, part(&wanted, other)).await;
            state.merge_region((*seen).clone());
        }
        state
    }

    /// What is there for a cluster in `region`: what lies in the bucket as a look
    /// that began at `since` or later found it, the rest as it was last seen.
    pub(crate) async fn stored(
        &self,
        cloud: &impl Cloud,
        commit: &Commit,
        region: &str,
        since: Instant,
    ) -> ObservedState {
        let wanted = part(&scope(&commit.manifests), region);
        (*self.of(region).stored(cloud, wanted, since).await).clone()
    }

    fn of(&self, region: &str) -> Arc<Region> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions.entry(region.to_string()).or_default().clone()
    }
}

impl Region {
    async fn since(
        &self,
        cloud: &impl Cloud,
        wanted: Scope,
        (since, stored): (Instant, Instant),
    ) -> Arc<ObservedState> {
        let _turn = self.turn.lock().await;
        match self.seen().filter(|look| look.begun >= since && look.scope == wanted) {
            Some(look) => self.stored_of(cloud, look, stored).await,
            None => self.whole(cloud, wanted).await,
        }
    }

    async fn whole(&self, cloud: &impl Cloud, wanted: Scope) -> Arc<ObservedState> {
        let begun = Instant::now();
        let found = match timeout(DEADLINE, cloud.observe(&wanted)).await {
            Ok(found) => found,
            Err(_) => unseen(&wanted),
        };
        let look = Look { begun, stored: begun, scope: wanted, found: Arc::new(found) };
        self.keep(look, &[])
    }

    /// A look at the bucket alone; at everything where nobody has looked before.
    async fn stored(
        &self,
        cloud: &impl Cloud,
        wanted: Scope,
        since: Instant,
    ) -> Arc<ObservedState> {
        let _turn = self.turn.lock().await;
        match self.seen().filter(|look| look.scope == wanted) {
            Some(last) => self.stored_of(cloud, last, since).await,
            None => self.whole(cloud, wanted).await,
        }
    }

    /// A look with its bucket looked at since then.
    async fn stored_of(
        &self,
        cloud: &impl Cloud,
        last: Look,
        since: Instant,
    ) -> Arc<ObservedState> {
        if last.stored >= since {
            return last.found;
        }
        let stored = Instant::now();
        let look = cloud.observe_stored(&last.scope, (*last.found).clone());
        let found = timeout(DEADLINE, look).await.unwrap_or_else(|_| unseen(&last.scope));
        let known = last.found.clone();
        self.keep(Look { stored, found: Arc::new(found), ..last }, &known.gaps)
    }

    /// Remembers a look and says what it could not see, but for what is known.
    fn keep(&self, look: Look, known: &[Gap]) -> Arc<ObservedState> {
        let new = look.found.gaps.iter().filter(|gap| !known.contains(gap));
        for Gap { region, kind, scope, cause } in new {
            tracing::warn!(region, kind, cluster = scope, "cannot see: {cause}");
        }
        let found = look.found.clone();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
        found
    }

    /// As it was last seen, however long ago; a first look where it never was.
    async fn last(&self, cloud: &impl Cloud, wanted: Scope) -> Arc<ObservedState> {
        match self.seen() {
            Some(look) => look.found,
            None => self.since(cloud, wanted, (Instant::now(), Instant::now())).await,
        }
    }

    fn seen(&self) -> Option<Look> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is wanted of one region; of none, what has no region.
fn part(wanted: &Scope, region: &str) -> Scope {
    let here = |all: &BTreeMap<String, BTreeSet<String>>| {
        let of_it = all.get(region).cloned();
        of_it.map(|some| (region.to_string(), some)).into_iter().collect()
    };
    Scope {
        regions: (region != GLOBAL).then(|| region.to_string()).into_iter().collect(),
        images: here(&wanted.images),
        domains: wanted.domains.clone(),
        secrets: here(&wanted.secrets),
    }
}

fn unseen(wanted: &Scope) -> ObservedState {
    let regions = wanted.regions.iter().map(String::as_str).chain([GLOBAL]);
    let gap = |region: &str| Gap {
        region: region.into(),
        kind: String::new(),
        scope: String::new(),
        cause: format!("no answer within {} s", DEADLINE.as_secs()),
    };
    ObservedState { gaps: regions.map(gap).collect(), ..ObservedState::default() }
}
