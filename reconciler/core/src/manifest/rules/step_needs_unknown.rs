//! What a step needs is a step.

use super::{Diagnostic, Model, Rule, step_names};

pub(super) const RULE: Rule = Rule {
    id: "step-needs-unknown",
    summary: "A step that another needs exists, in its own role or as `role/name`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    step_names(model, &RULE, &|step| vec![("needs", &step.needs)], found);
}
