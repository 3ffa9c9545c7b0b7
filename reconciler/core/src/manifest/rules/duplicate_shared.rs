//! A shared directory has its own name and its own place.

use std::collections::BTreeMap;

use super::{Diagnostic, Model, Rule};
use crate::desired::HOMES;

pub(super) const RULE: Rule = Rule {
    id: "duplicate-shared",
    summary: "Every shared directory of a cluster has a name and a path of its own, and is not \
              called as the homes are.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let mut first = BTreeMap::new();
        for (index, shared) in cluster.spec().storage.shared.iter().enumerate() {
            if shared.name == HOMES {
                let message = format!("`{HOMES}` is the name of the users' home directories");
                let pointer = format!("/spec/storage/shared/{index}/name");
                found.push(cluster.error(&pointer, &RULE, message).expected("a name of its own"));
            }
            for (field, value) in [("name", &shared.name), ("path", &shared.path)] {
                let pointer = format!("/spec/storage/shared/{index}/{field}");
                if cluster.is_doubtful(&pointer) {
                    continue;
                }
                if *first.entry((field, value)).or_insert(index) != index {
                    let message = format!("another shared directory has the {field} `{value}`");
                    found.push(
                        cluster
                            .error(&pointer, &RULE, message)
                            .expected(format!("a {field} of its own")),
                    );
                }
            }
        }
    }
}
