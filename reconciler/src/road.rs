//! The one road of every command that runs once: manifests, a look at AWS, what
//! should be, what was applied, the plan; and, where asked, its execution.
//!
//! Owns: the order of these steps. May not: decide what a step finds, print, or
//! ask. Invariants: nothing is executed that was not in the plan shown; a look
//! follows every execution; a revision is recorded only once such a look finds
//! nothing left to do.

mod declared;
mod error;
mod passes;
mod status;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use lyceum_aws::{Aws, Options as AwsOptions};
use lyceum_core::cloud::{Cloud, CloudError, Scope};
use lyceum_core::desired::{Agent, DesiredState, Inputs, desired, scope};
use lyceum_core::observed::ObservedState;
use lyceum_core::plan::{Plan, PlanContext, Policy, plan};
use lyceum_core::site::Site;

use crate::applied::{History, Recorded, in_full, record};
use crate::controller::aws_options;
use crate::reports::Heard;
use crate::source::Git;

pub use declared::{AgentFile, DeclaredManifests, declared};
pub(crate) use error::CONNECT;
pub use error::{RoadError, closest};
pub use passes::{Done, Passes};
pub use status::status;

/// What a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only these clusters, and what their regions share; all when empty.
    pub clusters: BTreeSet<String>,
    /// These clusters are to go, whatever the manifests say.
    pub destroy: BTreeSet<String>,
    /// Regions to look at besides those of the manifests.
    pub regions: BTreeSet<String>,
}

/// Everything a command works with.
#[derive(Debug)]
pub struct Road<C> {
    /// Where the clusters are.
    pub cloud: C,
    /// Whose they are.
    pub site: Site,
    /// What they should be.
    pub declared: DeclaredManifests,
    /// What they should have been.
    pub history: History,
    /// The node agent this program carries.
    pub agent: Option<Agent>,
    /// What the command is about.
    pub wanted: Wanted,
}

/// What one look led to.
#[derive(Clone, Debug)]
pub struct Look {
    /// What is there.
    pub observed: ObservedState,
    /// What should be.
    pub desired: DesiredState,
    /// What else the plan depended on.
    pub context: PlanContext,
    /// What is to be done.
    pub plan: Plan,
}

impl Road<Aws> {
    /// Connects to the account the environment names, on behalf of the
    /// repository the manifests come from.
    pub async fn to_aws(
        declared: DeclaredManifests,
        agent: Option<AgentFile>,
        wanted: Wanted,
    ) -> Result<Self, RoadError> {
        Self::connect(declared, agent, wanted, None).await
    }

    /// The same to an emulator at a URL, whatever the environment says.
    pub async fn to_emulator(
        declared: DeclaredManifests,
        agent: Option<AgentFile>,
        wanted: Wanted,
        emulator: String,
    ) -> Result<Self, RoadError> {
        Self::connect(declared, agent, wanted, Some(emulator)).await
    }

    async fn connect(
        declared: DeclaredManifests,
        agent: Option<AgentFile>,
        wanted: Wanted,
        emulator: Option<String>,
    ) -> Result<Self, RoadError> {
        let source = Git::open(&declared.root)?.root_commit(declared.base())?;
        let spec = &declared.manifests.repository;
        let agent = agent.map(|file| (file.path, file.agent));
        let options = AwsOptions { emulator, ..aws_options(spec, agent.as_ref()) };
        let cloud =
            Aws::connect(&spec.owner, &source, options).await.map_err(RoadError::Connect)?;
        let site = cloud.site().clone();
        let history = History::knowing(&declared.root, &declared.manifests);
        let agent = agent.map(|(_, agent)| agent);
        Ok(Self { cloud, site, declared, history, agent, wanted })
    }
}

impl<C: Cloud> Road<C> {
    /// Looks, and plans from what is there.
    ///
    /// Errors: a cluster was asked for that is neither declared nor there.
    pub async fn look(&self) -> Result<Look, RoadError> {
        self.look_for(true).await
    }

    /// Looks once more: by now what was asked to go may be gone.
    pub async fn look_again(&self) -> Result<Look, RoadError> {
        self.look_for(false).await
    }

    async fn look_for(&self, must_be_known: bool) -> Result<Look, RoadError> {
        let manifests = &self.declared.manifests;
        let mut scope = scope(manifests);
        scope.regions.extend(self.wanted.regions.iter().cloned());
        let mut observed = self.observe(scope).await;
        // A command looks a few times and ends: it remembers nothing.
        Heard::default().read(&self.cloud, manifests, &mut observed).await;
        let whose = (manifests, &self.site);
        crate::pointers::read(&self.cloud, whose, self.agent.as_ref(), &mut observed).await;
        let inputs = Inputs::new(manifests, self.agent.as_ref(), &observed);
        let now = now();
        let inputs = inputs.with_nodes(manifests, &observed, now);
        let desired = desired(manifests, &self.site, &inputs);
        let now_given = (manifests, self.agent.as_ref());
        let context = PlanContext {
            now,
            policy: self.policy(),
            applied: self.history.desired(&observed, now_given, &self.site),
            only: self.only(&desired, &observed, must_be_known)?,
        };
        let plan = plan(&desired, &observed, &context);
        Ok(Look { observed, desired, context, plan })
    }

    /// One look; another at the regions in which, as that found, clusters are that
    /// no manifest names any more.
    async fn observe(&self, scope: Scope) -> ObservedState {
        let mut observed = self.cloud.observe(&scope).await;
        let told = observed.told_regions();
        let regions: BTreeSet<String> = told.difference(&scope.regions).cloned().collect();
        if !regions.is_empty() {
            let further = Scope { regions, ..Scope::default() };
            observed.merge_region(self.cloud.observe(&further).await);
        }
        observed
    }

    /// Records the revision of every cluster that has it in full; what could
    /// not be recorded, by cluster. Of uncommitted manifests nothing is.
    pub async fn record(&self, look: &Look) -> Vec<(String, CloudError)> {
        let Some(revision) = self.declared.commit() else { return Vec::new() };
        let mut failed = Vec::new();
        for name in self.declared.manifests.clusters.keys() {
            let Some(full) = settled(look, name, revision) else { continue };
            let recorded = record(&self.cloud, &look.observed, name, &full).await;
            failed.extend(recorded.err().map(|error| (name.clone(), error)));
        }
        failed
    }

    fn policy(&self) -> Policy {
        let manifests = &self.declared.manifests;
        Policy {
            deletes_per_plan: manifests.repository.limits.deletes_per_plan as usize,
            consents: manifests.consents.clone(),
            declares_nothing: manifests.declared_nothing,
            destroy: self.wanted.destroy.clone(),
        }
    }

    /// The clusters asked for, and what the regions of those share that stay.
    fn only(
        &self,
        desired: &DesiredState,
        observed: &ObservedState,
        must_be_known: bool,
    ) -> Result<Option<BTreeSet<String>>, RoadError> {
        let Wanted { clusters, destroy, .. } = &self.wanted;
        if clusters.is_empty() && destroy.is_empty() {
            return Ok(None);
        }
        let known: BTreeSet<&str> = known_scopes(desired, observed);
        let mut only = BTreeSet::new();
        for name in clusters.union(destroy) {
            if must_be_known && !known.contains(name.as_str()) {
                return Err(RoadError::unknown_cluster(name, &known));
            }
            only.insert(name.clone());
        }
        for name in clusters.difference(destroy) {
            let region = desired.scopes.get(name).map(|policy| policy.region.as_str());
            only.extend(region.map(Site::region_scope));
        }
        Ok(Some(only))
    }
}

/// The clusters that are declared or there, or that a gap is about.
fn known_scopes<'a>(desired: &'a DesiredState, observed: &'a ObservedState) -> BTreeSet<&'a str> {
    let declared = desired.scopes.keys().map(String::as_str);
    let there = observed.objects.iter().map(|object| object.address.scope());
    let unseen = observed.gaps.iter().map(|gap| gap.scope.as_str());
    declared
        .chain(there)
        .chain(unseen)
        .filter(|name| !name.is_empty() && !name.starts_with('@'))
        .collect()
}

/// What a cluster that was looked at has in full; none while anything is left
/// to do.
fn settled(look: &Look, cluster: &str, revision: &str) -> Option<Recorded> {
    let suspended = look.desired.scopes.get(cluster).is_none_or(|policy| policy.suspend);
    let destroyed = look.context.policy.destroy.contains(cluster);
    let changes = look.plan.scopes.get(cluster).is_none_or(|scope| !scope.changes.is_empty());
    if suspended || destroyed || changes {
        return None;
    }
    in_full(&look.plan, cluster, revision)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
