//! Which commit is to be converged to: the newest that validates.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lyceum_core::manifest::{Invalid, Manifests, load};
use lyceum_core::plan::Policy;
use lyceum_core::site::Site;
use tokio::sync::watch;

use crate::source::{Git, Mirror, SourceError, Watch};

/// Ancestors looked at for one that validates.
const ANCESTORS: usize = 100;

/// A commit that validates.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its id.
    pub revision: String,
    /// What it declares.
    pub manifests: Manifests,
}

impl Commit {
    /// The clusters it declares, and the regions they are in.
    pub fn scopes(&self) -> impl Iterator<Item = String> + '_ {
        let clusters = &self.manifests.clusters;
        let regions = clusters.values().map(|one| Site::region_scope(&one.cluster.spec.region));
        clusters.keys().cloned().chain(regions)
    }

    /// What may be deleted.
    pub fn policy(&self) -> Policy {
        Policy {
            deletes_per_plan: self.manifests.repository.limits.deletes_per_plan as usize,
            consents: self.manifests.consents.clone(),
            declares_nothing: self.manifests.declared_nothing,
            ..Policy::default()
        }
    }

    /// Changes carried out at the same time.
    pub fn parallel(&self) -> usize {
        self.manifests.repository.limits.parallel_changes as usize
    }
}

/// Where commits come from.
#[derive(Clone, Debug)]
pub enum Follow {
    /// A repository on this machine: watched.
    Local(PathBuf),
    /// A copy of a remote one: fetched at every interval.
    Remote(Mirror),
}

/// The commits of a branch as they come.
pub struct Commits {
    follow: Follow,
    branch: String,
    watch: Watch,
    clock: Watch,
    /// The newest that was looked at, valid or not.
    seen: Option<String>,
}

/// Why there is no commit to begin with.
#[derive(Debug, thiserror::Error)]
pub enum NoCommit {
    /// The repository cannot be read.
    #[error("cannot read the repository")]
    Source(#[from] SourceError),
    /// None of the newest commits validates.
    #[error("no commit among the newest {ANCESTORS} of {branch} validates")]
    Invalid {
        /// The branch.
        branch: String,
        /// What is wrong with the newest.
        #[source]
        newest: Invalid,
    },
}

impl Commits {
    /// The newest valid commit of `branch`, and the way to the next ones.
    pub fn begin(
        follow: Follow,
        branch: &str,
        interval: Duration,
    ) -> Result<(Self, Commit), NoCommit> {
        let watch = match &follow {
            Follow::Local(path) => Watch::references(path)?,
            Follow::Remote(mirror) => {
                mirror.fetch()?;
                Watch::every(interval)
            }
        };
        // Whatever the watch misses, the clock finds.
        let clock = Watch::every(interval);
        let mut commits = Self { follow, branch: branch.into(), watch, clock, seen: None };
        let first = commits.newest_valid()?;
        Ok((commits, first))
    }

    /// Sends every valid commit until nobody listens.
    pub async fn run(mut self, sender: watch::Sender<Arc<Commit>>) {
        loop {
            tokio::select! {
                () = self.watch.tick() => {}
                () = self.clock.tick() => {}
                () = sender.closed() => return,
            }
            let next = tokio::task::spawn_blocking(move || {
                let next = self.next();
                (self, next)
            });
            let Ok((this, next)) = next.await else { return };
            self = this;
            match next {
                Ok(Some(commit)) => {
                    tracing::info!(revision = commit.revision, "new commit");
                    sender.send_replace(Arc::new(commit));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        hint = error.hint(),
                        "cannot read the repository; the last commit is held"
                    );
                }
            }
        }
    }

    /// A newer commit that validates, if there is one. What does not is
    /// reported once.
    fn next(&mut self) -> Result<Option<Commit>, SourceError> {
        if let Follow::Remote(mirror) = &self.follow {
            mirror.fetch()?;
        }
        let revision = self.git()?.resolve(&self.branch)?;
        if self.seen.as_ref() == Some(&revision) {
            return Ok(None);
        }
        let loaded = self.load(&revision)?;
        self.seen = Some(revision.clone());
        match loaded {
            Ok(manifests) => Ok(Some(Commit { revision, manifests })),
            Err(invalid) => {
                report(&revision, &invalid);
                Ok(None)
            }
        }
    }

    fn newest_valid(&mut self) -> Result<Commit, NoCommit> {
        let mut revision = self.git()?.resolve(&self.branch)?;
        self.seen = Some(revision.clone());
        let mut newest = None;
        for _ in 0..ANCESTORS {
            match self.load(&revision)? {
                Ok(manifests) => return Ok(Commit { revision, manifests }),
                Err(invalid) => {
                    if newest.is_none() {
                        report(&revision, &invalid);
                        newest = Some(invalid);
                    }
                }
            }
            match self.git()?.resolve(&format!("{revision}^")) {
                Ok(parent) => revision = parent,
                Err(_) => break,
            }
        }
        let newest = newest.unwrap_or(Invalid { diagnostics: Vec::new() });
        Err(NoCommit::Invalid { branch: self.branch.clone(), newest })
    }

    fn load(&self, revision: &str) -> Result<Result<Manifests, Invalid>, SourceError> {
        Ok(load(&self.git()?.snapshot(revision)?.snapshot))
    }

    fn git(&self) -> Result<Git, SourceError> {
        match &self.follow {
            Follow::Local(path) => Git::open(path),
            Follow::Remote(mirror) => mirror.git(),
        }
    }
}

fn report(revision: &str, invalid: &Invalid) {
    for diagnostic in &invalid.diagnostics {
        tracing::error!(revision, "{diagnostic}");
    }
    tracing::error!(
        revision,
        "the commit does not validate and changes nothing; the last one is held"
    );
}
