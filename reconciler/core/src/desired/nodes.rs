//! What the nodes of each group are to be: the key that says so is ours, the
//! bundle of their roles, and the pointer that names it.
//!
//! Invariant: what a pointer says depends on the manifests, the agent and the
//! roll-out alone, never on the commit: the same wish is the same bytes, so that
//! a list of the bucket tells whether it is up to date.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::{Address, Ref, id_of, output_of, resolve};
use crate::kind::{Body, Bucket, Kind, Pointer, Said, SigningKey, StoredObject};
use crate::manifest::Manifests;
use crate::node::bundle::Packed;
use crate::node::pointer::{self, AgentBinary, Target};
use crate::node::report::NodeReport;
use crate::observed::{LiveInstance, Object, ObservedState};
use crate::plan::answers;
use crate::site::{SIGNING_KEY, SIGNING_KEY_PRIVATE, Site, etag_of};

use super::names::agent_address;
use super::{Draft, Inputs, Resource, rollouts};

/// Digits of the digest that stand in a bundle's address.
const SHORT: usize = 12;

/// Adds key, bundles and pointers.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let path = draft.site.parameter_path(draft.name);
    let key = SigningKey {
        name: format!("{path}/{SIGNING_KEY}"),
        private_name: format!("{path}/{SIGNING_KEY_PRIVATE}"),
        private_half: true,
        public_half: true,
    };
    draft.add("node", key);
    add_pointers(draft);
}

/// The public half of a cluster's key, as it stands in an attribute.
pub(crate) fn public_key(draft: &Draft<'_>) -> String {
    output_of(&draft.address::<SigningKey>("node"), "public_key")
}

/// The pointers alone of every cluster, as they are without a roll-out.
pub fn pointers(
    manifests: &Manifests,
    site: &Site,
    inputs: &Inputs,
) -> BTreeMap<Address, Resource> {
    let mut all = BTreeMap::new();
    for declared in manifests.clusters.values().filter(|one| !one.cluster.spec.suspend) {
        let mut draft = Draft::new(site, (manifests, &declared.cluster), inputs);
        add_pointers(&mut draft);
        all.extend(draft.resources);
    }
    all.retain(|address, _| address.kind() == Pointer::NAME);
    all
}

/// Fills in what those observed pointers say that are as one of `wanted`: S3's
/// ETag is the MD5 of the content, so that the list alone tells. Answers those
/// that have to be read: the others, and those that a node refuses, since what
/// stands beside the content, its signature and sequence, is in no list.
pub fn recognise(
    wanted: &BTreeMap<Address, Resource>,
    observed: &mut ObservedState,
) -> Vec<Object> {
    let known = answers(observed);
    let answer = |reference: &Ref| known.get(&reference.address)?.get(&reference.output).cloned();
    let refused = refused(observed);
    let mut open = Vec::new();
    for object in &mut observed.objects {
        let Body::Pointer(seen) = &mut object.body else { continue };
        let Some(wish) = wanted.get(&object.address).filter(|_| seen.target.is_null()) else {
            continue;
        };
        let attributes = resolve(&wish.body.attributes(), &answer);
        match Body::from_attributes(Pointer::NAME, attributes) {
            Ok(Body::Pointer(wish))
                if etag(&wish).as_ref() == object.outputs.get("etag")
                    && !refused.contains(&object.address) =>
            {
                *seen = wish;
            }
            _ => open.push(object.clone()),
        }
    }
    open
}

/// The pointers that one of their nodes refuses, as its report says.
fn refused(observed: &ObservedState) -> BTreeSet<Address> {
    let refusing = reported(observed).filter(|(_, report)| !report.pointer.refused.is_empty());
    refusing.map(|(pointer, _)| pointer).collect()
}

/// Takes a pointer that was read for an unsigned one where it is older than what
/// its nodes have taken: somebody put it back, and they take it as little.
pub fn distrust_replayed(observed: &mut ObservedState) {
    let mut taken: BTreeMap<Address, u64> = BTreeMap::new();
    for (pointer, report) in reported(observed) {
        let highest = taken.entry(pointer).or_default();
        *highest = report.pointer.sequence.max(*highest);
    }
    for object in &mut observed.objects {
        let Body::Pointer(pointer) = &mut object.body else { continue };
        let sequence = object.outputs.get("sequence").and_then(|text| text.parse::<u64>().ok());
        let highest = taken.get(&object.address);
        pointer.signed &= sequence.zip(highest).is_none_or(|(sequence, taken)| sequence >= *taken);
    }
}

/// What the clusters' nodes report, each with the address of its pointer.
fn reported(observed: &ObservedState) -> impl Iterator<Item = (Address, &NodeReport)> {
    let nodes: BTreeMap<&str, &LiveInstance> =
        observed.instances.iter().map(|node| (node.id.as_str(), node)).collect();
    observed.objects.iter().filter_map(move |object| {
        let Body::NodeReport(found) = &object.body else { return None };
        let Some(Said::Report(report)) = found.said.as_deref() else { return None };
        let node = nodes.get(object.address.name())?;
        let ours = node.cluster == object.address.scope();
        let pointer = Address::new(&node.cluster, Pointer::NAME, &node.group);
        ours.then_some((pointer, &**report))
    })
}

/// The ETag of an object with this content, without quotes.
pub fn etag(pointer: &Pointer) -> Option<String> {
    Some(etag_of(pointer.body()?.text().as_bytes()))
}

fn add_pointers(draft: &mut Draft<'_>) {
    let spec = draft.spec;
    let mut targets = BTreeMap::new();
    let mut known = known_agent(draft);
    for (group, roles) in [("hub", &spec.hub.roles), ("workers", &spec.workers.roles)] {
        // A list of roles without its bundle is one that did not validate.
        let Some(bundle) = draft.manifests.bundles.get(roles) else { continue };
        let address = add_bundle(draft, bundle);
        known.insert(bundle.digest.clone(), output_of(&address, "digest"));
        targets.insert(group, target(draft, roles, bundle));
    }
    for (group, body) in rollouts::bodies(draft, targets) {
        let pointer = pointer(draft, &body, &known);
        draft.add(&group, pointer);
        let taken = draft.inputs.nodes.get(draft.name).map_or(0, |nodes| nodes.taken(&group));
        draft.change::<Pointer>(&group, |resource| resource.along.taken = taken);
    }
}

/// The digest of the agent, with what stands for it until it is there.
fn known_agent(draft: &Draft<'_>) -> BTreeMap<String, String> {
    let agent = draft.inputs.agents.get(draft.name).into_iter();
    let digest = |agent| output_of(&agent_address(draft, agent), "digest");
    agent.map(|agent| (agent.digest.clone(), digest(agent))).collect()
}

fn add_bundle(draft: &mut Draft<'_>, bundle: &Packed) -> Address {
    let name = format!("bundle-{}", &bundle.digest[..SHORT]);
    let object = StoredObject {
        bucket: bucket(draft),
        key: format!("{}bundles/{}", Site::object_prefix(draft.name), bundle.digest),
        size: bundle.bytes.len() as u64,
        etag: bundle.etag.clone(),
    };
    draft.add(&name, object);
    let content = bundle.bytes.clone();
    draft.change::<StoredObject>(&name, |resource| resource.along.content = Some(content));
    draft.address::<StoredObject>(&name)
}

/// What the nodes of a group are to be in the end.
fn target(draft: &Draft<'_>, roles: &[String], bundle: &Packed) -> Target {
    let agent = draft.inputs.agents.get(draft.name);
    Target {
        bundle: bundle.digest.clone(),
        bundle_size: bundle.bytes.len() as u64,
        agent: agent.map(|agent| AgentBinary { digest: agent.digest.clone(), size: agent.size }),
        roles: roles.to_vec(),
        role_digests: bundle.roles.clone(),
        attributes: attributes(draft, bundle),
        cluster: draft.cluster.told(&bundle.asked),
    }
}

/// A pointer that says this. Digests of what is wanted stand in it as references
/// to the objects that have them: nobody is told of what is not there.
fn pointer(draft: &Draft<'_>, body: &pointer::Body, known: &BTreeMap<String, String>) -> Pointer {
    let key = format!("{}pointers/{}.json", Site::object_prefix(draft.name), body.group);
    let mut pointer = Pointer::new(bucket(draft), key, body);
    pointer.public_key = public_key(draft);
    let stands_for = |digest: &mut Value| {
        if let Some(reference) = digest.as_str().and_then(|digest| known.get(digest)) {
            *digest = reference.as_str().into();
        }
    };
    for target in [&mut pointer.target, &mut pointer.previous] {
        target.get_mut("bundle").map(stands_for);
        target.get_mut("agent").and_then(|agent| agent.get_mut("digest")).map(stands_for);
    }
    pointer
}

/// What the cluster sets for the roles of a bundle.
fn attributes(
    draft: &Draft<'_>,
    bundle: &Packed,
) -> BTreeMap<String, BTreeMap<String, serde_json::Value>> {
    let all = draft.spec.attributes.iter();
    let of_it = all.filter(|(role, set)| bundle.roles.contains_key(*role) && !set.is_empty());
    of_it.map(|(role, set)| (role.clone(), set.clone())).collect()
}

fn bucket(draft: &Draft<'_>) -> String {
    id_of(&Address::new(&Site::region_scope(&draft.spec.region), Bucket::NAME, "artifacts"))
}
