//! A host name leads to one hub.

use std::collections::BTreeMap;

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule =
    Rule { id: "duplicate-domain", summary: "Every cluster's `domain` is its own.", check };

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let mut first = BTreeMap::new();
    for cluster in &model.clusters {
        let Some(domain) = &cluster.spec().domain else { continue };
        if cluster.is_doubtful("/spec/domain") {
            continue;
        }
        let owner = *first.entry(domain).or_insert(cluster);
        if !std::ptr::eq(owner, cluster) {
            let (name, path) = (owner.name(), owner.layers.path());
            let message =
                format!("`{domain}` leads to both {name} ({path}) and {}", cluster.name());
            found.push(
                cluster.error("/spec/domain", &RULE, message).expected("a host name of its own"),
            );
        }
    }
}
