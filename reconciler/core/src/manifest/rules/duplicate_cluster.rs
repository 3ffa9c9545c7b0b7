//! A cluster's name is its identity: two files cannot declare the same one.

use std::collections::BTreeMap;

use super::super::cluster::Cluster;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "duplicate-cluster",
    summary: "Every cluster's name is unique in the repository, whatever its folder.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let mut first = BTreeMap::new();
    let named = |cluster: &&Declaration<Cluster>| !cluster.is_doubtful("/metadata/name");
    for cluster in model.clusters.iter().filter(named) {
        let path = *first.entry(cluster.name()).or_insert(cluster.layers.path());
        if path != cluster.layers.path() {
            let message = format!("`{}` is declared in {path} already", cluster.name());
            found.push(
                cluster.error("/metadata/name", &RULE, message).expected("a name of its own"),
            );
        }
    }
}
