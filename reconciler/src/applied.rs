//! Which revision each cluster has had in full: recorded in the cluster itself,
//! in its parameter `applied`, so that losing this machine loses nothing. It
//! tells a change of the manifest from drift.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lyceum_core::address::Address;
use lyceum_core::cloud::{Cloud, CloudError};
use lyceum_core::desired::{Inputs, Resource, desired};
use lyceum_core::kind::Body;
use lyceum_core::manifest::{Manifests, load};
use lyceum_core::observed::{Object, ObservedState};
use lyceum_core::plan::kept;
use lyceum_core::site::Site;

use crate::source::Git;

/// Revisions remembered; a cluster has one, so this is several hundred clusters
/// each at another.
const REMEMBERED: usize = 256;

/// The revision a cluster had in full, 40 hex digits; none when never.
pub fn recorded(observed: &ObservedState, cluster: &str) -> Option<String> {
    let object = parameter(observed, cluster)?;
    let Body::Parameter(parameter) = &object.body else { return None };
    let text = if parameter.value.is_empty() { &parameter.seed } else { &parameter.value };
    let commit = text.len() == 40 && text.chars().all(|c| c.is_ascii_hexdigit());
    commit.then(|| text.clone())
}

/// Records that a cluster has a revision in full; no call when it says so
/// already. A cluster without its parameter has not got it in full.
pub async fn record(
    cloud: &impl Cloud,
    observed: &ObservedState,
    cluster: &str,
    revision: &str,
) -> Result<(), CloudError> {
    if recorded(observed, cluster).as_deref() == Some(revision) {
        return Ok(());
    }
    let Some(object) = parameter(observed, cluster) else { return Ok(()) };
    let Body::Parameter(parameter) = &object.body else { return Ok(()) };
    let mut parameter = parameter.clone();
    parameter.value = revision.into();
    let (address, region) = (object.address.clone(), object.region.clone());
    let body = Body::Parameter(parameter);
    let after = Resource { address, region, tags: BTreeMap::new(), body };
    cloud.update(object, &after).await.map(drop)
}

/// What the applied revisions desired, from the repository's history.
#[derive(Debug)]
pub struct History {
    repository: PathBuf,
    manifests: Mutex<BTreeMap<String, Option<Arc<Manifests>>>>,
}

impl History {
    /// The history of the repository at `path`.
    pub fn new(path: &Path) -> Self {
        Self { repository: path.into(), manifests: Mutex::default() }
    }

    /// By scope, what each cluster's applied revision desired; a cluster whose
    /// revision is gone from the history, or never was, is absent. A region
    /// has had what the first of its clusters has had.
    pub fn desired(
        &self,
        observed: &ObservedState,
        manifests: &Manifests,
        site: &Site,
    ) -> BTreeMap<String, BTreeMap<Address, Resource>> {
        let mut scopes: BTreeMap<String, BTreeMap<Address, Resource>> = BTreeMap::new();
        for name in manifests.clusters.keys() {
            let revision = recorded(observed, name);
            let Some(before) = revision.and_then(|revision| self.at(&revision)) else { continue };
            let before = only(&before, name);
            let inputs = Inputs::new(&before, None, observed);
            for (address, resource) in desired(&before, site, &inputs).resources {
                let scope = scopes.entry(address.scope().to_string()).or_default();
                scope.entry(address).or_insert(resource);
            }
        }
        scopes
    }

    fn at(&self, revision: &str) -> Option<Arc<Manifests>> {
        let mut known = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manifests) = known.get(revision) {
            return manifests.clone();
        }
        let manifests = self.read(revision);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(revision.into(), manifests.clone());
        manifests
    }

    fn read(&self, revision: &str) -> Option<Arc<Manifests>> {
        let reading = Git::open(&self.repository).ok()?.snapshot(revision).ok()?;
        load(&reading.snapshot).ok().map(Arc::new)
    }
}

/// Manifests with one cluster only.
pub fn only(manifests: &Manifests, cluster: &str) -> Manifests {
    let clusters = manifests.clusters.get_key_value(cluster);
    Manifests {
        revision: manifests.revision.clone(),
        repository: manifests.repository.clone(),
        clusters: clusters.map(|(name, one)| (name.clone(), one.clone())).into_iter().collect(),
        consents: manifests.consents.clone(),
        roles: manifests.roles.clone(),
        warnings: Vec::new(),
        declared_nothing: manifests.declared_nothing,
    }
}

fn parameter<'a>(observed: &'a ObservedState, cluster: &str) -> Option<&'a Object> {
    kept(observed, &Address::new(cluster, "parameter", "applied"))
}
