//! IAM's policy documents in one normal form. AWS gives them back encoded,
//! re-ordered, and with lists of one as single values; two documents that mean
//! the same are equal in this form.
//!
//! The normal form: `Statement` is a list; actions, resources, the values of
//! principals and of conditions are sorted lists of texts, even of one; a
//! principal of `*` stays a text. The desired state is written in it.

use serde_json::{Map, Value};

/// A document as AWS gives it, plain or URL-encoded, in normal form. What is no
/// JSON stays a text, which equals no document; nothing is null.
pub(crate) fn parse(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&url_decode(text)))
        .map_or_else(|_| Value::String(text.into()), normal)
}

/// A document in normal form.
pub(crate) fn normal(mut document: Value) -> Value {
    if let Some(statements) = document.get_mut("Statement") {
        let list = match statements.take() {
            Value::Array(list) => list,
            one => vec![one],
        };
        *statements = list.into_iter().map(statement).collect();
    }
    document
}

fn statement(statement: Value) -> Value {
    let Value::Object(fields) = statement else { return statement };
    let fields = fields.into_iter().map(|(name, value)| {
        let value = match name.as_str() {
            "Action" | "NotAction" | "Resource" | "NotResource" => list(value),
            "Principal" | "NotPrincipal" => each_field(value, list),
            "Condition" => each_field(value, |keys| each_field(keys, list)),
            _ => value,
        };
        (name, value)
    });
    Value::Object(fields.collect())
}

/// The value with `change` done to each field; what has no fields stays.
fn each_field(value: Value, change: impl Fn(Value) -> Value) -> Value {
    match value {
        Value::Object(fields) => {
            let changed: Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name, change(value))).collect();
            Value::Object(changed)
        }
        other => other,
    }
}

fn list(value: Value) -> Value {
    let mut texts: Vec<String> = match value {
        Value::Array(items) => items.into_iter().map(text).collect(),
        one => vec![text(one)],
    };
    texts.sort();
    texts.dedup();
    texts.into()
}

/// Conditions may be written as booleans and numbers; they mean their texts.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn url_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let decoded = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match decoded {
            Some((high, low)) => {
                bytes.push(high * 16 + low);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_that_mean_the_same_are_equal() {
        let one = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": ["b", "a"],
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Condition": {"Bool": {"aws:SecureTransport": false}}}});
        let other = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["a", "b", "a"],
            "Principal": {"Service": ["ec2.amazonaws.com"]},
            "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}]});
        assert_eq!(normal(one.clone()), normal(other));
        assert_eq!(normal(normal(one.clone())), normal(one));
    }

    #[test]
    fn documents_that_differ_stay_different() {
        let allow = |action: &str| normal(json!({"Statement": [{"Action": action}]}));
        assert_ne!(allow("s3:GetObject"), allow("s3:PutObject"));
        assert_eq!(
            normal(json!({"Statement": [{"Principal": "*"}]}))["Statement"][0]["Principal"],
            "*"
        );
    }

    #[test]
    fn encoded_documents_are_read() {
        assert_eq!(parse("%7B%22Version%22%3A%22v%C3%A9%22%7D"), json!({"Version": "vé"}));
        assert_eq!(parse("{\"Version\":\"100%25\"}"), json!({"Version": "100%25"}));
        assert_eq!(parse("100%"), json!("100%"));
        assert_eq!(parse(""), Value::Null);
    }
}
