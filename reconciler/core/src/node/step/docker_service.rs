//! A service of the swarm. The whole specification is compared, so that a
//! changed image, variable, mount or port converges.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, Texts};

/// A service of the swarm, or none of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerService {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"))]
    pub name: String,
    /// The image, with a tag or a digest.
    #[serde(default)]
    pub image: String,
    /// The cluster's parameter with the image's digest, as `docker_image` pins
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Replaces the image's entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment. Nothing secret: mount a confidential file.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,
    /// `1000`, `1000:100` or a name in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What is mounted into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<DockerMount>,
    /// Networks it is on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Names it has there besides its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<DockerPort>,
    /// Placement, `node.role == manager`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// How many tasks.
    #[serde(default = "one")]
    #[schemars(range(max = 1000))]
    pub replicas: u32,
    /// `dnsrr` or `vip`. Virtual addresses need a kernel with IP_VS and drop
    /// connections that are idle for 15 minutes.
    #[serde(default = "dnsrr")]
    pub endpoint_mode: String,
    /// `any`, `on-failure` or `none`.
    #[serde(default = "any")]
    pub restart: String,
    /// Memory it may use, `512M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Processors it may use, `"0.5"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// `start-first` or `stop-first`.
    #[serde(default = "stop_first")]
    pub update_order: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// Steps whose change restarts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub watches: Vec<String>,
    /// There is to be no such service.
    #[serde(default)]
    pub absent: bool,
}

/// A directory or file of the node inside a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerMount {
    /// On the node, absolute.
    pub source: String,
    /// In the container, absolute.
    pub target: String,
    /// It cannot be written there.
    #[serde(default)]
    pub read_only: bool,
}

/// A published port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerPort {
    /// Of the container.
    #[schemars(range(min = 1, max = 65535))]
    pub target: u16,
    /// Of the node.
    #[schemars(range(min = 1, max = 65535))]
    pub published: u16,
    /// `tcp` or `udp`.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// `host`, or `ingress`, which needs IP_VS.
    #[serde(default = "host")]
    pub mode: String,
}

fn one() -> u32 {
    1
}
fn dnsrr() -> String {
    "dnsrr".into()
}
fn any() -> String {
    "any".into()
}
fn stop_first() -> String {
    "stop-first".into()
}
fn tcp() -> String {
    "tcp".into()
}
fn host() -> String {
    "host".into()
}
