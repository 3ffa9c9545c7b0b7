//! A hub may read its own cluster's parameters and no others.

use super::super::repository::Repository;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "secret-scope",
    summary: "`clientSecretRef` lies under `ssm:/<owner>/<cluster>/`, all that the hub may read.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let is_doubtful = |repository: &Declaration<Repository>| repository.is_doubtful("/spec/owner");
    if model.repository.as_ref().is_some_and(is_doubtful) {
        return;
    }
    let spec = model.repository.as_ref().map(|repository| repository.manifest.spec.clone());
    let owner = spec.unwrap_or_default().owner;
    for cluster in &model.clusters {
        let Some(reference) = &cluster.spec().jupyter.auth.client_secret_ref else { continue };
        let scope = format!("ssm:/{owner}/{}/", cluster.name());
        if !reference.starts_with(&scope) && !cluster.is_doubtful("/metadata/name") {
            let message = format!("the hub of {} may not read this parameter", cluster.name());
            found.push(
                cluster
                    .error("/spec/jupyter/auth/clientSecretRef", &RULE, message)
                    .expected(format!("a name under {scope}"))
                    .hint("store it there with `lyceum secret set`"),
            );
        }
    }
}
