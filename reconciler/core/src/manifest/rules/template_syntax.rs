//! Every template of a role can be read.

use super::super::diagnostic::{Mark, Place};
use super::{Diagnostic, Model, Rule, role_place};
use crate::node::texts::{self, Text};

pub(super) const RULE: Rule = Rule {
    id: "template-syntax",
    summary: "The texts of a role, and the files of its `templates/`, are templates in UTF-8.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        let Some(files) = model.role_files.get(&role.manifest.metadata.name) else { continue };
        for text in texts::of_role(&role.manifest, files) {
            let Some((line, message)) = fault(&text) else { continue };
            let mut place = role_place(role, &text.place);
            if matches!(text.place, texts::Place::File(_)) {
                place = Place { mark: Mark { line, column: 1 }, ..place };
            }
            found.push(Diagnostic::error(&place, RULE.id, message).expected("a template of Jinja"));
        }
    }
}

fn fault(text: &Text) -> Option<(u32, String)> {
    if text.text.is_none() {
        return Some((1, "the template is not in UTF-8; other files belong into files/".into()));
    }
    let error = text.references().err()?;
    let line = u32::try_from(error.line.max(1)).unwrap_or(u32::MAX);
    let what = if text.expression { "expression" } else { "template" };
    Some((line, format!("the {what} cannot be read: {}", error.message)))
}
