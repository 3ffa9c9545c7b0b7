//! A cluster's folder carries its name, so that one finds the other.

use super::super::layout;
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "cluster-folder",
    summary: "A cluster's `metadata.name` is the name of its folder.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let folder = layout::folder_name(cluster.layers.path());
        if cluster.name() != folder {
            let message =
                format!("the cluster is called `{}`, its folder `{folder}`", cluster.name());
            found.push(
                cluster
                    .error("/metadata/name", &RULE, message)
                    .expected(format!("`{folder}`"))
                    .hint(
                        "the name is part of every name in AWS: renaming a cluster makes a new one",
                    ),
            );
        }
    }
}
