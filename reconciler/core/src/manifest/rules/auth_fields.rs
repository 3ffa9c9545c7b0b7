//! Each authenticator has what it needs and nothing it does not use.

use super::super::cluster::{Auth, AuthType, Cluster};
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "auth-fields",
    summary: "`auth` has the fields its type needs, and none that it does not use.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let auth = &cluster.spec().jupyter.auth;
        if cluster.is_doubtful("/spec/jupyter/auth/type") {
            continue;
        }
        for (field, given) in of_github(auth) {
            if cluster.is_doubtful(&format!("/spec/jupyter/auth/{field}")) {
                continue;
            }
            match (auth.auth_type, given) {
                (AuthType::Github, false) => found.push(missing(cluster, field)),
                (AuthType::Native | AuthType::Dummy, true) => found.push(unused(cluster, field)),
                _ => {}
            }
        }
    }
}

/// What only GitHub uses, and whether it is given.
fn of_github(auth: &Auth) -> [(&'static str, bool); 3] {
    [
        ("clientId", auth.client_id.is_some()),
        ("clientSecretRef", auth.client_secret_ref.is_some()),
        ("allowedOrganizations", !auth.allowed_organizations.is_empty()),
    ]
}

fn missing(cluster: &Declaration<Cluster>, field: &str) -> Diagnostic {
    let message = format!("the type `github` of {} needs `{field}`", cluster.name());
    // Other fields of `auth` have no part in it.
    let error = Diagnostic::error(&cluster.place("/spec/jupyter/auth"), RULE.id, message);
    match field {
        "clientSecretRef" => {
            error.expected(format!("such as ssm:/lyceum/{}/oauth-client-secret", cluster.name()))
        }
        "allowedOrganizations" => {
            error.hint("without one, everybody with a GitHub account could sign in")
        }
        _ => error.expected("the client id of a GitHub OAuth application"),
    }
}

fn unused(cluster: &Declaration<Cluster>, field: &str) -> Diagnostic {
    let pointer = format!("/spec/jupyter/auth/{field}");
    let error = cluster.error(&pointer, &RULE, format!("only type `github` uses `{field}`"));
    if error.path == cluster.layers.path() {
        return error.hint(format!("remove `{field}`, or set `type: github`"));
    }
    error.hint(format!("`{field}: null` in {} leaves it out there", cluster.layers.path()))
}
