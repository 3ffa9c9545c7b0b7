//! A user of the system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Names, Run, Step, StepError};

/// A user, or none of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// Its name.
    #[schemars(regex(pattern = r"^[a-z_][a-z0-9_-]{0,31}$"))]
    pub name: String,
    /// Its number; the system's choice without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its first group; one of its own name without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Other groups it is in; it may be in more.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub groups: Names,
    /// Home directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// A user of the system, not a person.
    #[serde(default)]
    pub system: bool,
    /// There is to be no such user; its files stay.
    #[serde(default)]
    pub absent: bool,
}
