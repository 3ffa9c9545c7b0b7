//! A role that is named exists.

use super::super::conform::closest;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "role-unknown",
    summary: "Every role named by a hub, by workers or by another role has a folder in `cookbooks/`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let spec = cluster.spec();
        look_up(model, cluster, "/spec/hub/roles", &spec.hub.roles, found);
        look_up(model, cluster, "/spec/workers/roles", &spec.workers.roles, found);
    }
    for role in &model.roles {
        look_up(model, role, "/spec/includes", &role.manifest.spec.includes, found);
    }
}

fn look_up<T>(
    model: &Model,
    from: &Declaration<T>,
    list: &str,
    names: &[String],
    found: &mut Vec<Diagnostic>,
) {
    for (index, name) in names.iter().enumerate() {
        if !model.role_names.contains(name) {
            let error = from
                .error(
                    &format!("{list}/{index}"),
                    &RULE,
                    format!("there is no role `{}`", name.escape_debug()),
                )
                .expected("a folder of `cookbooks/` with a role.yaml");
            let known: Vec<String> = model.role_names.iter().cloned().collect();
            found.push(match closest(name, &known) {
                Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                None => error,
            });
        }
    }
}
