//! The service: a repository followed, an account connected to, signals heeded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lyceum_aws::{Aws, Options as AwsOptions, Rates};
use lyceum_core::cloud::CloudError;
use lyceum_core::desired::Agent;
use lyceum_core::manifest::repository::RepositorySpec;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::look::DEADLINE;
use super::{Commit, Commits, Follow, Options, converge};
use crate::road::CONNECT;
use crate::source::remote::is_remote;
use crate::source::{Git, Mirror, SourceError};

/// How long a fetch may take.
const FETCH: Duration = Duration::from_secs(120);

/// The longest that a read of a look may wait for answers, however long a call
/// may take otherwise: one list that has none must not end the look with it.
const PATIENCE: Duration = DEADLINE.saturating_sub(Duration::from_secs(15));

/// What the service is asked to do.
#[derive(Clone, Debug)]
pub struct Serve {
    /// A folder or a URL.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// How often everything is looked at although nothing changed.
    pub interval: Duration,
    /// The node agent: its file and what it is.
    pub agent: Option<(PathBuf, Agent)>,
    /// Where copies of remote repositories are kept; may be lost any time.
    pub cache: PathBuf,
}

/// Why the service cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The repository cannot be read.
    #[error("cannot read the repository")]
    Source(#[from] SourceError),
    /// AWS does not say whose account this is.
    #[error("cannot reach AWS")]
    Cloud(#[from] CloudError),
    /// The system refuses what every program needs.
    #[error("the system refuses")]
    System(#[from] std::io::Error),
}

impl ServeError {
    /// What to do about it; of a repository that cannot be read its error knows.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Cloud(_) => Some(CONNECT),
            Self::Source(_) | Self::System(_) => None,
        }
    }
}

/// Serves until SIGTERM or SIGINT.
pub async fn serve(serve: Serve) -> Result<(), ServeError> {
    let (follow, path) = follow(&serve);
    let (branch, interval) = (serve.branch.clone(), serve.interval);
    let mut end = ended()?;
    // Whatever does not answer: an end while beginning is an end.
    let begun = tokio::select! {
        begun = begin(&serve, (follow, branch), &path) => begun?,
        _ = end.wait_for(|end| *end) => return Ok(()),
    };
    let (commits, first, aws) = begun;
    tracing::info!(
        revision = first.revision,
        clusters = first.manifests.clusters.len(),
        account = aws.site().account,
        "serving {}",
        serve.repository
    );
    let (sender, receiver) = watch::channel(Arc::new(first));
    tokio::spawn(commits.run(sender));
    let asked = end.clone();
    watch_begun(receiver.clone());
    let options = Options::new(path, interval, serve.agent.map(|(_, agent)| agent));
    let site = aws.site().clone();
    converge(Arc::new(aws), site, options, receiver, end).await;
    if !*asked.borrow() {
        return Err(ServeError::System(std::io::Error::other("nobody reads the commits any more")));
    }
    tracing::info!("stopped");
    Ok(())
}

/// The first commit, those that come after it, and whose account it is about.
async fn begin(
    serve: &Serve,
    (follow, branch): (Follow, String),
    path: &Path,
) -> Result<(Commits, Commit, Aws), ServeError> {
    let interval = serve.interval;
    let commits = tokio::task::spawn_blocking(move || Commits::of(follow, &branch, interval));
    let commits = commits.await.map_err(std::io::Error::other)??;
    let (commits, first) = commits.first().await?;
    let source = Git::open(path)?.root_commit(&first.revision)?;
    let spec = &first.manifests.repository;
    let aws = Aws::connect(&spec.owner, &source, aws_options(spec, serve.agent.as_ref())).await?;
    Ok((commits, first, aws))
}

/// What `lyceum.yaml` and the agent say about the connection to AWS.
pub fn aws_options(spec: &RepositorySpec, agent: Option<&(PathBuf, Agent)>) -> AwsOptions {
    let rates = spec.rates.iter();
    let call_timeout = Duration::from_secs(u64::from(spec.limits.call_timeout_seconds));
    AwsOptions {
        rates: Rates(
            rates.map(|(name, rate)| (name.clone(), (rate.per_second, rate.burst))).collect(),
        ),
        call_timeout,
        patience: AwsOptions::default().patience.max(call_timeout).min(PATIENCE),
        artifacts: agent
            .map(|(path, agent)| BTreeMap::from([(agent.digest.clone(), path.clone())]))
            .unwrap_or_default(),
        ..AwsOptions::default()
    }
}

fn follow(serve: &Serve) -> (Follow, PathBuf) {
    if is_remote(&serve.repository) {
        let mirror = Mirror::new(&serve.repository, &serve.cache, FETCH);
        let path = mirror.path().to_path_buf();
        (Follow::Remote(mirror), path)
    } else {
        let path = PathBuf::from(&serve.repository);
        (Follow::Local(path.clone()), path)
    }
}

/// True from the first SIGTERM or SIGINT on.
fn ended() -> Result<watch::Receiver<bool>, std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: the calls in flight are finished");
        sender.send(true).ok();
    });
    Ok(receiver)
}

/// The owner is part of every name and tag: a new one means another service. At
/// which rates and for how long calls are made is told once as well.
fn watch_begun(mut commits: watch::Receiver<Arc<Commit>>) {
    let begun = commits.borrow().manifests.repository.clone();
    let calls = |spec: &RepositorySpec| (spec.rates.clone(), spec.limits.call_timeout_seconds);
    tokio::spawn(async move {
        while commits.changed().await.is_ok() {
            let now = commits.borrow_and_update().manifests.repository.clone();
            if now.owner != begun.owner {
                let (owner, now) = (&begun.owner, &now.owner);
                tracing::error!("the owner became {now}; {owner} stays in force until a restart");
            }
            if calls(&now) != calls(&begun) {
                tracing::warn!(
                    "spec.rates and spec.limits.callTimeoutSeconds take effect at a restart"
                );
            }
        }
    });
}
