//! How what is there differs from what should be, attribute by attribute.
//!
//! Both sides are JSON with ordered maps and sets, so equal meaning is equal
//! bytes. What an attribute's difference leads to is its kind's rule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::{Ref, refs_in_value};
use crate::kind::{Facts, Rule};
use crate::site::TAG_LABEL_PREFIX;

/// One top-level attribute that differs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The attribute, or `tags`.
    pub(crate) attribute: String,
    /// What it leads to.
    pub(crate) effect: Effect,
    /// Where exactly: path, before, after.
    pub(crate) leaves: Vec<(String, Value, Value)>,
}

/// What a difference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    InPlace,
    Restart,
    Replace,
}

/// The owned attributes in which `want` (its known references answered) differs
/// from `seen`. An attribute with a reference for which `ignore` says so (its
/// object is unknown) is left out.
pub(crate) fn differences(
    facts: &Facts,
    want: &Value,
    seen: &Value,
    ignore: &dyn Fn(&Ref) -> bool,
) -> Vec<Difference> {
    let names: Vec<&str> = facts.attributes.iter().map(|(name, _)| *name).collect();
    let null = Value::Null;
    let mut found = Vec::new();
    for name in names {
        let (before, after) = (seen.get(name).unwrap_or(&null), want.get(name).unwrap_or(&null));
        let is_ignored = |value: &Value| refs_in_value(value).iter().any(ignore);
        // What another attribute is kept for does not go ahead of it.
        let leads = facts.attributes.iter().any(|(other, rule)| {
            *rule == Rule::InitialWhile(name) && is_ignored(want.get(other).unwrap_or(&null))
        });
        if before == after || is_ignored(after) || leads {
            continue;
        }
        let Some(effect) = effect(facts.rule(name), (before, after), (seen, want)) else {
            continue;
        };
        let mut leaves = Vec::new();
        collect(name.to_string(), before, after, &mut leaves);
        found.push(Difference { attribute: name.into(), effect, leaves });
    }
    found
}

/// The owned tags that are missing or differ, and labels that nobody wants any
/// more; foreign tags are not looked at.
pub(crate) fn tag_differences(
    want: &BTreeMap<String, String>,
    seen: &BTreeMap<String, String>,
) -> Option<Difference> {
    let leaves: Vec<_> = want
        .iter()
        .filter(|(key, value)| seen.get(*key) != Some(value))
        .map(|(key, value)| {
            let before = seen.get(key).map_or(Value::Null, |value| value.as_str().into());
            (step("tags", key), before, value.as_str().into())
        })
        .chain(
            labels(seen)
                .filter(|(key, _)| !want.contains_key(*key))
                .map(|(key, value)| (step("tags", key), value.as_str().into(), Value::Null)),
        )
        .collect();
    (!leaves.is_empty()).then(|| Difference {
        attribute: "tags".into(),
        effect: Effect::InPlace,
        leaves,
    })
}

/// The tags that labels of the manifest became.
pub(crate) fn labels(tags: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    tags.iter().filter(|(key, _)| key.starts_with(TAG_LABEL_PREFIX))
}

/// Every attribute of something that is made, or was there.
pub(crate) fn whole(attributes: &Value) -> Vec<(String, Value)> {
    let Some(map) = attributes.as_object() else { return Vec::new() };
    map.iter()
        .filter(|(_, value)| !is_empty(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn effect(
    rule: Rule,
    (before, after): (&Value, &Value),
    (seen, want): (&Value, &Value),
) -> Option<Effect> {
    match rule {
        Rule::Owned => Some(Effect::InPlace),
        Rule::Restart => Some(Effect::Restart),
        Rule::Replace => Some(Effect::Replace),
        Rule::Grow if after.as_f64() >= before.as_f64() => Some(Effect::InPlace),
        Rule::Grow => Some(Effect::Replace),
        Rule::Initial => None,
        Rule::InitialWhile(other) if seen.get(other) == want.get(other) => None,
        Rule::InitialWhile(_) => Some(Effect::InPlace),
    }
}

fn collect(path: String, before: &Value, after: &Value, leaves: &mut Vec<(String, Value, Value)>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let side = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                collect(step(&path, key), &side(old), &side(new), leaves);
            }
        }
        // Of two sets only what goes and what comes.
        (Value::Array(old), Value::Array(new)) if old.iter().chain(new).all(Value::is_object) => {
            let gone = old.iter().filter(|item| !new.contains(item)).cloned().collect();
            let come = new.iter().filter(|item| !old.contains(item)).cloned().collect();
            leaves.push((path, Value::Array(gone), Value::Array(come)));
        }
        _ => leaves.push((path, before.clone(), after.clone())),
    }
}

pub(super) fn step(path: &str, key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if plain { format!("{path}.{key}") } else { format!("{path}[{key}]") }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::facts;
    use serde_json::json;

    fn effects(kind: &str, want: Value, seen: Value) -> Vec<(String, Effect)> {
        differences(facts(kind), &want, &seen, &|_| false)
            .into_iter()
            .map(|difference| (difference.attribute, difference.effect))
            .collect()
    }

    #[test]
    fn a_rule_decides_what_a_difference_leads_to() {
        let grow = effects("volume", json!({"size_gib": 30}), json!({"size_gib": 20}));
        assert_eq!(grow, [("size_gib".to_string(), Effect::InPlace)]);
        let shrink = effects("volume", json!({"size_gib": 10}), json!({"size_gib": 20}));
        assert_eq!(shrink, [("size_gib".to_string(), Effect::Replace)]);
        assert!(effects("volume", json!({"zone": "a"}), json!({"zone": "b"})).is_empty());
    }

    #[test]
    fn an_image_is_left_alone_while_the_system_stays() {
        let seen = json!({"os": "debian-12", "image": "ami-1"});
        let newer = json!({"os": "debian-12", "image": "ami-2"});
        assert!(effects("launch-template", newer, seen.clone()).is_empty());
        let other = json!({"os": "ubuntu-24.04", "image": "ami-3"});
        assert_eq!(effects("launch-template", other, seen).len(), 2);
    }

    #[test]
    fn leaves_name_the_place() {
        let want = json!({"instances": {"hub": "10.0.0.11"}});
        let seen = json!({"instances": {"hub": "10.0.0.10", "a.b": "x"}});
        let found = differences(facts("discovery-service"), &want, &seen, &|_| false);
        let paths: Vec<_> = found[0].leaves.iter().map(|leaf| leaf.0.as_str()).collect();
        assert_eq!(paths, ["instances[a.b]", "instances.hub"]);
    }
}
