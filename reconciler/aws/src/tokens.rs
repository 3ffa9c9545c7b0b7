//! Idempotency tokens: the same request again, after a crash too, has the same
//! token and so happens once.

use lyceum_core::address::Address;
use lyceum_core::site::digest;
use serde_json::Value;

/// The token of the `n`th try to make the object at `address` with these
/// attributes: 64 hex digits.
pub(crate) fn token(source: &str, address: &Address, attributes: &Value, n: u32) -> String {
    digest(&format!("{source}\n{address}\n{attributes}\n{n}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_request_has_the_same_token_and_no_other_has() {
        let (one, other) = (Address::new("c", "volume", "a"), Address::new("c", "volume", "b"));
        let first = token("s", &one, &json!({"size": 1}), 0);
        assert_eq!(first, token("s", &one, &json!({"size": 1}), 0));
        let others = [
            token("t", &one, &json!({"size": 1}), 0),
            token("s", &other, &json!({"size": 1}), 0),
            token("s", &one, &json!({"size": 2}), 0),
            token("s", &one, &json!({"size": 1}), 1),
        ];
        assert!(others.iter().all(|token| *token != first && token.len() == 64));
    }
}
