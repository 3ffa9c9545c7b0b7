//! Every text of a role that is a template, and what such texts ask of a cluster.
//!
//! Invariant: what is rendered on a node is listed here, so that whoever checks a
//! role and whoever tells its nodes of the cluster go by the same texts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::template::{Reference, TemplateError, expression_references, references};
use crate::manifest::role::RoleManifest;

/// The folder of a role's templates.
pub const TEMPLATES: &str = "templates/";
/// The folder of its files that are taken as they stand.
pub const FILES: &str = "files/";
/// Fields of a step or a check that name others.
const NAMES: &[&str] = &["name", "needs", "watches"];

/// Where a text of a role stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A value of role.yaml, by its JSON pointer.
    Manifest(String),
    /// A file, by its path in the role's folder.
    File(String),
}

/// A text that is a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it stands.
    pub place: Place,
    /// What it is; none for a file that is no text.
    pub text: Option<String>,
    /// An expression, not a text with tags in it.
    pub expression: bool,
    /// Rendered once for each entry of an `each`.
    pub has_item: bool,
}

impl Text {
    /// What it refers to.
    pub fn references(&self) -> Result<Vec<Reference>, TemplateError> {
        match &self.text {
            Some(text) if self.expression => expression_references(text),
            Some(text) if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) => {
                references(text)
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// The texts of a role: those of its steps and checks, and its templates.
pub fn of_role(role: &RoleManifest, files: &BTreeMap<String, Vec<u8>>) -> Vec<Text> {
    let mut texts = Vec::new();
    // Templates that a step with `each` makes a file of.
    let mut with_item = BTreeSet::new();
    for (index, step) in role.spec.steps.iter().enumerate() {
        let has_item = step.each.is_some();
        if has_item {
            let file = step.file.as_ref().and_then(|file| file.template.clone());
            let unit = step.unit.as_ref().and_then(|unit| unit.template.clone());
            with_item.extend(file.into_iter().chain(unit));
        }
        entry(&format!("/spec/steps/{index}"), &to_value(step), has_item, &mut texts);
    }
    for (index, check) in role.spec.checks.iter().enumerate() {
        entry(&format!("/spec/checks/{index}"), &to_value(check), false, &mut texts);
    }
    let templates = files.iter().filter_map(|(path, content)| {
        let name = path.strip_prefix(TEMPLATES)?;
        Some(Text {
            place: Place::File(path.clone()),
            text: String::from_utf8(content.clone()).ok(),
            expression: false,
            has_item: with_item.contains(name),
        })
    });
    texts.extend(templates);
    texts
}

/// The parts of a cluster's manifest that a role asks for, as dotted paths; one
/// that is empty is all of it. A text that cannot be read asks for nothing.
pub fn asked_of_cluster(
    role: &RoleManifest,
    files: &BTreeMap<String, Vec<u8>>,
) -> BTreeSet<String> {
    let texts = of_role(role, files).into_iter();
    let all = texts.flat_map(|text| text.references().unwrap_or_default());
    all.filter(|found| found.namespace == "cluster").map(|found| found.path).collect()
}

fn to_value(of: &impl serde::Serialize) -> Value {
    // Plain structs with text keys: serialising them cannot fail.
    serde_json::to_value(of).unwrap_or(Value::Null)
}

/// A step or a check: two of its fields are expressions, three are names.
fn entry(at: &str, value: &Value, has_item: bool, texts: &mut Vec<Text>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        match (name.as_str(), value) {
            ("when" | "each", Value::String(text)) => texts.push(Text {
                place: Place::Manifest(at),
                text: Some(text.clone()),
                expression: true,
                has_item: false,
            }),
            (name, _) if NAMES.contains(&name) => {}
            _ => inside(&at, value, has_item, texts),
        }
    }
}

fn inside(at: &str, value: &Value, has_item: bool, texts: &mut Vec<Text>) {
    match value {
        Value::String(text) => texts.push(Text {
            place: Place::Manifest(at.into()),
            text: Some(text.clone()),
            expression: false,
            has_item,
        }),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                inside(&format!("{at}/{index}"), item, has_item, texts);
            }
        }
        Value::Object(map) => {
            for (key, item) in map.iter().filter(|(key, _)| *key != "watches") {
                let key = key.replace('~', "~0").replace('/', "~1");
                inside(&format!("{at}/{key}"), item, has_item, texts);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_role_asks_of_a_cluster_is_found_in_every_text() {
        let text = "apiVersion: lyceum/v1\nkind: Role\nmetadata: {name: a, version: 1.0.0, \
                    description: d}\nspec:\n  steps:\n    - name: one\n      when: cluster.spec.backup\n      \
                    file: {path: /a, template: a.j2, mode: '0644'}\n    - name: two\n      each: \
                    cluster.spec.storage.shared\n      directory: {path: '/srv/{{ cluster.metadata.name \
                    }}'}\n  checks:\n    - name: three\n      file: {path: '{{ cluster.spec.domain }}'}\n";
        let role = RoleManifest::read(text.as_bytes()).unwrap();
        let files = BTreeMap::from([
            ("templates/a.j2".to_string(), b"{{ cluster.spec.jupyter.image }}".to_vec()),
            ("files/b".to_string(), b"{{ cluster.spec.os }}".to_vec()),
        ]);
        let asked: Vec<String> = asked_of_cluster(&role, &files).into_iter().collect();
        assert_eq!(
            asked,
            [
                "metadata.name",
                "spec.backup",
                "spec.domain",
                "spec.jupyter.image",
                "spec.storage.shared"
            ]
        );
    }
}
