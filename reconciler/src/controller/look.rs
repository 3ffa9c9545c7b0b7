//! One look at AWS for everybody who asks at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lyceum_core::cloud::{Cloud, Scope};
use lyceum_core::desired::scope;
use lyceum_core::observed::ObservedState;
use tokio::sync::Mutex;

use super::Commit;

/// The last look. Who asks while one is under way waits for the next and shares
/// it with all who wait.
#[derive(Default)]
pub(crate) struct Looks {
    last: Mutex<Option<Look>>,
}

struct Look {
    begun: Instant,
    scope: Scope,
    found: Arc<ObservedState>,
}

impl Looks {
    /// A look for this commit that began at `since` or later.
    pub(crate) async fn since(
        &self,
        cloud: &impl Cloud,
        commit: &Commit,
        since: Instant,
    ) -> Arc<ObservedState> {
        let wanted = scope(&commit.manifests);
        let mut last = self.last.lock().await;
        if let Some(look) = last.as_ref()
            && look.begun >= since
            && look.scope == wanted
        {
            return look.found.clone();
        }
        let begun = Instant::now();
        let found = Arc::new(cloud.observe(&wanted).await);
        for gap in &found.gaps {
            tracing::warn!(
                region = gap.region,
                kind = gap.kind,
                cluster = gap.scope,
                "cannot see: {}",
                gap.cause
            );
        }
        *last = Some(Look { begun, scope: wanted, found: found.clone() });
        found
    }

    /// A look for this commit not older than `age`.
    pub(crate) async fn recent(
        &self,
        cloud: &impl Cloud,
        commit: &Commit,
        age: Duration,
    ) -> Arc<ObservedState> {
        let since = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        self.since(cloud, commit, since).await
    }
}
