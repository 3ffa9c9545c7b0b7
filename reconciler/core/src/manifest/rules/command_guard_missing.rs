//! A command says when it is not needed.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "command-guard-missing",
    summary: "The guard of a `command` says what tells that it is not needed: `exists`, `succeeds` \
              or two paths that are the `same`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        for (index, step) in role.manifest.spec.steps.iter().enumerate() {
            let Some(guard) = step.command.as_ref().map(|command| &command.unless) else {
                continue;
            };
            let pointer = format!("/spec/steps/{index}/command/unless");
            let says_nothing =
                guard.exists.is_none() && guard.succeeds.is_empty() && guard.same.is_empty();
            if says_nothing {
                let message = format!("nothing tells whether `{}` is needed", step.name);
                found.push(
                    role.error(&pointer, &RULE, message)
                        .expected("exists, succeeds or same")
                        .hint("without a guard it would run at every convergence"),
                );
            } else if guard.same.len() == 1 {
                let message = "`same` compares two paths";
                found.push(role.error(&pointer, &RULE, message).expected("[/one, /other]"));
            }
        }
    }
}
