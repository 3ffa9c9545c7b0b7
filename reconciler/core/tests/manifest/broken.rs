//! Whatever has not its form, nothing false is said of the rest: a file that is
//! broken anywhere is never accused of more than it was before.

use std::collections::BTreeSet;
use std::path::Path;

use lyceum_core::manifest::{self, Diagnostic, Snapshot};
use serde_json::{Map, Value, json};

use super::repository::snapshot;
use super::samples::{assert_inside, cases};

/// What a schema or a parser says; any other rule looks at what files mean.
const OF_FORM: &[&str] = &[
    "unknown-field",
    "required",
    "type",
    "enum",
    "range",
    "length",
    "pattern",
    "unique",
    "syntax",
];

/// Of all breakages one in so many, spread over samples and ways; 1 takes minutes. It has no
/// divisor in common with the ways in which one value is broken.
const ONE_IN: usize = 11;

#[test]
fn a_broken_value_is_blamed_for_nothing_else() {
    let mut wrong = vec![];
    let mut count = 0;
    for folder in cases("invalid").into_iter().chain(cases("valid")) {
        let Some(files) = plain(&folder) else { continue };
        let before = judged(&files);
        for path in files.files.keys().filter(|path| is_manifest(path)) {
            let whole: Value = serde_yaml::from_slice(&files.files[path]).unwrap();
            for text in breakages(&whole) {
                count += 1;
                if count % ONE_IN != 0 {
                    continue;
                }
                let mut files = files.clone();
                files.files.insert(path.clone(), text.clone().into_bytes());
                let after = judged(&files);
                // What has its form means something else now.
                if after.of_form <= before.of_form {
                    continue;
                }
                let is_new = |it: &&Accusation| !is_covered(it, &before.accusations);
                let new: Vec<_> = after.accusations.iter().filter(is_new).collect();
                if !new.is_empty() {
                    wrong.push(format!("{folder:?}: {new:?} of\n{path}:\n{text}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} such:\n{}", wrong.len(), wrong.join("\n"));
}

/// A sample as its values say, so that places can be compared; none where a file
/// of it cannot be read.
fn plain(folder: &Path) -> Option<Snapshot> {
    let mut files = snapshot(folder);
    for (_, content) in files.files.iter_mut().filter(|(path, _)| is_manifest(path)) {
        let value: Value = serde_yaml::from_slice(content).ok()?;
        *content = serde_yaml::to_string(&value).ok()?.into_bytes();
    }
    Some(files)
}

fn is_manifest(path: &str) -> bool {
    ["cluster.yaml", "defaults.yaml", "role.yaml", "lyceum.yaml", "consents.yaml"]
        .iter()
        .any(|name| path.ends_with(name))
}

/// File, rule and message.
type Accusation = (String, &'static str, String);

/// Whether the same was said before, if perhaps in other words: a name may be
/// unknown now, a line another, and which other network one overlaps depends on which are known.
fn is_covered(accusation: &Accusation, before: &BTreeSet<Accusation>) -> bool {
    let (path, rule, message) = accusation;
    let in_other_words =
        message.contains('…') || message.contains(" line ") || *rule == "cidr-overlap";
    before.contains(accusation)
        || in_other_words && before.iter().any(|it| (&it.0, it.1) == (path, rule))
}

struct Judged {
    of_form: usize,
    /// Of every rule that looks further.
    accusations: BTreeSet<Accusation>,
}

fn judged(files: &Snapshot) -> Judged {
    let found: Vec<Diagnostic> = match manifest::load(files) {
        Ok(manifests) => manifests.warnings,
        Err(invalid) => invalid.diagnostics,
    };
    assert_inside(files, &found);
    assert!(found.iter().all(|one| one.rule != "schema"), "{found:?}");
    let (of_form, told): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|one| OF_FORM.contains(&one.rule));
    let accusations = told.into_iter().map(|one| (one.path, one.rule, one.message)).collect();
    Judged { of_form: of_form.len(), accusations }
}

/// A file with one part of it broken, each part in several ways, and one that
/// cannot be read at all.
fn breakages(value: &Value) -> Vec<String> {
    let mut all = vec!["a: [".to_string()];
    inside(value, &mut vec![], &mut |path, inner| {
        let mut broken = |change: &mut dyn FnMut(&mut Map<String, Value>, &str)| {
            all.push(serde_yaml::to_string(&with(value, path, change)).unwrap());
        };
        for other in [json!({"x": 1}), json!([1, 2]), json!("?"), json!(-7.5)] {
            // A map that says something else is not broken, and null may hide one.
            let may_be_map = inner.is_object() || inner.is_array() || inner.is_null();
            if !(other.is_object() && may_be_map) {
                broken(&mut |map, key| drop(map.insert(key.into(), other.clone())));
            }
        }
        for name in ["zz", "nam", "typ"] {
            broken(&mut |map, key| rename(map, key, name));
        }
        broken(&mut |map, key| rename(map, key, &key[1..]));
    });
    all
}

fn rename(map: &mut Map<String, Value>, key: &str, to: &str) {
    if let Some(value) = map.remove(key) {
        map.insert(to.into(), value);
    }
}

/// Tells the way to every key of every map.
fn inside(value: &Value, at: &mut Vec<String>, tell: &mut dyn FnMut(&[String], &Value)) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, inner)| (key.clone(), inner)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, inner)| (index.to_string(), inner)).collect()
        }
        _ => vec![],
    };
    for (key, inner) in entries {
        at.push(key);
        if value.is_object() {
            tell(at, inner);
        }
        inside(inner, at, tell);
        at.pop();
    }
}

fn with(
    value: &Value,
    path: &[String],
    change: &mut dyn FnMut(&mut Map<String, Value>, &str),
) -> Value {
    let mut value = value.clone();
    let (key, outer) = path.split_last().unwrap();
    let map = outer.iter().try_fold(&mut value, |at, part| match at {
        Value::Object(map) => map.get_mut(part),
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    });
    change(map.unwrap().as_object_mut().unwrap(), key);
    value
}
