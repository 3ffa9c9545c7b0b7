//! IAM policies in normal form: lists sorted, and lists even where one would do,
//! so that equal policies are equal values.

use serde_json::{Value, json};

/// A policy of these statements.
pub(crate) fn document(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What is allowed on what.
pub(crate) fn allow(name: &str, actions: &[&str], resources: Vec<String>) -> Value {
    json!({"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": texts(resources)})
}

/// What is denied on what, whatever else allows it.
pub(crate) fn deny(name: &str, actions: &[&str], resources: Vec<String>) -> Value {
    let mut statement = allow(name, actions, resources);
    statement["Effect"] = "Deny".into();
    statement
}

/// What is allowed on what, under a condition.
pub(crate) fn allow_if(
    name: &str,
    actions: &[&str],
    resources: Vec<String>,
    condition: Value,
) -> Value {
    let mut statement = allow(name, actions, resources);
    statement["Condition"] = condition;
    statement
}

fn sorted(actions: &[&str]) -> Vec<String> {
    texts(actions.iter().map(ToString::to_string).collect())
}

fn texts(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}
