//! Every template of a role can be read.

use super::{Diagnostic, Model, Rule};
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
            let mut error = role.text_error(&text, &RULE, message);
            if matches!(text.place, texts::Place::File(_)) {
                error.line = line;
            }
            found.push(error.expected("a template of Jinja"));
        }
    }
}

fn fault(text: &Text) -> Option<(usize, String)> {
    if text.text.is_none() {
        return Some((1, "the template is not in UTF-8; other files belong into files/".into()));
    }
    let error = text.references().err()?;
    let what = if text.expression { "expression" } else { "template" };
    Some((error.line.max(1), format!("the {what} cannot be read: {}", error.message)))
}
