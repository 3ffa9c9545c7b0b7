//! One password for everybody is for trials, not for a hub with a public name.

use super::super::cluster::AuthType;
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "dummy-auth",
    summary: "A hub with a `domain` should not use `auth.type: dummy`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let Some(domain) = &cluster.spec().domain else { continue };
        if cluster.is_doubtful("/spec/domain") {
            continue;
        }
        if cluster.spec().jupyter.auth.auth_type == AuthType::Dummy {
            let message = format!("anybody with the one password can sign in at {domain}");
            found.push(
                cluster
                    .warning("/spec/jupyter/auth/type", &RULE, message)
                    .expected("`github` or `native` for a hub that people find"),
            );
        }
    }
}
