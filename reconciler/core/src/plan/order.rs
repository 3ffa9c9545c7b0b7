//! Resources in an order in which what is referred to comes first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::{Address, Ref, refs_in_value};
use crate::desired::Resource;
use crate::kind::Facts;

/// Every resource after those it refers to; late attributes do not count.
pub(crate) fn by_reference(resources: &BTreeMap<Address, Resource>) -> Vec<&Resource> {
    let mut done = BTreeSet::new();
    let mut ordered = Vec::with_capacity(resources.len());
    for address in resources.keys() {
        visit(address, resources, &mut done, &mut ordered);
    }
    ordered
}

/// The references of a resource that must be answered before it is made.
pub(crate) fn early_refs(facts: &Facts, attributes: &Value) -> BTreeSet<Ref> {
    refs_where(attributes, |name| !facts.late.contains(&name))
}

/// The references of its late attributes.
pub(crate) fn late_refs(facts: &Facts, attributes: &Value) -> BTreeSet<Ref> {
    refs_where(attributes, |name| facts.late.contains(&name))
}

fn refs_where(attributes: &Value, wanted: impl Fn(&str) -> bool) -> BTreeSet<Ref> {
    let Some(map) = attributes.as_object() else { return BTreeSet::new() };
    map.iter()
        .filter(|(name, _)| wanted(name))
        .flat_map(|(_, value)| refs_in_value(value))
        .collect()
}

fn visit<'a>(
    address: &Address,
    resources: &'a BTreeMap<Address, Resource>,
    done: &mut BTreeSet<Address>,
    ordered: &mut Vec<&'a Resource>,
) {
    let Some(resource) = resources.get(address) else { return };
    if !done.insert(address.clone()) {
        return;
    }
    for reference in early_refs(resource.body.facts(), &resource.body.attributes()) {
        visit(&reference.address, resources, done, ordered);
    }
    ordered.push(resource);
}
