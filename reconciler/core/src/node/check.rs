//! What must hold on a node once its steps are done: run after every
//! convergence and on demand, part of the node's report.
//!
//! Invariant: a check changes nothing and ends within its time.

mod look;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::step::MountType;

macro_rules! checks {
    ($($(#[$doc:meta])* $field:ident: $kind:ident),* $(,)?) => {
        /// One check of a role: a name, and exactly one of the kinds. Every text
        /// in it is a template, as in steps.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct CheckManifest {
            /// What it is called; unique in its role.
            #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
            pub name: String,
            /// An expression over `attributes`, `cluster`, `node`; the check is
            /// left out where it is false.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 1000))]
            pub when: Option<String>,
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$kind>,
            )*
        }

        /// What one check looks at.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Probe {
            $($(#[$doc])* $kind($kind),)*
        }

        /// The kinds, as they stand in a role.
        pub const CHECK_KINDS: &[&str] = &[$(stringify!($field)),*];

        impl CheckManifest {
            /// The kinds it names; one that is valid names exactly one.
            pub fn kinds(&self) -> Vec<&'static str> {
                let mut named = Vec::new();
                $(if self.$field.is_some() { named.push(stringify!($field)); })*
                named
            }
        }

        impl Probe {
            /// The check of a kind from its rendered fields.
            pub fn from_fields(
                kind: &str,
                fields: serde_json::Value,
            ) -> Result<Self, serde_json::Error> {
                $(if kind == stringify!($field) {
                    return serde_json::from_value(fields).map(Probe::$kind);
                })*
                Err(serde::de::Error::custom(format!("there is no kind of check `{kind}`")))
            }
        }
    };
}

checks! {
    /// Somebody listens on a port.
    port: PortCheck,
    /// An address answers over HTTP.
    http: HttpCheck,
    /// A program ends as it should.
    command: CommandCheck,
    /// A file is there.
    file: FileCheck,
    /// A file system is mounted.
    mount: MountCheck,
    /// A service of systemd runs.
    service: ServiceCheck,
    /// A service of the swarm has its tasks.
    docker_service: DockerServiceCheck,
    /// The node plays its part in the swarm.
    swarm: SwarmCheck,
}

/// Somebody listens on a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortCheck {
    /// Address or name; this node without one.
    #[serde(default = "here")]
    pub host: String,
    /// The port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Within so many seconds.
    #[serde(default = "seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u32,
}

/// An address answers over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpCheck {
    /// `https://127.0.0.1/hub/health`.
    #[schemars(regex(pattern = r"^(https?://|\{\{)"))]
    pub url: String,
    /// The status it answers with.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// A text the beginning of the answer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Hold its certificate against the authorities.
    #[serde(default)]
    pub verify: bool,
    /// Within so many seconds.
    #[serde(default = "seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u32,
}

/// A program ends as it should. It changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandCheck {
    /// The program and its arguments.
    #[schemars(length(min = 1, max = 100))]
    pub run: Vec<String>,
    /// Its exit code.
    #[serde(default)]
    pub code: i32,
    /// A text its output holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Within so many seconds.
    #[serde(default = "seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u32,
}

/// A file is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileCheck {
    /// Where.
    pub path: String,
    /// Its permissions, octal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// A text it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// A file system is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MountCheck {
    /// Where.
    pub path: String,
    /// Of what type.
    #[serde(rename = "type")]
    pub mount_type: MountType,
}

/// A service of systemd runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceCheck {
    /// The unit.
    pub unit: String,
}

/// A service of the swarm has all its tasks running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerServiceCheck {
    /// Its name.
    pub name: String,
}

/// The node plays its part in the swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwarmCheck {
    /// It is a manager, or a worker.
    #[serde(default)]
    pub manager: bool,
}

fn here() -> String {
    "127.0.0.1".into()
}
fn ok() -> u16 {
    200
}
fn seconds() -> u32 {
    5
}
