//! A step is of one kind, and so is a check.

use super::super::role::RoleManifest;
use super::{Declaration, Diagnostic, Model, Rule};
use crate::node::check::CHECK_KINDS;
use crate::node::step::STEP_KINDS;

pub(super) const RULE: Rule =
    Rule { id: "step-kind", summary: "A step, and a check, names exactly one kind.", check };

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        for (index, step) in role.manifest.spec.steps.iter().enumerate() {
            let (at, kinds) = (format!("/spec/steps/{index}"), step.kinds());
            found.extend(report(role, (&at, &step.name), &kinds, STEP_KINDS));
        }
        for (index, check) in role.manifest.spec.checks.iter().enumerate() {
            let (at, kinds) = (format!("/spec/checks/{index}"), check.kinds());
            found.extend(report(role, (&at, &check.name), &kinds, CHECK_KINDS));
        }
    }
}

fn report(
    role: &Declaration<RoleManifest>,
    (at, name): (&str, &str),
    kinds: &[&str],
    known: &[&str],
) -> Option<Diagnostic> {
    let message = match kinds {
        [_] => return None,
        [] => format!("`{name}` is of no kind"),
        several => format!("`{name}` is of several kinds: {}", several.join(", ")),
    };
    let error = role.error(at, &RULE, message);
    Some(error.expected(format!("exactly one of {}", known.join(", "))))
}
