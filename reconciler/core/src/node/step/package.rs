//! Packages of the distribution, through apt or dnf.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// Packages that are installed, or are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Package {
    /// Packages to have, each `name` or `name=version`. A pinned version is
    /// brought back when another is installed; one that is not pinned is left
    /// to the system's own updates.
    #[schemars(length(max = 100))]
    pub install: Vec<String>,
    /// Packages not to have.
    #[schemars(length(max = 100))]
    pub remove: Vec<String>,
    /// A repository they come from, besides the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<PackageRepository>,
}

/// A repository of packages, with the key that signs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageRepository {
    /// What its files on the node are called.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,40}$"))]
    pub name: String,
    /// Its address.
    pub uri: String,
    /// apt: the suite; a path ending in `/` for a flat repository.
    #[serde(default)]
    pub suite: String,
    /// apt: the components.
    #[serde(default)]
    pub components: Vec<String>,
    /// The signing key: a file of the role's `files/`, ASCII-armoured.
    pub key: String,
    /// The key itself; filled in when the step is planned.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub key_text: String,
}
