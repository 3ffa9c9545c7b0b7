//! What is there, by address: the one that counts and the extras.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::Address;
use crate::observed::{Object, ObservedState};

/// The objects by address.
pub(crate) struct Index<'a> {
    kept: BTreeMap<&'a Address, &'a Object>,
    extras: Vec<&'a Object>,
}

impl<'a> Index<'a> {
    /// Of several objects of one address the one others already refer to
    /// counts, then, unless protected or with data, one that refers to others itself
    /// (beside an attached gateway no second one can be attached), then the oldest,
    /// then the first by id: every reconciler keeps the same one.
    pub(crate) fn new(observed: &'a ObservedState) -> Self {
        let mut by_address: BTreeMap<&Address, Vec<&Object>> = BTreeMap::new();
        for object in &observed.objects {
            by_address.entry(&object.address).or_default().push(object);
        }
        let doubled = by_address.values().any(|objects| objects.len() > 1);
        let used = if doubled { names_of_all(observed) } else { BTreeSet::new() };
        let mut index = Self { kept: BTreeMap::new(), extras: Vec::new() };
        for (address, mut objects) in by_address {
            objects.sort_by_key(|object| {
                let name = (object.address.kind(), object.id.clone());
                let precious = object.facts().holds_data || object.protected();
                let loose = !precious && !refers_to_any(object);
                (!used.contains(&name), loose, object.created(), object.id.as_str())
            });
            let mut objects = objects.into_iter();
            if let Some(first) = objects.next() {
                index.kept.insert(address, first);
            }
            index.extras.extend(objects);
        }
        index
    }

    /// The object of an address.
    pub(crate) fn kept(&self, address: &Address) -> Option<&'a Object> {
        self.kept.get(address).copied()
    }

    /// Every address with its object.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'a Object> + '_ {
        self.kept.values().copied()
    }

    /// The further objects of an address.
    pub(crate) fn extras(&self) -> &[&'a Object] {
        &self.extras
    }
}

/// What an object's attributes name: kind and id of other objects.
pub(crate) fn names(object: &Object, wanted: impl Fn(&str) -> bool) -> BTreeSet<(&str, String)> {
    let attributes = object.body.attributes();
    let mut found = BTreeSet::new();
    for (attribute, kind) in object.facts().refers.iter().filter(|(name, _)| wanted(name)) {
        let mut texts = BTreeSet::new();
        collect(attributes.get(*attribute).unwrap_or(&Value::Null), &mut texts);
        found.extend(texts.into_iter().map(|text| (*kind, text)));
    }
    found
}

fn refers_to_any(object: &Object) -> bool {
    names(object, |_| true).iter().any(|(_, text)| !text.is_empty())
}

fn names_of_all(observed: &ObservedState) -> BTreeSet<(&str, String)> {
    observed.objects.iter().flat_map(|object| names(object, |_| true)).collect()
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => map.iter().for_each(|(key, item)| {
            found.insert(key.clone());
            collect(item, found);
        }),
        _ => {}
    }
}
