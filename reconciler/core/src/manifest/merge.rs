//! What a cluster does not say itself, and where each merged value came from.
//!
//! Layers are ordered from the cluster's own file outwards: the nearest layer
//! that gives a value wins. Maps merge key by key; lists and scalars are taken
//! whole. `null` is a value too: it hides the farther layers and leaves the
//! built-in default.

use std::sync::Arc;

use serde_json::Value;

use super::diagnostic::Place;
use super::marks::Node;
use super::source::{Document, segments};

/// A cluster's file and the defaults it takes from, nearest first.
#[derive(Clone, Debug)]
pub(crate) struct Layers(Vec<Arc<Document>>);

impl Layers {
    /// The cluster's own file, then its defaults from near to far.
    pub(super) fn new(own: Document, defaults: Vec<Arc<Document>>) -> Self {
        let mut layers = vec![Arc::new(own)];
        layers.extend(defaults);
        Self(layers)
    }

    /// The cluster's file with `spec` and its labels filled from its defaults,
    /// without nulls.
    pub(super) fn merged(&self) -> Value {
        let mut merged = self.own().value.clone();
        for (outer, key) in [("", "spec"), ("/metadata", "labels")] {
            let values = self.0.iter().filter_map(|layer| layer.value.pointer(outer)?.get(key));
            let value = values.cloned().reduce(|near, far| merge(near, &far));
            if let (Some(Value::Object(map)), Some(value)) = (merged.pointer_mut(outer), value) {
                map.insert(key.into(), value);
            }
        }
        drop_nulls(&mut merged);
        merged
    }

    /// Where the value at a JSON pointer of the merged cluster comes from. A
    /// built-in default is at the innermost map around it in the cluster's file.
    pub(crate) fn place(&self, pointer: &str) -> Place {
        let mut candidates: Vec<(&Document, &Node)> =
            self.0.iter().map(|layer| (layer.as_ref(), &layer.marks)).collect();
        for segment in segments(pointer) {
            let inner = step(&candidates, &segment);
            if inner.is_empty() {
                return self.own().value_place(pointer);
            }
            candidates = inner;
        }
        let (document, node) = candidates[0];
        Place { path: document.path.clone(), mark: node.mark() }
    }

    /// Whether the value at a JSON pointer of the merged cluster, or anything in
    /// it, may have been meant otherwise by a file that has a say in it.
    pub(super) fn is_doubtful(&self, pointer: &str) -> bool {
        for layer in &self.0 {
            if layer.is_doubtful(pointer) {
                return true;
            }
            if hides_farther(&layer.value, pointer) {
                return false;
            }
        }
        false
    }

    /// Whether the value at a JSON pointer was taken out of the cluster's file.
    pub(super) fn is_lost(&self, pointer: &str) -> bool {
        self.own().is_lost(pointer)
    }

    /// Whether the types could be held against a mistake that is reported.
    pub(super) fn has_flaws(&self) -> bool {
        self.0.iter().any(|layer| !layer.flaws.is_empty())
    }

    /// The cluster's own file.
    pub(super) fn path(&self) -> &str {
        &self.own().path
    }

    fn own(&self) -> &Document {
        &self.0[0]
    }
}

/// Whether a layer says all there is at a JSON pointer: anything but a map.
fn hides_farther(value: &Value, pointer: &str) -> bool {
    let mut at = value;
    for segment in segments(pointer) {
        match at {
            Value::Object(map) => match map.get(&segment) {
                Some(inner) => at = inner,
                None => return false,
            },
            _ => return true,
        }
    }
    !at.is_object()
}

/// The layers that have a part in the value at the next segment.
fn step<'a>(
    candidates: &[(&'a Document, &'a Node)],
    segment: &str,
) -> Vec<(&'a Document, &'a Node)> {
    let mut inner = vec![];
    for (document, node) in candidates {
        match node.get(segment) {
            Some(found) if found.is_map() => inner.push((*document, found)),
            // A list or scalar wins over all that is farther away and is
            // hidden by any map that is nearer.
            Some(found) if inner.is_empty() => return vec![(*document, found)],
            Some(_) => return inner,
            None => {}
        }
    }
    inner
}

/// `near`, with what only `far` says.
fn merge(near: Value, far: &Value) -> Value {
    let (mut near, far) = match (near, far) {
        (Value::Object(near), Value::Object(far)) => (near, far),
        (near, _) => return near,
    };
    for (key, theirs) in far {
        let value = match near.remove(key) {
            Some(ours) => merge(ours, theirs),
            None => theirs.clone(),
        };
        near.insert(key.clone(), value);
    }
    Value::Object(near)
}

/// Removes every key whose value is null.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::source;

    fn layers(texts: &[(&str, &str)]) -> Layers {
        let mut read =
            texts.iter().map(|(path, text)| source::read(path, text.as_bytes()).unwrap());
        let own = read.next().unwrap();
        Layers::new(own, read.map(Arc::new).collect())
    }

    #[test]
    fn the_nearest_layer_wins_field_by_field_and_is_named() {
        let layers = layers(&[
            ("own", "spec:\n  hub: {volumeGiB: 1}\n  list: [a]\n  gone: null\n"),
            ("near", "spec:\n  hub:\n    volumeGiB: 2\n    type: t\n"),
            ("far", "spec:\n  list: [b, c]\n  gone: {x: 1}\n  far: {y: 1}\n"),
        ]);
        let expected = serde_json::json!({
            "spec": {"hub": {"volumeGiB": 1, "type": "t"}, "list": ["a"], "far": {"y": 1}}});
        assert_eq!(layers.merged(), expected);
        let at = |pointer: &str| {
            let place = layers.place(pointer);
            format!("{}:{}:{}", place.path, place.mark.line, place.mark.column)
        };
        assert_eq!(at("/spec/hub/volumeGiB"), "own:2:20");
        assert_eq!(at("/spec/hub/type"), "near:4:11");
        assert_eq!(at("/spec/list/0"), "own:3:10");
        assert_eq!(at("/spec/far/y"), "far:4:12");
        assert_eq!(at("/spec/nowhere"), "own:2:3");
    }

    #[test]
    fn labels_merge_by_key_and_a_name_is_the_clusters_own() {
        let layers = layers(&[
            ("own", "metadata: {name: a, labels: {term: fall, gone: null}}"),
            ("far", "metadata:\n  labels: {department: geo, term: spring, gone: b}\n"),
        ]);
        let expected = serde_json::json!({
            "metadata": {"name": "a", "labels": {"term": "fall", "department": "geo"}}});
        assert_eq!(layers.merged(), expected);
        assert_eq!(layers.place("/metadata/labels/department").path, "far");
        assert_eq!(layers.place("/metadata/labels/term").path, "own");
    }

    #[test]
    fn a_scalar_hides_a_farther_map_and_a_list_a_farther_list() {
        let layers = layers(&[
            ("own", "spec: {a: 1, l: [{x: 1}]}"),
            ("far", "spec: {a: {b: 2}, l: [{x: 2, y: 3}]}"),
        ]);
        assert_eq!(layers.merged(), serde_json::json!({"spec": {"a": 1, "l": [{"x": 1}]}}));
        assert_eq!(layers.place("/spec/a/b").path, "own");
        assert_eq!(layers.place("/spec/l/0/y").path, "own");
    }
}
