//! `cookbooks/<role>/role.yaml`: what a role is called and what it builds on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::ApiVersion;

/// A role: a part a node can play, a folder of `cookbooks/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleSpec {
    /// Roles that come before it, in order; theirs come before them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("uniqueItems" = true))]
    pub includes: Vec<String>,
}
