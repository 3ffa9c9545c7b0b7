//! A network of Docker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, Texts, yes};

/// A network of Docker. One that differs is made anew once nothing is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerNetwork {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"))]
    pub name: String,
    /// `overlay` or `bridge`.
    #[serde(default = "overlay")]
    pub driver: String,
    /// Its range; Docker's choice without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Containers outside of services may join, too.
    #[serde(default = "yes")]
    pub attachable: bool,
    /// No way out of it.
    #[serde(default)]
    pub internal: bool,
    /// Traffic between nodes is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// Driver options.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub options: Texts,
    /// Labels.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
}

fn overlay() -> String {
    "overlay".into()
}
