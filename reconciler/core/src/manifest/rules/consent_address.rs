//! A consent names an object as the plan does, or a cluster, or what the
//! clusters of a region share.

use crate::address::Address;
use crate::kind::KINDS;

use super::super::conform::closest;
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "consent-address",
    summary: "A consent's `address` is a cluster's name, `@region`, or `scope/kind/name` with a \
              kind that exists.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let Some(consents) = &model.consents else { return };
    for (index, consent) in consents.manifest.consents.iter().enumerate() {
        let Some((message, hint)) = fault(&consent.address) else { continue };
        let pointer = format!("/consents/{index}/address");
        let error = consents.error(&pointer, &RULE, message).expected(
            "a cluster's name, or an address as `lyceum plan` prints it: geo-101/file-system/main",
        );
        found.push(match hint {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error,
        });
    }
}

fn fault(text: &str) -> Option<(String, Option<String>)> {
    if is_scope(text) {
        return None;
    }
    let Ok(address) = text.parse::<Address>() else {
        return Some((format!("`{}` is not an address", text.escape_debug()), None));
    };
    let scope = address.scope();
    if !is_scope(scope) {
        return Some((
            format!("`{}` is neither a cluster nor a region", scope.escape_debug()),
            None,
        ));
    }
    let kinds: Vec<String> = KINDS.iter().map(|facts| facts.name.to_string()).collect();
    let unknown = !kinds.iter().any(|kind| kind == address.kind());
    unknown.then(|| {
        let kind = address.kind().escape_debug();
        (format!("there is no kind `{kind}`"), closest(address.kind(), &kinds))
    })
}

/// A cluster's name, or `@` and a region's.
fn is_scope(text: &str) -> bool {
    let text = text.strip_prefix('@').unwrap_or(text);
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(letter)
}
