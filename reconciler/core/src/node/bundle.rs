//! Roles with all they need, as one file: what a node fetches.
//!
//! Invariants: the same roles give the same bytes, so a bundle is named by the
//! SHA-256 of its bytes; unpacking accepts only what packing makes and never
//! more than the limits here.

use std::collections::BTreeMap;
use std::io::Read;

use crate::manifest::role::RoleManifest;

/// Most bytes of a bundle as it is stored.
pub const MAX_PACKED: u64 = 16 * 1024 * 1024;
/// Most bytes of all its files together.
pub const MAX_UNPACKED: u64 = 64 * 1024 * 1024;
/// Most files in it.
pub const MAX_FILES: usize = 5_000;
/// zstd's default: the files are small, so more gains nothing.
const LEVEL: i32 = 3;

/// A role with its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// `role.yaml`.
    pub manifest: RoleManifest,
    /// Path below the role's folder to content: `role.yaml`,
    /// `templates/nginx.conf`, `files/key.asc`.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Roles by name, all that they include among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// By name.
    pub roles: BTreeMap<String, Role>,
}

/// A bundle that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is no `tar.zst`, or one cut short.
    #[error("the bundle cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// It holds more than it may.
    #[error("the bundle has more than {limit} {what}")]
    TooLarge {
        /// Bytes or files.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// It holds something packing never makes.
    #[error("the bundle holds `{path}`, which no role has")]
    Stray {
        /// What.
        path: String,
    },
    /// A role in it has no manifest, or one that is wrong.
    #[error("the role `{role}` of the bundle cannot be read: {message}")]
    Role {
        /// Which.
        role: String,
        /// Why.
        message: String,
    },
}

impl Bundle {
    /// The bundle as bytes: a deterministic `tar.zst`.
    pub fn pack(&self) -> Result<Vec<u8>, BundleError> {
        let packed = zstd::encode_all(self.tar()?.as_slice(), LEVEL);
        packed.map_err(BundleError::Unreadable)
    }

    /// A bundle from its bytes.
    pub fn unpack(bytes: &[u8]) -> Result<Self, BundleError> {
        let decoder = zstd::Decoder::new(bytes).map_err(BundleError::Unreadable)?;
        let mut archive = tar::Archive::new(decoder.take(MAX_UNPACKED + MAX_UNPACKED / 4));
        let mut files: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        let (mut count, mut size) = (0, 0);
        for entry in archive.entries().map_err(BundleError::Unreadable)? {
            let mut entry = entry.map_err(BundleError::Unreadable)?;
            count += 1;
            size += entry.size();
            if count > MAX_FILES {
                return Err(BundleError::TooLarge { what: "files", limit: MAX_FILES as u64 });
            }
            if size > MAX_UNPACKED {
                return Err(BundleError::TooLarge { what: "bytes", limit: MAX_UNPACKED });
            }
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let plain = entry.header().entry_type().is_file();
            let Some((role, inner)) = path.split_once('/').filter(|_| plain && is_safe(&path))
            else {
                return Err(BundleError::Stray { path });
            };
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(BundleError::Unreadable)?;
            files.entry(role.into()).or_default().insert(inner.into(), content);
        }
        let roles = files.into_iter().map(|(name, files)| Ok((name.clone(), role(&name, files)?)));
        Ok(Self { roles: roles.collect::<Result<_, _>>()? })
    }

    fn tar(&self) -> Result<Vec<u8>, BundleError> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, role) in &self.roles {
            for (path, content) in &role.files {
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                header.set_mode(0o644);
                header.set_mtime(0);
                let path = format!("{name}/{path}");
                builder
                    .append_data(&mut header, path, content.as_slice())
                    .map_err(BundleError::Unreadable)?;
            }
        }
        builder.into_inner().map_err(BundleError::Unreadable)
    }
}

/// Within its folder, and the same however it is read.
fn is_safe(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

fn role(name: &str, files: BTreeMap<String, Vec<u8>>) -> Result<Role, BundleError> {
    let wrong = |message: String| BundleError::Role { role: name.into(), message };
    let text = files.get("role.yaml").ok_or_else(|| wrong("it has no role.yaml".into()))?;
    let manifest = serde_yaml::from_slice(text).map_err(|error| wrong(error.to_string()))?;
    Ok(Role { manifest, files })
}
