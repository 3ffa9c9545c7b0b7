//! Which revision each cluster has had in full: recorded in the cluster itself,
//! in its parameter `applied`, so that losing this machine loses nothing. It
//! tells a change of the manifest from drift.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lyceum_core::address::Address;
use lyceum_core::cloud::{Cloud, CloudError};
use lyceum_core::desired::{Agent, Along, Inputs, Resource, desired};
use lyceum_core::kind::Body;
use lyceum_core::manifest::{Manifests, load};
use lyceum_core::observed::{Object, ObservedState};
use lyceum_core::plan::{Action, Blocked, Plan, kept};
use lyceum_core::site::Site;

use crate::source::Git;

/// Revisions remembered: clusters of one repository are at the same one, but for
/// those that lag. Each has all that its roles are made of, which may be megabytes;
/// what is forgotten is read again.
const REMEMBERED: usize = 16;

/// Addresses named as left out; more than these and the revision is not
/// recorded. A parameter holds 4,096 characters.
const LEFT_OUT: usize = 40;

/// What a cluster had in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The revision, 40 hex digits.
    pub revision: String,
    /// The version of the program that applied it; empty where that is not known.
    /// Another one may ask for more of the same manifest.
    pub version: String,
    /// What could not be made, such as a record without a zone: it was never
    /// there, and is not drift when it can be made.
    pub without: BTreeSet<String>,
}

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Recorded {
    /// As it stands in the parameter: `<revision> by <version> without a/b/c d/e/f`.
    fn text(&self) -> String {
        let Self { revision, version, without } = self;
        let mut text = revision.clone();
        if !version.is_empty() {
            text += &format!(" by {version}");
        }
        if !without.is_empty() {
            let without: Vec<&str> = without.iter().map(String::as_str).collect();
            text += &format!(" without {}", without.join(" "));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().peekable();
        let revision = words.next()?.to_string();
        let commit = revision.len() == 40 && revision.chars().all(|c| c.is_ascii_hexdigit());
        let by = words.next_if_eq(&"by").and_then(|_| words.next());
        let version = by.unwrap_or_default().to_string();
        let without = words.skip(1).map(str::to_string).collect();
        commit.then_some(Self { revision, version, without })
    }
}

/// What a cluster had in full; none when it never had.
pub fn recorded(observed: &ObservedState, cluster: &str) -> Option<Recorded> {
    let object = parameter(observed, cluster)?;
    let Body::Parameter(parameter) = &object.body else { return None };
    let text = if parameter.value.is_empty() { &parameter.seed } else { &parameter.value };
    Recorded::parse(text)
}

/// Records what a cluster has in full; no call when it says so already. A
/// cluster without its parameter has not got it in full.
pub async fn record(
    cloud: &impl Cloud,
    observed: &ObservedState,
    cluster: &str,
    record: &Recorded,
) -> Result<(), CloudError> {
    if recorded(observed, cluster).as_ref() == Some(record) || record.without.len() > LEFT_OUT {
        return Ok(());
    }
    let Some(object) = parameter(observed, cluster) else { return Ok(()) };
    let Body::Parameter(parameter) = &object.body else { return Ok(()) };
    let mut parameter = parameter.clone();
    parameter.value = record.text();
    let (address, region) = (object.address.clone(), object.region.clone());
    let body = Body::Parameter(parameter);
    let after = Resource { address, region, tags: BTreeMap::new(), body, along: Along::default() };
    cloud.update(object, &after).await.map(drop)
}

/// What a plan with nothing left to change leaves a scope with: its revision in
/// full but for what cannot be made. None while something waits for consent,
/// cannot be seen, or has not reached every node: that is still to come.
pub fn in_full(plan: &Plan, scope: &str, revision: &str) -> Option<Recorded> {
    let plan = plan.scopes.get(scope)?;
    // A block of the whole scope without a consent is its limit: nothing of the
    // plan was done.
    let to_come = |blocked: &Blocked| {
        matches!(blocked.action, Action::Update | Action::Replace)
            || (blocked.action == Action::Create && blocked.consent)
            || (blocked.address == scope && !blocked.consent)
    };
    if !plan.gaps.is_empty() || !plan.is_rolled_out() || plan.blocked.iter().any(to_come) {
        return None;
    }
    let blocked = plan.blocked.iter().filter(|blocked| blocked.action == Action::Create);
    let without = blocked.map(|blocked| blocked.address.clone()).collect();
    Some(Recorded { revision: revision.into(), version: VERSION.into(), without })
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

    /// The same, and what the manifests say that are read already: most clusters are
    /// at their revision. A working tree that git calls clean counts as its commit.
    pub fn knowing(path: &Path, manifests: &Manifests) -> Self {
        let at = (manifests.revision.clone(), Some(Arc::new(manifests.clone())));
        Self { manifests: Mutex::new(BTreeMap::from([at])), ..Self::new(path) }
    }

    /// By scope, what each cluster's applied revision desired; a cluster whose
    /// revision is gone from the history, or never was, is absent, and one that
    /// another version of the program applied had nothing of this one's. A region
    /// has had what the first of its clusters has had. The agent stands in no
    /// revision: a cluster has had the one that its nodes start with.
    pub fn desired(
        &self,
        observed: &ObservedState,
        (manifests, agent): (&Manifests, Option<&Agent>),
        site: &Site,
    ) -> BTreeMap<String, BTreeMap<Address, Resource>> {
        let mut scopes: BTreeMap<String, BTreeMap<Address, Resource>> = BTreeMap::new();
        for name in manifests.clusters.keys() {
            let Some(record) = recorded(observed, name) else { continue };
            // What another version asked for at that revision is not known. All
            // that differs is what this one asks for: it is no drift, and not only
            // reported where drift is.
            if record.version != VERSION {
                scopes.entry(name.clone()).or_default();
                continue;
            }
            let Some(before) = self.at(&record.revision) else { continue };
            let before = only(&before, name);
            let agent = agent.filter(|agent| observed.launched(name, &agent.digest));
            let inputs = Inputs::new(&before, agent, observed);
            for (address, resource) in desired(&before, site, &inputs).resources {
                if record.without.contains(&address.to_string()) {
                    continue;
                }
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
        bundles: manifests.bundles.clone(),
        warnings: Vec::new(),
        declared_nothing: manifests.declared_nothing,
    }
}

fn parameter<'a>(observed: &'a ObservedState, cluster: &str) -> Option<&'a Object> {
    kept(observed, &Address::new(cluster, "parameter", "applied"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_survives_its_text() {
        let full = Recorded { revision: "a".repeat(40), ..Recorded::default() };
        assert_eq!(Recorded::parse(&full.text()), Some(full.clone()));
        let without = Recorded { without: ["geo/record/hub".into()].into(), ..full.clone() };
        assert_eq!(Recorded::parse(&without.text()), Some(without.clone()));
        for one in [full, without] {
            let by = Recorded { version: VERSION.into(), ..one };
            assert_eq!(Recorded::parse(&by.text()), Some(by));
        }
        assert_eq!(Recorded::parse("none"), None);
        assert_eq!(Recorded::parse(""), None);
    }
}
