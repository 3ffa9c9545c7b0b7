//! A role's folder carries its name: clusters name the folder.

use super::super::layout;
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "role-folder",
    summary: "A role's `metadata.name` is the name of its folder.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        let (name, folder) =
            (&role.manifest.metadata.name, layout::folder_name(role.layers.path()));
        if name != folder {
            let message = format!("the role is called `{name}`, its folder `{folder}`");
            found
                .push(role.error("/metadata/name", &RULE, message).expected(format!("`{folder}`")));
        }
    }
}
