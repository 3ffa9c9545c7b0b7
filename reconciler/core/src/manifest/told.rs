//! What a role's texts may know of a cluster: its manifest, defaults filled in.
//!
//! Invariant: every field of the schema is there, so that a text may ask for any:
//! one that is not said and has no default is null, an empty list or map.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::cluster::Cluster;
use super::schema::FileKind;

/// Fields of `spec` that are no business of a node's: what the reconciler alone
/// goes by, and attributes, which roles have as such.
pub(super) const KEPT_BACK: &[&str] = &["attributes", "drift", "rollout", "suspend"];

impl Cluster {
    /// What of `metadata` and `spec` stands at these dotted paths, as `cluster` in
    /// a role's texts. Of the rest nodes are not told: a change of it is none of
    /// theirs.
    pub fn told(&self, paths: &BTreeSet<String>) -> Value {
        let mut whole = serde_json::to_value(self).unwrap_or_default();
        fill(FileKind::Cluster.schema(), &mut whole);
        if let Value::Object(map) = &mut whole {
            map.retain(|name, _| name == "metadata" || name == "spec");
        }
        if let Some(Value::Object(spec)) = whole.get_mut("spec") {
            spec.retain(|name, _| !KEPT_BACK.contains(&name.as_str()));
        }
        let mut told = Value::Object(Map::new());
        for path in paths {
            copy(&whole, path.split('.').filter(|part| !part.is_empty()), &mut told);
        }
        told
    }
}

/// Copies what stands at a path; where it leads into something that has no parts,
/// that.
fn copy<'a>(from: &Value, mut path: impl Iterator<Item = &'a str>, to: &mut Value) {
    let (Some(name), Value::Object(map)) = (path.next(), from) else {
        *to = from.clone();
        return;
    };
    if !to.is_object() {
        *to = Value::Object(Map::new());
    }
    if let (Some(inner), Value::Object(told)) = (map.get(name), to) {
        copy(inner, path, told.entry(name).or_insert(Value::Null));
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(paths: &[&str]) -> Value {
        let text = "{apiVersion: lyceum/v1, kind: Cluster, metadata: {name: geo}, spec: \
                    {workers: {min: 2}, suspend: true}}";
        let cluster: Cluster = serde_yaml::from_str(text).unwrap();
        cluster.told(&paths.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nodes_are_told_what_their_roles_ask_for() {
        assert_eq!(told(&[]), json!({}));
        assert_eq!(told(&["spec.workers.min"]), json!({"spec": {"workers": {"min": 2}}}));
        // What nobody said is there all the same, and what has no parts whole.
        let asked = ["spec.domain", "metadata.labels.term", "metadata.name.first"];
        let expected = json!({"spec": {"domain": null}, "metadata": {"labels": {}, "name": "geo"}});
        assert_eq!(told(&asked), expected);
        assert_eq!(told(&["spec.hub", "spec.hub.roles"]), told(&["spec.hub"]));
        assert!(told(&[""])["spec"]["suspend"].is_null() && told(&[""])["spec"]["os"].is_string());
    }
}
