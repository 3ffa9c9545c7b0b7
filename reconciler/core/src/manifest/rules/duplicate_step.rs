//! Steps of a role have names of their own, and so have checks.

use std::collections::BTreeSet;

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "duplicate-step",
    summary: "The steps of a role have different names, and so have its checks.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        let spec = &role.manifest.spec;
        let steps: Vec<&str> = spec.steps.iter().map(|step| step.name.as_str()).collect();
        let checks: Vec<&str> = spec.checks.iter().map(|check| check.name.as_str()).collect();
        for (list, names) in [("steps", steps), ("checks", checks)] {
            let mut seen = BTreeSet::new();
            for (index, name) in names.into_iter().enumerate() {
                let pointer = format!("/spec/{list}/{index}/name");
                if !role.is_doubtful(&pointer) && !seen.insert(name) {
                    let message = format!("another of the {list} is called `{name}`");
                    found.push(role.error(&pointer, &RULE, message).expected("a name of its own"));
                }
            }
        }
    }
}
