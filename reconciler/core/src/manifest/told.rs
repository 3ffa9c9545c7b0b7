//! What a role's texts may know of a cluster: its manifest, defaults filled in.
//!
//! Invariant: every field of the schema is there, so that a text may ask for any:
//! one that is not said and has no default is null, an empty list or map.

use serde_json::{Map, Value};

use super::cluster::Cluster;
use super::schema::FileKind;

/// Fields of `spec` that are no business of a node's: what the reconciler alone
/// goes by, and attributes, which roles have as such.
pub(super) const KEPT_BACK: &[&str] = &["attributes", "drift", "rollout", "suspend"];

impl Cluster {
    /// `metadata` and `spec`, as `cluster` in a role's texts.
    pub fn told(&self) -> Value {
        let mut told = serde_json::to_value(self).unwrap_or_default();
        fill(FileKind::Cluster.schema(), &mut told);
        if let Value::Object(map) = &mut told {
            map.retain(|name, _| name == "metadata" || name == "spec");
        }
        if let Some(Value::Object(spec)) = told.get_mut("spec") {
            spec.retain(|name, _| !KEPT_BACK.contains(&name.as_str()));
        }
        told
    }
}

/// Adds what is absent, at any depth.
fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let inner = map.entry(name).or_insert_with(|| absent(property));
                fill(property, inner);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(&schema["items"], item)),
        _ => {}
    }
}

fn absent(schema: &Value) -> Value {
    let is = |name: &str| match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    };
    if is("array") {
        Value::Array(Vec::new())
    } else if is("object") {
        Value::Object(Map::new())
    } else {
        Value::Null
    }
}
