//! A file system, mounted at a path and verified to be the one it should be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// A mount that outlives a boot. Nothing after it runs while it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// Where, absolute; the directory is made.
    #[schemars(regex(pattern = r"^/[^ ]+$"), length(max = 1000))]
    pub path: String,
    /// What it is.
    #[serde(rename = "type")]
    pub mount_type: MountType,
    /// `efs`: `fs-0123` or `fs-0123:/sub`; `nfs4`: `host:/path`; `volume`: the
    /// name the volume is attached under, `/dev/sdf`.
    #[schemars(length(min = 1, max = 500))]
    pub source: String,
    /// Options besides those every mount of the type has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub options: Vec<String>,
    /// `volume`: makes an ext4 file system where the volume is blank.
    #[serde(default)]
    pub format: bool,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MountType {
    /// NFS 4.1.
    #[default]
    Nfs4,
    /// Amazon EFS, by its own mount helper where the node has it, else as NFS
    /// 4.1 from the file system's DNS name.
    Efs,
    /// A volume attached to the instance.
    Volume,
}
