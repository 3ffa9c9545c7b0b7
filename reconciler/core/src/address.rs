//! What a thing is called, before and after AWS has given it an id.
//!
//! An [`Address`] is the name the repository gives an object,
//! `geo-101/subnet/a`; it is also the value of its `lyceum:address` tag. A
//! [`Ref`] stands in an attribute for something of another object that is only
//! known once that object exists, written `@{geo-101/vpc/main}` for its id and
//! `@{geo-101/role/hub:arn}` for another output. References are plain text, so
//! that they may stand inside policies and user data as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `scope/kind/name`. The scope is a cluster's name, or `@region` for what
/// serves all clusters of a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    scope: String,
    kind: String,
    name: String,
}

/// Why a text is not an address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an address; expected scope/kind/name, such as geo-101/subnet/a")]
pub struct NotAnAddress(pub String);

impl Address {
    /// The address of `name` of `kind` in a cluster or `@region`.
    pub fn new(scope: &str, kind: &str, name: &str) -> Self {
        Self { scope: scope.into(), kind: kind.into(), name: name.into() }
    }

    /// The cluster's name, or `@region`.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The kind's name, such as `subnet`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name within scope and kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.scope, self.kind, self.name)
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(scope), Some(kind), Some(name))
                if !scope.is_empty() && !kind.is_empty() && !name.is_empty() =>
            {
                Ok(Self::new(scope, kind, name))
            }
            _ => Err(NotAnAddress(text.into())),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;
    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

/// An output of another object: its id, or a named output such as `arn`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ref {
    /// Whose output.
    pub address: Address,
    /// Which one; `id` is the default.
    pub output: String,
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.output.as_str() {
            "id" => write!(f, "@{{{}}}", self.address),
            output => write!(f, "@{{{}:{output}}}", self.address),
        }
    }
}

/// The id of the object at `address`, once known, as it stands in an attribute.
pub fn id_of(address: &Address) -> String {
    output_of(address, "id")
}

/// A named output of the object at `address`, as it stands in an attribute.
pub fn output_of(address: &Address, output: &str) -> String {
    Ref { address: address.clone(), output: output.into() }.to_string()
}

/// The references in a text, in order.
pub fn refs_in(text: &str) -> Vec<Ref> {
    let mut found = Vec::new();
    let mut rest = text;
    // By one character: nearly every text has none, and this is asked of all.
    while let Some((_, after)) = rest.split_once('@') {
        rest = after;
        let Some(inner) = rest.strip_prefix('{') else { continue };
        let Some((inner, _)) = inner.split_once('}') else { break };
        found.extend(parse_ref(inner));
    }
    found
}

/// Every reference anywhere in a value, keys of maps included.
pub fn refs_in_value(value: &Value) -> BTreeSet<Ref> {
    let mut found = BTreeSet::new();
    visit_text(value, &mut |text| found.extend(refs_in(text)));
    found
}

/// `value` with every reference that `known` can answer replaced by its answer.
/// What it cannot answer stays as it is.
pub fn resolve(value: &Value, known: &dyn Fn(&Ref) -> Option<String>) -> Value {
    match value {
        Value::String(text) => Value::String(resolve_text(text, known)),
        Value::Array(items) => items.iter().map(|item| resolve(item, known)).collect(),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, item)| (resolve_text(key, known), resolve(item, known)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// A text with every reference that `known` can answer replaced.
pub fn resolve_text(text: &str, known: &dyn Fn(&Ref) -> Option<String>) -> String {
    let answers: BTreeMap<String, String> = refs_in(text)
        .into_iter()
        .filter_map(|reference| known(&reference).map(|answer| (reference.to_string(), answer)))
        .collect();
    answers.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

fn visit_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| visit_text(item, visit)),
        Value::Object(map) => map.iter().for_each(|(key, item)| {
            visit(key);
            visit_text(item, visit);
        }),
        _ => {}
    }
}

fn parse_ref(inner: &str) -> Option<Ref> {
    let (address, output) = inner.split_once(':').unwrap_or((inner, "id"));
    Some(Ref { address: address.parse().ok()?, output: output.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_survive_text() {
        let address: Address = "geo-101/subnet/a".parse().unwrap();
        assert_eq!((address.scope(), address.kind(), address.name()), ("geo-101", "subnet", "a"));
        assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        assert!("geo-101/subnet".parse::<Address>().is_err());
        assert!("//a".parse::<Address>().is_err());
    }

    #[test]
    fn references_are_found_and_answered_in_text_values_and_keys() {
        let vpc = Address::new("c", "vpc", "main");
        let role = Address::new("c", "role", "hub");
        let value = json!({"vpc": id_of(&vpc), "policy": format!("to {} end", output_of(&role, "arn")),
                           "by": {id_of(&vpc): 1}});
        assert_eq!(refs_in_value(&value).len(), 2);
        let answered =
            resolve(&value, &|reference| (reference.address == vpc).then(|| "vpc-1".to_string()));
        assert_eq!(answered["vpc"], "vpc-1");
        assert_eq!(answered["by"]["vpc-1"], 1);
        assert_eq!(answered["policy"], "to @{c/role/hub:arn} end");
    }

    #[test]
    fn what_is_not_a_reference_is_left_alone() {
        assert!(refs_in("${x/y/z} @{nothing} @{open").is_empty());
    }
}
