//! Roles with all they need, as one file: what a node fetches.
//!
//! Invariants: the same roles give the same bytes, so a bundle is named by the
//! SHA-256 of its bytes; unpacking accepts only what packing makes and never
//! more than the limits here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::texts;
use crate::manifest::role::RoleManifest;
use crate::site::etag_of;

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

/// A bundle as it is stored, and what tells it from others.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the bytes, 64 hex digits.
    pub digest: String,
    /// The ETag that S3 gives the bytes.
    pub etag: String,
    /// The `tar.zst`.
    pub bytes: Arc<[u8]>,
    /// The digest of each role in it.
    pub roles: BTreeMap<String, String>,
    /// The parts of a cluster's manifest that its roles ask for, as dotted paths.
    pub asked: BTreeSet<String>,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({}, {} bytes)", self.digest, self.bytes.len())
    }
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

impl Role {
    /// What tells its files from others, 64 hex digits: paths, lengths and
    /// contents.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, content) in &self.files {
            hash.update(format!("{path}\n{}\n", content.len()));
            hash.update(content);
        }
        hex(hash)
    }
}

impl Bundle {
    /// These roles and all that they include, however indirectly. A role that is
    /// not there is left out.
    pub fn of(wanted: &[String], roles: &BTreeMap<String, Arc<Role>>) -> Self {
        let mut bundle = Self::default();
        for name in closure(wanted, |name| roles.get(name).map(|role| &role.manifest)) {
            if let Some(role) = roles.get(&name) {
                bundle.roles.insert(name, Role::clone(role));
            }
        }
        bundle
    }

    /// The bundle as it is stored.
    pub fn packed(&self) -> Result<Packed, BundleError> {
        self.within_limits()?;
        let bytes = self.pack()?;
        if bytes.len() as u64 > MAX_PACKED {
            return Err(BundleError::TooLarge { what: "bytes when packed", limit: MAX_PACKED });
        }
        let roles = self.roles.iter().map(|(name, role)| (name.clone(), role.digest())).collect();
        let digest = hex(Sha256::new_with_prefix(&bytes));
        let asked = |role: &Role| texts::asked_of_cluster(&role.manifest, &role.files);
        let asked = self.roles.values().flat_map(asked).collect();
        let etag = etag_of(&bytes);
        Ok(Packed { digest, etag, bytes: bytes.into(), roles, asked })
    }

    fn within_limits(&self) -> Result<(), BundleError> {
        let files = || self.roles.values().flat_map(|role| role.files.values());
        if files().count() > MAX_FILES {
            return Err(BundleError::TooLarge { what: "files", limit: MAX_FILES as u64 });
        }
        if files().map(|content| content.len() as u64).sum::<u64>() > MAX_UNPACKED {
            return Err(BundleError::TooLarge { what: "bytes", limit: MAX_UNPACKED });
        }
        Ok(())
    }

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

/// The names of these roles and of all they include, sorted; those that nobody
/// knows too.
pub fn closure<'a>(
    wanted: &[String],
    known: impl Fn(&str) -> Option<&'a RoleManifest>,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open: Vec<String> = wanted.to_vec();
    while let Some(name) = open.pop() {
        if names.contains(&name) {
            continue;
        }
        open.extend(known(&name).map(|role| role.spec.includes.clone()).unwrap_or_default());
        names.insert(name);
    }
    names
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Within its folder, and the same however it is read.
fn is_safe(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

fn role(name: &str, files: BTreeMap<String, Vec<u8>>) -> Result<Role, BundleError> {
    let wrong = |message: String| BundleError::Role { role: name.into(), message };
    let text = files.get("role.yaml").ok_or_else(|| wrong("it has no role.yaml".into()))?;
    let manifest = RoleManifest::read(text).map_err(|error| wrong(error.to_string()))?;
    Ok(Role { manifest, files })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, includes: &str) -> Arc<Role> {
        let text = format!(
            "apiVersion: lyceum/v1\nkind: Role\nmetadata:\n  name: {name}\n  version: 1.0.0\n  \
             description: a role\nspec:\n  includes: [{includes}]\n"
        );
        let manifest = RoleManifest::read(text.as_bytes()).unwrap();
        let binary = ("files/logo.png".to_string(), vec![0, 159, 146, 150]);
        Arc::new(Role { manifest, files: [("role.yaml".into(), text.into()), binary].into() })
    }

    fn roles() -> BTreeMap<String, Arc<Role>> {
        let all = [("a", "b"), ("b", "c"), ("c", ""), ("d", "c")];
        all.into_iter().map(|(name, includes)| (name.into(), role(name, includes))).collect()
    }

    #[test]
    fn a_bundle_holds_all_that_is_included_and_survives_its_bytes() {
        let bundle = Bundle::of(&["a".into()], &roles());
        assert_eq!(bundle.roles.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        let packed = bundle.packed().unwrap();
        assert_eq!(Bundle::unpack(&packed.bytes).unwrap(), bundle);
        assert_eq!(packed, Bundle::of(&["b".into(), "a".into()], &roles()).packed().unwrap());
        assert_eq!(packed.roles.len(), 3);
    }

    #[test]
    fn the_digest_of_a_role_is_of_its_files_alone() {
        let whole = |wanted: &str| Bundle::of(&[wanted.into()], &roles()).packed().unwrap();
        assert_eq!(whole("a").roles["c"], whole("d").roles["c"]);
        let mut other = Role::clone(&role("c", ""));
        other.files.insert("files/logo.png".into(), vec![1]);
        assert_ne!(other.digest(), role("c", "").digest());
    }

    #[test]
    fn what_is_too_much_is_not_packed() {
        let mut large = Role::clone(&role("c", ""));
        for number in 0..=MAX_FILES {
            large.files.insert(format!("files/{number}"), Vec::new());
        }
        let roles = BTreeMap::from([("c".to_string(), Arc::new(large))]);
        let error = Bundle::of(&["c".into()], &roles).packed().unwrap_err();
        assert_eq!(error.to_string(), "the bundle has more than 5000 files");
    }
}
