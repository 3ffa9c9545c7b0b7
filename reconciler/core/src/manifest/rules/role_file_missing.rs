//! A file that a step names is there.

use super::super::conform::closest;
use super::super::role::RoleManifest;
use super::{Declaration, Diagnostic, Model, Rule};
use crate::node::step::StepManifest;
use crate::node::texts::{FILES, TEMPLATES};

pub(super) const RULE: Rule = Rule {
    id: "role-file-missing",
    summary: "A template, file or key that a step names lies in the role's `templates/` or `files/`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        for (index, step) in role.manifest.spec.steps.iter().enumerate() {
            for (field, folder, name) in named(step) {
                let pointer = format!("/spec/steps/{index}/{field}");
                found.extend(missing(model, role, &pointer, (folder, name)));
            }
        }
    }
}

/// Field, folder, name of each file of a role that a step takes.
fn named(step: &StepManifest) -> Vec<(&'static str, &'static str, &str)> {
    let file = step.file.as_ref();
    let repository = step.package.as_ref().and_then(|package| package.repository.as_ref());
    let all = [
        ("file/template", TEMPLATES, file.and_then(|file| file.template.as_deref())),
        ("file/file", FILES, file.and_then(|file| file.file.as_deref())),
        ("unit/template", TEMPLATES, step.unit.as_ref().and_then(|unit| unit.template.as_deref())),
        ("package/repository/key", FILES, repository.map(|repository| repository.key.as_str())),
    ];
    let some = all.into_iter().filter_map(|(field, folder, name)| Some((field, folder, name?)));
    // A name that is a template is known to the node alone.
    some.filter(|(_, _, name)| !name.contains("{{")).collect()
}

fn missing(
    model: &Model,
    role: &Declaration<RoleManifest>,
    pointer: &str,
    (folder, name): (&str, &str),
) -> Option<Diagnostic> {
    let role_name = &role.manifest.metadata.name;
    let files = model.role_files.get(role_name)?;
    if files.contains_key(&format!("{folder}{name}")) {
        return None;
    }
    let message = format!("there is no `{}`", name.escape_debug());
    let error = role.error(pointer, &RULE, message);
    let error = error.expected(format!("a file of cookbooks/{role_name}/{folder}"));
    let known: Vec<String> =
        files.keys().filter_map(|path| path.strip_prefix(folder)).map(String::from).collect();
    Some(match closest(name, &known) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error,
    })
}
