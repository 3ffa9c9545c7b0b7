//! What should be: every resource of every cluster, from the manifests alone.
//!
//! Ids are not known here: references (`@{…}`) stand for them. Invariant: what
//! is desired of one cluster depends on nothing another cluster says, but for
//! what the region shares (`@region`), which is the same whoever asks for it.

mod access;
mod alarms;
mod boot;
mod hub;
mod inputs;
mod names;
mod network;
mod nodes;
mod parameters;
mod policy;
mod rollouts;
mod shared;
mod storage;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::cloud::Scope;
use crate::kind::{Body, Kind};
use crate::manifest::Manifests;
use crate::manifest::cluster::{Cluster, ClusterSpec, DriftMode, Os};
use crate::node::rollout::Rollout;
use crate::observed::Gap;
use crate::site::{GLOBAL, Site, TAG_LABEL_PREFIX, TAG_PROTECT, TAG_REGION};

pub use inputs::{Agent, Inputs};
pub(crate) use names::is_agent;
pub(crate) use network::SUBNET_BITS;
pub use nodes::{distrust_replayed, etag, pointers, recognise};
pub use rollouts::{GroupNodes, Nodes};
pub(crate) use storage::HOMES;

/// Everything that should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredState {
    /// Every resource of every scope.
    pub resources: BTreeMap<Address, Resource>,
    /// Every cluster, and `@region` for every region that has one.
    pub scopes: BTreeMap<String, ScopePolicy>,
    /// How the roll-out of each cluster stands.
    pub rollouts: BTreeMap<String, Rollout>,
}

/// How a cluster, or what a region's clusters share, is to be treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePolicy {
    /// Where it is.
    pub region: String,
    /// Leave everything as it is.
    pub suspend: bool,
    /// What to do about changes made outside the repository.
    pub drift: DriftMode,
    /// How long after its launch a node has to report; none where no node does.
    pub report_within: Option<ReportWithin>,
    /// Names of the secrets an operator makes for it.
    pub secrets: BTreeSet<String>,
    /// The system of its manifest, of which a newer image is worth knowing.
    pub os: Option<Os>,
    /// What stays although its manifest no longer asks for it, until somebody
    /// consents to its end.
    pub kept: BTreeSet<Address>,
    /// What should be of it rests on something that could not be read: nothing
    /// of it is touched.
    pub unknown: Option<Gap>,
}

/// How long after its launch a node has to report, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportWithin(pub u32);

impl ReportWithin {
    /// In seconds.
    pub fn seconds(self) -> i64 {
        i64::from(self.0) * 60
    }
}

/// One resource that should be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// What it is called.
    pub address: Address,
    /// Where it is; `global` for IAM and Route 53.
    pub region: String,
    /// The tags that are ours. `lyceum:created` is added when it is made.
    pub tags: BTreeMap<String, String>,
    /// What it is.
    pub body: Body,
    /// What goes along with it.
    #[serde(skip)]
    pub along: Along,
}

/// What goes along with a resource for whoever makes it, and is compared with
/// nothing that is there.
#[derive(Clone, Default, PartialEq)]
pub struct Along {
    /// The content of what is stored, shared by all who hold it.
    pub content: Option<Arc<[u8]>>,
    /// The commit it is wished for.
    pub revision: String,
    /// Of a pointer: the highest sequence that nodes have taken. Its own is to
    /// be above.
    pub taken: u64,
}

impl std::fmt::Debug for Along {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.content.as_ref().map_or(0, |content| content.len());
        write!(f, "Along({}, {size} bytes)", self.revision)
    }
}

/// Everything the manifests ask for.
pub fn desired(manifests: &Manifests, site: &Site, inputs: &Inputs) -> DesiredState {
    let mut state = DesiredState::default();
    for declared in manifests.clusters.values() {
        let cluster = &declared.cluster;
        let name = &cluster.metadata.name;
        let unknown = inputs.unknown.get(name).cloned();
        let within = ReportWithin(cluster.spec.rollout.report_within_minutes);
        // Nodes that are started bare never report.
        let report_within = inputs.agents.contains_key(name).then_some(within);
        let mut draft = Draft::new(site, (manifests, cluster), inputs);
        let kept = network::kept(&draft);
        let policy = ScopePolicy { unknown, report_within, kept, ..scope_policy(&cluster.spec) };
        state.scopes.insert(name.clone(), policy);
        network::add(&mut draft);
        access::add(&mut draft);
        storage::add(&mut draft);
        names::add(&mut draft);
        nodes::add(&mut draft);
        hub::add(&mut draft);
        workers::add(&mut draft);
        alarms::add(&mut draft);
        state.rollouts.insert(name.clone(), draft.rollout);
        state.resources.extend(draft.resources);
    }
    for (region, suspend) in regions(manifests) {
        let scope = Site::region_scope(&region);
        state.resources.extend(shared::resources(site, &region));
        let policy = ScopePolicy {
            region,
            suspend,
            drift: DriftMode::Repair,
            report_within: None,
            secrets: BTreeSet::new(),
            os: None,
            kept: BTreeSet::new(),
            unknown: None,
        };
        state.scopes.insert(scope, policy);
    }
    state
}

/// What has to be looked at to plan for these manifests.
pub fn scope(manifests: &Manifests) -> Scope {
    let mut scope = Scope { regions: manifests.repository.regions.clone(), ..Scope::default() };
    for declared in manifests.clusters.values() {
        let spec = &declared.cluster.spec;
        scope.regions.insert(spec.region.clone());
        // Of a pinned image's system a newer one is worth knowing.
        let images = [image_wanted(spec), spec.os.as_str().to_string()];
        scope.images.entry(spec.region.clone()).or_default().extend(images);
        let name = &declared.cluster.metadata.name;
        scope.domains.extend(spec.domain.clone().map(|domain| (name.clone(), domain)));
        scope.secrets.entry(spec.region.clone()).or_default().extend(secrets(spec));
    }
    scope
}

/// What stands for the image a cluster wants: its system, or the image's id.
pub(crate) fn image_wanted(spec: &ClusterSpec) -> String {
    spec.image.clone().unwrap_or_else(|| spec.os.as_str().to_string())
}

/// A cluster's resources in the making.
pub(crate) struct Draft<'a> {
    pub(crate) site: &'a Site,
    pub(crate) inputs: &'a Inputs,
    pub(crate) manifests: &'a Manifests,
    pub(crate) cluster: &'a Cluster,
    pub(crate) name: &'a str,
    pub(crate) spec: &'a ClusterSpec,
    labels: &'a BTreeMap<String, String>,
    resources: BTreeMap<Address, Resource>,
    rollout: Rollout,
}

impl<'a> Draft<'a> {
    fn new(
        site: &'a Site,
        (manifests, cluster): (&'a Manifests, &'a Cluster),
        inputs: &'a Inputs,
    ) -> Self {
        Self {
            site,
            inputs,
            manifests,
            cluster,
            name: &cluster.metadata.name,
            spec: &cluster.spec,
            labels: &cluster.metadata.labels,
            resources: BTreeMap::new(),
            rollout: Rollout::default(),
        }
    }

    /// The address of something of this cluster.
    pub(crate) fn address<K: Kind>(&self, name: &str) -> Address {
        Address::new(self.name, K::NAME, name)
    }

    /// The range its network is laid out in.
    pub(crate) fn cidr(&self) -> &'a str {
        self.inputs.networks.get(self.name).unwrap_or(&self.spec.network.cidr)
    }

    /// A name in AWS for something of this cluster, at most `limit` characters.
    pub(crate) fn aws_name(&self, name: &str, limit: usize) -> String {
        self.site.name(self.name, name, limit)
    }

    /// The tags of an object of this cluster.
    pub(crate) fn tags(&self, address: &Address) -> BTreeMap<String, String> {
        let mut tags = tags(self.site, address);
        for (key, value) in self.labels {
            tags.insert(format!("{TAG_LABEL_PREFIX}{key}"), value.clone());
        }
        tags
    }

    /// Adds a resource in the cluster's region.
    pub(crate) fn add<K: Kind + Into<Body>>(&mut self, name: &str, body: K) {
        let region = self.spec.region.clone();
        let address = self.address::<K>(name);
        let tags = self.tags(&address);
        let along = Along { revision: self.manifests.revision.clone(), ..Along::default() };
        self.resources
            .insert(address.clone(), Resource { address, region, tags, body: body.into(), along });
    }

    /// Adds a resource that outlives mistakes.
    pub(crate) fn add_protected<K: Kind + Into<Body>>(&mut self, name: &str, body: K) {
        self.add(name, body);
        self.change::<K>(name, |resource| {
            resource.tags.insert(TAG_PROTECT.into(), "true".into());
        });
    }

    /// Adds a resource of IAM or Route 53.
    pub(crate) fn add_global<K: Kind + Into<Body>>(&mut self, name: &str, body: K) {
        self.add(name, body);
        self.change::<K>(name, |resource| {
            let region = std::mem::replace(&mut resource.region, GLOBAL.into());
            resource.tags.insert(TAG_REGION.into(), region);
        });
    }

    /// Changes a resource that was added.
    pub(crate) fn change<K: Kind>(&mut self, name: &str, change: impl FnOnce(&mut Resource)) {
        let address = self.address::<K>(name);
        if let Some(resource) = self.resources.get_mut(&address) {
            change(resource);
        }
    }
}

/// The tags every object has: whose it is, and a name for people.
pub(crate) fn tags(site: &Site, address: &Address) -> BTreeMap<String, String> {
    let mut tags = site.identity(address);
    tags.insert("Name".into(), format!("{} {}", address.scope(), address.name()));
    tags
}

fn scope_policy(spec: &ClusterSpec) -> ScopePolicy {
    ScopePolicy {
        region: spec.region.clone(),
        suspend: spec.suspend,
        drift: spec.drift,
        report_within: None,
        secrets: secrets(spec),
        os: Some(spec.os),
        kept: BTreeSet::new(),
        unknown: None,
    }
}

fn secrets(spec: &ClusterSpec) -> BTreeSet<String> {
    let reference = spec.jupyter.auth.client_secret_ref.as_deref();
    reference.and_then(|text| text.strip_prefix("ssm:")).map(str::to_string).into_iter().collect()
}

/// Every region with a cluster, and whether all its clusters are suspended.
fn regions(manifests: &Manifests) -> BTreeMap<String, bool> {
    let mut regions = BTreeMap::new();
    for declared in manifests.clusters.values() {
        let spec = &declared.cluster.spec;
        *regions.entry(spec.region.clone()).or_insert(true) &= spec.suspend;
    }
    regions
}
