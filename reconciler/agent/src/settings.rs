//! What a node is told when it first boots: `/etc/lyceum/node.json`, written by
//! its user data, and the environment of the service. Nothing secret.

use std::path::Path;

use serde::Deserialize;

use crate::disk;

/// Where a node's settings are.
pub const FILE: &str = "/etc/lyceum/node.json";
/// The service's environment, beside them.
pub const ENVIRONMENT: &str = "environment";
/// Far above any.
const LARGEST: usize = 64 * 1024;

/// A node's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// The artifact bucket.
    pub bucket: String,
    /// The cluster's name.
    pub cluster: String,
    /// `hub` or `workers`.
    pub group: String,
    /// `lyceum.yaml`'s owner.
    pub owner: String,
    /// Prefix of the cluster's parameters, `/lyceum/geo-101`.
    pub parameters: String,
    /// Prefix of the cluster's objects, `clusters/geo-101/`.
    pub prefix: String,
    /// AWS region.
    pub region: String,
    /// The cluster's public key, base64.
    pub public_key: String,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They are not there.
    #[error("there is no {0}: this machine is no node of a cluster")]
    Missing(String),
    /// They cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// They are not what they should be.
    #[error("{path} is no settings file")]
    Parse {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Something in them is not said.
    #[error("{path} does not say `{key}`")]
    Lacks {
        /// Where.
        path: String,
        /// What.
        key: &'static str,
    },
}

impl Settings {
    /// Reads them.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let shown = path.display().to_string();
        let content = disk::read(path, LARGEST)
            .map_err(|source| SettingsError::Read { path: shown.clone(), source })?
            .ok_or_else(|| SettingsError::Missing(shown.clone()))?;
        let settings: Self = serde_json::from_slice(&content)
            .map_err(|source| SettingsError::Parse { path: shown.clone(), source })?;
        match settings.lacks() {
            Some(key) => Err(SettingsError::Lacks { path: shown, key }),
            None => Ok(settings),
        }
    }

    /// A key under the cluster's prefix.
    pub fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    fn lacks(&self) -> Option<&'static str> {
        let all = [
            ("bucket", &self.bucket),
            ("cluster", &self.cluster),
            ("group", &self.group),
            ("owner", &self.owner),
            ("parameters", &self.parameters),
            ("prefix", &self.prefix),
            ("region", &self.region),
            ("publicKey", &self.public_key),
        ];
        all.into_iter().find(|(_, value)| value.is_empty()).map(|(key, _)| key)
    }
}
