//! No two steps that can be on one node own the same path.

use std::collections::{BTreeMap, BTreeSet};

use super::super::role::RoleManifest;
use super::{Closures, Declaration, Diagnostic, Model, Rule};
use crate::node::step::StepManifest;

pub(super) const RULE: Rule = Rule {
    id: "path-owned-twice",
    summary: "No two steps of roles that can be on one node own the same path, unless both have a \
              `when`.",
    check,
};

/// A path that a step owns.
#[derive(Clone, Copy)]
struct Owned<'a> {
    role: &'a Declaration<RoleManifest>,
    index: usize,
    step: &'a StepManifest,
}

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let mut closures = Closures::new(model);
    let mut sets: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for cluster in model.clusters.iter().filter(|cluster| cluster.knows_roles()) {
        let spec = cluster.spec();
        sets.extend([&spec.hub.roles, &spec.workers.roles].map(|list| closures.of(list)));
    }
    // A role that no cluster has is looked at by itself.
    sets.extend(model.roles.iter().map(|role| closures.of(std::slice::from_ref(name(role)))));
    for set in sets {
        let roles: Vec<_> = set.iter().filter_map(|name| closures.role(name)).collect();
        in_one_place(&roles, found);
    }
}

fn in_one_place(roles: &[&Declaration<RoleManifest>], found: &mut Vec<Diagnostic>) {
    let mut owners: BTreeMap<String, Owned<'_>> = BTreeMap::new();
    for role in roles {
        for (index, step) in role.manifest.spec.steps.iter().enumerate() {
            if role.is_doubtful(&format!("/spec/steps/{index}")) {
                continue;
            }
            for path in owned(step) {
                let this = Owned { role, index, step };
                match owners.get(&path) {
                    Some(other) if other.step.when.is_none() || step.when.is_none() => {
                        found.push(report(&path, this, *other));
                    }
                    Some(_) => {}
                    None => drop(owners.insert(path, this)),
                }
            }
        }
    }
}

/// The paths a step owns as it stands; one that is a template is known to the
/// node alone, which refuses it there.
fn owned(step: &StepManifest) -> Vec<String> {
    let paths = step.action().map(|action| action.step().owns()).unwrap_or_default();
    let plain = paths.into_iter().filter(|path| !path.contains("{{") && !path.contains("{%"));
    // A step with `each` would own it several times over; the node says so.
    plain.map(|path| path.trim_end_matches('/').to_string()).collect()
}

fn report(path: &str, this: Owned<'_>, other: Owned<'_>) -> Diagnostic {
    let message = format!(
        "`{path}` is owned by the step `{}` of the role `{}`, too",
        other.step.name,
        name(other.role)
    );
    this.role
        .error(&format!("/spec/steps/{}", this.index), &RULE, message)
        .expected("one owner of a path on a node")
        .hint("leave it to one of them, or give both a `when`")
}

fn name(role: &Declaration<RoleManifest>) -> &String {
    &role.manifest.metadata.name
}
