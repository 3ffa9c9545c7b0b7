//! A container outside of the swarm's services. The whole specification is
//! compared; one that differs is made anew.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::docker_service::{DockerMount, DockerPort};
use super::{Difference, Run, Step, StepError, Texts};

/// A container, running, or none of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerContainer {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"))]
    pub name: String,
    /// The image, with a tag or a digest.
    #[serde(default)]
    pub image: String,
    /// The cluster's parameter with the image's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Replaces the image's command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Environment. Nothing secret: mount a confidential file.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,
    /// `1000`, `1000:100` or a name in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What is mounted into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<DockerMount>,
    /// The network it is on: a name, `bridge` or `host`.
    #[serde(default = "bridge")]
    pub network: String,
    /// Published ports; `mode` has no meaning here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<DockerPort>,
    /// `always`, `unless-stopped`, `on-failure` or `no`.
    #[serde(default = "always")]
    pub restart: String,
    /// Memory it may use, `512M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Processors it may use, `"0.5"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// Steps whose change makes it anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub watches: Vec<String>,
    /// There is to be no such container.
    #[serde(default)]
    pub absent: bool,
}

fn bridge() -> String {
    "bridge".into()
}
fn always() -> String {
    "always".into()
}
