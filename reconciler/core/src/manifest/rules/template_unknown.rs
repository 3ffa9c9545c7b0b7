//! A template refers to what there is: the role's attributes, the cluster's
//! manifest, the node's facts.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::super::conform::closest;
use super::super::role::RoleManifest;
use super::super::schema::FileKind;
use super::super::source::escape;
use super::super::told::KEPT_BACK;
use super::{Declaration, Diagnostic, Model, Rule};
use crate::node::facts::Facts;
use crate::node::template::{NAMESPACES, Reference};
use crate::node::texts::{self, Text};

pub(super) const RULE: Rule = Rule {
    id: "template-unknown",
    summary: "A template refers to the role's attributes, to fields of the cluster's manifest, to \
              facts of the node, and with `each` to `item`; to nothing else.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        let Some(files) = model.role_files.get(&role.manifest.metadata.name) else { continue };
        for text in texts::of_role(&role.manifest, files) {
            for reference in text.references().unwrap_or_default() {
                if let Some(fault) = fault(role, &text, &reference) {
                    found.push(report(role, &text, &reference, fault));
                }
            }
        }
    }
}

/// What a reference names that there is not, and what there is.
struct Fault {
    message: String,
    word: String,
    known: Vec<String>,
}

fn fault(role: &Declaration<RoleManifest>, text: &Text, reference: &Reference) -> Option<Fault> {
    let Reference { namespace, path, .. } = reference;
    match namespace.as_str() {
        "attributes" => {
            let known = role.manifest.spec.attributes.keys().cloned();
            let first = path.split('.').next().filter(|first| !first.is_empty())?;
            if role.is_doubtful(&format!("/spec/attributes/{}", escape(first))) {
                return None;
            }
            unknown(first, known.collect(), &format!("the role has no attribute `{first}`"))
        }
        "cluster" => unknown_field(FileKind::Cluster.schema(), path, "the cluster's manifest"),
        "node" => unknown_field(facts(), path, "what a node knows of itself"),
        // A step that is not known may have an `each`.
        "item" if text.has_item || role.is_doubtful("/spec/steps") => None,
        "item" => Some(Fault {
            message: "`item` is there with `each` alone".into(),
            word: String::new(),
            known: Vec::new(),
        }),
        other => {
            let known = NAMESPACES.iter().map(ToString::to_string).collect();
            unknown(other, known, &format!("`{other}` is nothing a template knows"))
        }
    }
}

fn unknown(word: &str, known: Vec<String>, message: &str) -> Option<Fault> {
    (!known.iter().any(|one| one == word)).then(|| Fault {
        message: message.into(),
        word: word.into(),
        known,
    })
}

/// Follows a path through a schema, as far as that tells.
fn unknown_field(schema: &Value, path: &str, of: &str) -> Option<Fault> {
    let mut at = schema;
    for (depth, part) in path.split('.').filter(|part| !part.is_empty()).enumerate() {
        let properties = at["properties"].as_object()?;
        let offered = |name: &&String| match depth {
            // Of the manifest: `metadata` and `spec`.
            0 => !["apiVersion", "kind"].contains(&name.as_str()),
            1 => !KEPT_BACK.contains(&name.as_str()),
            _ => true,
        };
        let known: BTreeSet<String> = properties.keys().filter(offered).cloned().collect();
        if !known.contains(part) {
            let message = format!("{of} has no `{path}`");
            return Some(Fault { message, word: part.into(), known: known.into_iter().collect() });
        }
        at = &properties[part];
    }
    None
}

fn facts() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| schemars::schema_for!(Facts).to_value())
}

fn report(
    role: &Declaration<RoleManifest>,
    text: &Text,
    reference: &Reference,
    fault: Fault,
) -> Diagnostic {
    let mut error = role.text_error(text, &RULE, fault.message);
    if matches!(text.place, texts::Place::File(_)) {
        (error.line, error.column) = (reference.line.max(1), reference.column.max(1));
    }
    let error = if fault.known.is_empty() {
        error
    } else {
        error.expected(format!("one of {}", fault.known.join(", ")))
    };
    match closest(&fault.word, &fault.known) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error,
    }
}
