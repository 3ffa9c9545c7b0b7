//! No secret stands in a repository.

use serde_json::Value;

use super::super::diagnostic::{Mark, Place};
use super::super::source::escape;
use super::{Diagnostic, Model, Rule, role_place};
use crate::node::texts;

pub(super) const RULE: Rule = Rule {
    id: "secret-text",
    summary: "Roles, their files and what clusters tell them hold no private keys and no tokens of \
              known form; an attribute that is called a secret refers to a parameter (a warning).",
    check,
};

/// What begins like this and goes on with so many letters or digits is a secret
/// of somebody's.
const FORMS: &[(&str, usize, &str)] = &[
    ("AKIA", 16, "an access key of AWS"),
    ("ASIA", 16, "an access key of AWS"),
    ("ghp_", 36, "a token of GitHub"),
    ("gho_", 36, "a token of GitHub"),
    ("ghs_", 36, "a token of GitHub"),
    ("github_pat_", 22, "a token of GitHub"),
    ("glpat-", 20, "a token of GitLab"),
    ("SWMTKN-1-", 20, "a join token of Docker's swarm"),
];
/// The end of a name that says what it holds.
const NAMES: &[&str] = &["password", "passwd", "secret", "token", "privatekey", "apikey"];
const HINT: &str = "keep it in a parameter (`lyceum secret set`) and refer to it as ssm:/…";

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for role in &model.roles {
        let files = model.role_files.get(&role.manifest.metadata.name);
        for (path, content) in files.into_iter().flatten() {
            let Ok(text) = std::str::from_utf8(content) else { continue };
            let Some((at, what)) = secret_in(text) else { continue };
            let place = role_place(role, &texts::Place::File(path.clone()));
            let place = Place { mark: mark(text, at), ..place };
            found.push(report(&place, what));
        }
    }
    for cluster in &model.clusters {
        for (role, set) in &cluster.spec().attributes {
            for (name, value) in set {
                let at = format!("/spec/attributes/{}/{}", escape(role), escape(name));
                inside(&at, name, value, &mut |pointer, name, text| {
                    if let Some((_, what)) = secret_in(text) {
                        found.push(report(&cluster.place(pointer), what));
                    } else if is_called_secret(name) && is_plain(text) {
                        let message = format!("`{name}` looks like a secret in the repository");
                        found.push(cluster.warning(pointer, &RULE, message).hint(HINT));
                    }
                });
            }
        }
    }
}

fn report(place: &Place, what: &str) -> Diagnostic {
    let message = format!("{what} stands in the repository");
    Diagnostic::error(place, RULE.id, message).hint(HINT)
}

/// Where a secret begins, and what it is.
fn secret_in(text: &str) -> Option<(usize, &'static str)> {
    let begin = text.find("-----BEGIN ").filter(|at| {
        let line = text[*at..].lines().next().unwrap_or_default();
        line.ends_with("PRIVATE KEY-----") || line.ends_with("PRIVATE KEY BLOCK-----")
    });
    let token = FORMS.iter().find_map(|(start, length, what)| {
        let mut places = text.match_indices(start).map(|(at, _)| at);
        let at = places.find(|at| {
            let before = text[..*at].chars().next_back();
            let rest = text[at + start.len()..].bytes();
            let goes_on = rest
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-');
            !before.is_some_and(|letter| letter.is_ascii_alphanumeric())
                && goes_on.count() >= *length
        })?;
        Some((at, *what))
    });
    begin.map(|at| (at, "a private key")).or(token)
}

fn is_called_secret(name: &str) -> bool {
    let letters = name.chars().filter(|letter| letter.is_ascii_alphanumeric());
    let name: String = letters.collect::<String>().to_ascii_lowercase();
    NAMES.iter().any(|end| name.ends_with(end))
}

/// A text that is what it says, and refers to nothing.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("ssm:") && !text.contains("{{")
}

fn inside(at: &str, name: &str, value: &Value, tell: &mut dyn FnMut(&str, &str, &str)) {
    match value {
        Value::String(text) => tell(at, name, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                inside(&format!("{at}/{index}"), name, item, tell);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                inside(&format!("{at}/{}", escape(key)), key, item, tell);
            }
        }
        _ => {}
    }
}

fn mark(text: &str, at: usize) -> Mark {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |index| index + 1);
    let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
    Mark {
        line: number(before.matches('\n').count()),
        column: number(before[start..].chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_form_of_a_secret_is_one_and_no_other() {
        let key = ["-----BEGIN OPENSSH ", "PRIVATE KEY-----\n"].concat();
        let token = format!("ghp_{}", "a".repeat(36));
        for bad in [key.as_str(), &token, &format!("x = AKIA{}", "A".repeat(16))] {
            assert!(secret_in(bad).is_some(), "{bad}");
        }
        for good in ["-----BEGIN PGP PUBLIC KEY BLOCK-----", "ghp_short", "xAKIAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(secret_in(good), None, "{good}");
        }
        assert!(is_called_secret("adminPassword") && !is_called_secret("tokenUrl"));
    }
}
