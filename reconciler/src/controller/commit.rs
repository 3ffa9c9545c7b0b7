//! Which commit is to be converged to: the newest that validates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lyceum_core::manifest::{Invalid, Manifests, load};
use lyceum_core::plan::Policy;
use lyceum_core::site::Site;
use tokio::sync::watch;
use tokio::task::JoinError;

use super::ServeError;

use crate::source::{Git, Mirror, SourceError, Watch};

/// A commit that validates.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its id.
    pub revision: String,
    /// What it declares.
    pub manifests: Manifests,
}

impl Commit {
    /// The clusters it declares and what their regions share, each with its
    /// region.
    pub fn scopes(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.manifests.clusters.iter().flat_map(|(name, one)| {
            let region = &one.cluster.spec.region;
            let shared = (Site::region_scope(region), region.clone());
            [(name.clone(), region.clone()), shared]
        })
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

impl Commits {
    /// The commits of `branch`.
    pub fn of(follow: Follow, branch: &str, interval: Duration) -> Result<Self, SourceError> {
        let watch = match &follow {
            Follow::Local(path) => watched(path, interval)?,
            Follow::Remote(mirror) => {
                mirror.fetch()?;
                Watch::every(interval)
            }
        };
        // Whatever the watch misses, the clock finds.
        let clock = Watch::every(interval);
        Ok(Self { follow, branch: branch.into(), watch, clock, seen: None })
    }

    /// The first commit that validates: the newest, or the next that comes.
    /// None is taken from the history instead: it may be long superseded, and
    /// as long as nothing is converged to, everything stays as it is.
    pub async fn first(mut self) -> Result<(Self, Commit), ServeError> {
        loop {
            let (this, next) = self.look().await.map_err(std::io::Error::other)?;
            self = this;
            if let Some(commit) = next? {
                return Ok((self, commit));
            }
            tokio::select! {
                () = self.watch.tick() => {}
                () = self.clock.tick() => {}
            }
        }
    }

    /// Sends every valid commit until nobody listens.
    pub async fn run(mut self, sender: watch::Sender<Arc<Commit>>) {
        loop {
            tokio::select! {
                () = self.watch.tick() => {}
                () = self.clock.tick() => {}
                () = sender.closed() => return,
            }
            let (this, next) = match self.look().await {
                Ok(looked) => looked,
                Err(error) => {
                    tracing::error!(%error, "reading a commit broke off; the service ends");
                    return;
                }
            };
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

    /// Reading a repository blocks: it is done beside the runtime.
    async fn look(mut self) -> Result<Looked, JoinError> {
        let looked = tokio::task::spawn_blocking(move || {
            let next = self.next();
            (self, next)
        });
        looked.await
    }

    /// A newer commit that validates, if there is one. What does not is
    /// reported once.
    fn next(&mut self) -> Result<Option<Commit>, SourceError> {
        if let Follow::Remote(mirror) = &self.follow {
            mirror.fetch()?;
        }
        let revision = self.git()?.tip(&self.branch)?;
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

/// Ticks of a repository; by the clock where the system watches no more folders.
fn watched(path: &Path, interval: Duration) -> Result<Watch, SourceError> {
    match Watch::references(path) {
        Err(error @ SourceError::Watch { .. }) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                hint = error.hint(),
                "commits are found at every interval alone"
            );
            Ok(Watch::every(interval))
        }
        other => other,
    }
}

type Looked = (Commits, Result<Option<Commit>, SourceError>);

fn report(revision: &str, invalid: &Invalid) {
    for diagnostic in &invalid.diagnostics {
        tracing::error!(revision, "{diagnostic}");
    }
    tracing::error!(
        revision,
        "the commit does not validate and changes nothing; the last one is held"
    );
}
