//! A file has one content.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "file-content",
    summary: "A `file` has exactly one of `content`, `template` and `file`, a `unit` exactly one of \
              `content` and `template`; one that is `absent` has none.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        for (index, step) in role.manifest.spec.steps.iter().enumerate() {
            let file = step.file.as_ref().map(|file| {
                let given = [file.content.is_some(), file.template.is_some(), file.file.is_some()];
                ("file", given.to_vec(), file.absent)
            });
            let unit = step.unit.as_ref().map(|unit| {
                ("unit", vec![unit.content.is_some(), unit.template.is_some()], unit.absent)
            });
            for (kind, given, absent) in file.into_iter().chain(unit) {
                let count = given.iter().filter(|given| **given).count();
                let fault = match (count, absent) {
                    (1, false) | (0, true) => continue,
                    (0, false) => "has no content",
                    (_, false) => "has several contents",
                    (_, true) => "is to be absent and has a content",
                };
                let pointer = format!("/spec/steps/{index}/{kind}");
                let options =
                    if kind == "file" { "content, template, file" } else { "content, template" };
                let expected =
                    if absent { "none".to_string() } else { format!("exactly one of {options}") };
                let message = format!("`{}` {fault}", step.name);
                found.push(role.error(&pointer, &RULE, message).expected(expected));
            }
        }
    }
}
