//! A role cannot come before itself.

use std::collections::{BTreeMap, BTreeSet};

use super::super::role::RoleManifest;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "role-cycle",
    summary: "A role includes itself neither directly nor through others.",
    check,
};

type Includes<'a> = BTreeMap<&'a str, &'a [String]>;

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let mut left: Includes<'_> =
        model.roles.iter().map(|role| (name(role), includes(role))).collect();
    strip(&mut left);
    let mut seen = BTreeSet::new();
    let starts: Vec<&str> = left.keys().copied().collect();
    for start in starts {
        let Some(cycle) = cycle_from(start, &left, &mut seen) else { continue };
        let first = cycle.iter().min().copied().unwrap_or(start);
        found.extend(
            model.roles.iter().find(|role| name(role) == first).map(|role| report(role, &cycle)),
        );
    }
}

/// Removes, again and again, the roles that include none of those left; what
/// stays is in a cycle or leads into one.
fn strip(left: &mut Includes<'_>) {
    let mut needed_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for (role, includes) in left.iter() {
        let inner: Vec<&str> =
            includes.iter().map(String::as_str).filter(|it| left.contains_key(it)).collect();
        open.insert(role, inner.len());
        for include in inner {
            needed_by.entry(include).or_default().push(role);
        }
    }
    let mut done: Vec<&str> =
        open.iter().filter(|(_, count)| **count == 0).map(|(role, _)| *role).collect();
    while let Some(role) = done.pop() {
        left.remove(role);
        for outer in needed_by.remove(role).unwrap_or_default() {
            let count = open.entry(outer).or_default();
            *count -= 1;
            if *count == 0 {
                done.push(outer);
            }
        }
    }
}

/// The cycle one falls into from a role, unless it was seen from another.
fn cycle_from<'a>(
    start: &'a str,
    left: &Includes<'a>,
    seen: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    let mut way: Vec<&str> = vec![];
    let mut at = start;
    while seen.insert(at) {
        way.push(at);
        at = left[at].iter().map(String::as_str).find(|include| left.contains_key(include))?;
    }
    let begin = way.iter().position(|role| *role == at)?;
    Some(way.split_off(begin))
}

fn report(role: &Declaration<RoleManifest>, cycle: &[&str]) -> Diagnostic {
    let begin = cycle.iter().position(|it| *it == name(role)).unwrap_or(0);
    let mut names: Vec<&str> = cycle[begin..].iter().chain(&cycle[..=begin]).copied().collect();
    let next = names.get(1).copied().unwrap_or_default();
    let index = includes(role).iter().position(|it| it == next).unwrap_or(0);
    // A cycle may pass through thousands of roles; its beginning tells enough.
    if names.len() > 12 {
        names.splice(10..names.len() - 1, ["…"]);
    }
    let message = format!("the role includes itself: {}", names.join(" → "));
    role.error(&format!("/spec/includes/{index}"), &RULE, message)
        .expected("includes that end somewhere")
}

fn name(role: &Declaration<RoleManifest>) -> &str {
    &role.manifest.metadata.name
}

fn includes(role: &Declaration<RoleManifest>) -> &[String] {
    &role.manifest.spec.includes
}
