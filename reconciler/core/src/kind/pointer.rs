//! What tells the nodes of a group what to be: a signed object in the bucket.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Rule};
use crate::node::pointer::Body;

/// A pointer. Its id is its key; outputs `etag`, as a list of the bucket tells
/// it, and `sequence` where it was read. What it says stands here field by field,
/// so that a plan shows a change field by field. The revision it is written for
/// goes along with the resource: it is never a change of its own. Untagged; owned
/// through its key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// The bucket's name.
    pub bucket: String,
    /// `clusters/geo-101/pointers/hub.json`.
    pub key: String,
    /// The cluster it is for.
    pub cluster: String,
    /// The group it is for.
    pub group: String,
    /// The key it is signed with, base64.
    pub public_key: String,
    /// Its sequence, its revision and its content are signed with that key.
    pub signed: bool,
    /// What the nodes are to be, see [`crate::node::pointer::Target`]; null where
    /// nobody has read it.
    pub target: Value,
    /// What those are to be meanwhile that are not in `wave`; null without a
    /// roll-out.
    pub previous: Value,
    /// Instances that take the target already.
    pub wave: Vec<String>,
}

impl Pointer {
    /// A pointer that says this. Nothing in it is taken for a reference.
    pub fn new(bucket: String, key: String, body: &Body) -> Self {
        Self {
            bucket,
            key,
            cluster: body.cluster.clone(),
            group: body.group.clone(),
            public_key: body.public_key.clone(),
            signed: true,
            target: guarded(super::to_value(&body.target), guard),
            previous: body.previous.as_ref().map_or(Value::Null, |previous| {
                guarded(super::to_value(previous), guard)
            }),
            wave: body.wave.clone(),
        }
    }

    /// What it says; none where nobody has read it.
    pub fn body(&self) -> Option<Body> {
        let target = |value: &Value| serde_json::from_value(guarded(value.clone(), unguard)).ok();
        Some(Body {
            cluster: self.cluster.clone(),
            group: self.group.clone(),
            public_key: self.public_key.clone(),
            target: target(&self.target)?,
            previous: if self.previous.is_null() { None } else { Some(target(&self.previous)?) },
            wave: self.wave.clone(),
        })
    }

    /// The digests of bundles and agents that nodes are told to have.
    pub fn digests(&self) -> Vec<&str> {
        let targets = [&self.target, &self.previous].into_iter();
        let of_each = targets.flat_map(|it| [&it["bundle"], &it["agent"]["digest"]]);
        of_each.filter_map(Value::as_str).collect()
    }
}

impl Kind for Pointer {
    const NAME: &'static str = "pointer";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("bucket", Rule::Replace),
        ("key", Rule::Replace),
        ("cluster", Rule::Owned),
        ("group", Rule::Owned),
        ("public_key", Rule::Owned),
        ("signed", Rule::Owned),
        ("target", Rule::Owned),
        ("previous", Rule::Owned),
        ("wave", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("bucket", "bucket")];
    const READS_TAGS: bool = false;
    // Nobody is told of what is not there yet, and what is there goes after it.
    const AFTER: &'static [&'static str] = &["object", "signing-key"];
}

/// A word joiner: invisible, and where it stands nothing is a reference.
const JOINER: char = '\u{2060}';

/// Every text of a value, keys among them, changed.
fn guarded(value: Value, change: fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text)),
        Value::Array(items) => items.into_iter().map(|item| guarded(item, change)).collect(),
        Value::Object(map) => Value::Object(
            map.into_iter().map(|(key, item)| (change(&key), guarded(item, change))).collect(),
        ),
        other => other,
    }
}

/// A text of somebody's in which nothing is a reference: `@{` comes apart.
fn guard(text: &str) -> String {
    apart(text, |joiners| joiners + 1)
}

fn unguard(text: &str) -> String {
    apart(text, |joiners| joiners.saturating_sub(1))
}

/// The number of joiners between `@` and `{` changed wherever both stand.
fn apart(text: &str, count: impl Fn(usize) -> usize) -> String {
    let mut parts = text.split('@');
    let mut changed = parts.next().unwrap_or_default().to_string();
    for part in parts {
        changed.push('@');
        let rest = part.trim_start_matches(JOINER);
        let joiners = part[..part.len() - rest.len()].chars().count();
        let joiners = if rest.starts_with('{') { count(joiners) } else { joiners };
        changed.extend(std::iter::repeat_n(JOINER, joiners));
        changed.push_str(rest);
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::address::refs_in_value;
    use crate::node::pointer::Target;

    #[test]
    fn what_people_write_is_no_reference_and_comes_back_as_it_was() {
        let texts = ["@{a/b/c}", "@\u{2060}{a/b/c}", "@@{x}@", "a@\u{2060}b", "é@{"];
        let of_role = |text: &str| BTreeMap::from([("nginx".into(), json!({text: [text]}))]);
        for text in texts {
            let attributes = BTreeMap::from([("r".to_string(), of_role(text))]);
            let target = Target { attributes, ..Target::default() };
            let body = Body { target, ..Body::default() };
            let pointer = Pointer::new("b".into(), "k".into(), &body);
            assert!(refs_in_value(&super::super::to_value(&pointer)).is_empty(), "{text}");
            assert_eq!(pointer.body(), Some(body));
        }
    }
}
