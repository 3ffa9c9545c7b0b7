//! A cluster sets what its roles declare.

use super::super::conform::closest;
use super::super::source::escape;
use super::{Closures, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "attribute-unknown",
    summary: "`spec.attributes` names roles that the cluster's nodes have, and attributes that \
              these declare.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let mut closures = Closures::new(model);
    for cluster in &model.clusters {
        for (name, set) in &cluster.spec().attributes {
            let at = format!("/spec/attributes/{}", escape(name));
            let of_nodes = closures.of_cluster(cluster.spec());
            // A role that is broken is reported as such.
            let broken = model.role_names.contains(name) && closures.role(name).is_none();
            if broken {
                continue;
            }
            if !of_nodes.contains(name) {
                if !cluster.knows_roles() || !closures.is_whole(&of_nodes, model) {
                    continue;
                }
                let message =
                    format!("no node of the cluster has a role `{}`", name.escape_debug());
                let known: Vec<String> = of_nodes.into_iter().collect();
                let error = cluster.error(&at, &RULE, message);
                found.push(hinted(error.expected(known.join(", ")), name, &known));
                continue;
            }
            let Some(role) = closures.role(name) else { continue };
            let declared = &role.manifest.spec.attributes;
            for attribute in set.keys().filter(|attribute| !declared.contains_key(*attribute)) {
                if role.is_doubtful(&format!("/spec/attributes/{}", escape(attribute))) {
                    continue;
                }
                let pointer = format!("{at}/{}", escape(attribute));
                let message =
                    format!("the role `{name}` has no attribute `{}`", attribute.escape_debug());
                let known: Vec<String> = declared.keys().cloned().collect();
                let error = cluster.error(&pointer, &RULE, message);
                let expected = if known.is_empty() {
                    "none: it has no attributes".into()
                } else {
                    known.join(", ")
                };
                found.push(hinted(error.expected(expected), attribute, &known));
            }
        }
    }
}

fn hinted(error: Diagnostic, word: &str, known: &[String]) -> Diagnostic {
    match closest(word, known) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error,
    }
}
