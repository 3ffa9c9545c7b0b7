//! `cookbooks/<role>/role.yaml`: what a role is called and what it builds on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::ApiVersion;
use crate::node::check::CheckManifest;
use crate::node::step::StepManifest;

/// A role: a part a node can play, a folder of `cookbooks/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleManifest {
    /// `lyceum/v1`.
    pub api_version: ApiVersion,
    /// `Role`.
    pub kind: RoleKind,
    /// What it is called.
    pub metadata: RoleMetadata,
    /// What it is.
    #[serde(default)]
    pub spec: RoleSpec,
}

impl RoleManifest {
    /// A role from its role.yaml, as every reader takes it: numbers that are
    /// whole count as whole, `null` is what is not said.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_yaml::Error> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let mut value: Value = serde_yaml::from_slice(bytes)?;
        super::source::whole_numbers(&mut value);
        super::merge::drop_nulls(&mut value);
        serde_json::from_value(value).map_err(serde::de::Error::custom)
    }
}

/// The kind of a role's manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoleKind {
    /// A role.
    #[default]
    Role,
}

/// What a role is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleMetadata {
    /// The role's name: the same as its folder's; lower-case letters, digits
    /// and dashes.
    #[schemars(regex(pattern = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"))]
    pub name: String,
    /// The role's version, three numbers.
    #[schemars(regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+$"))]
    pub version: String,
    /// What the role makes of a node, in a sentence.
    #[schemars(length(min = 1, max = 500))]
    pub description: String,
}

/// What a role is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleSpec {
    /// Roles that come before it, in order; theirs come before them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("uniqueItems" = true))]
    pub includes: Vec<String>,
    /// What a cluster may set, by name: `attributes.<name>` in its texts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub attributes: BTreeMap<String, Attribute>,
    /// What makes a node of it, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub steps: Vec<StepManifest>,
    /// What must hold when the steps are done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub checks: Vec<CheckManifest>,
    /// How a change of it reaches the nodes.
    pub rollout: RoleRollout,
}

/// Something a cluster may set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attribute {
    /// What its values are.
    #[serde(rename = "type")]
    pub attribute_type: AttributeType,
    /// What it is for, in a sentence.
    #[schemars(length(min = 1, max = 500))]
    pub description: String,
    /// What it is where the cluster does not say. Without one, a cluster whose
    /// nodes have the role must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values it takes.
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub options: Vec<Value>,
    /// `string`: a regular expression that its values match as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// `integer`, `number`: the smallest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// `integer`, `number`: the largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
}

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeType {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// A map.
    Map,
}

/// How a change of a role reaches the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleRollout {
    /// The group that takes it before the other, where both have the role.
    pub first: First,
}

/// The group that takes a change first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// The hub.
    #[default]
    Hub,
    /// The workers.
    Workers,
}
