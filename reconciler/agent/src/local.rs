//! A role from a folder, for who writes one: no cluster, no S3, no signature.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lyceum_core::manifest::role::RoleManifest;
use lyceum_core::node::bundle::{Bundle, MAX_FILES, MAX_PACKED, MAX_UNPACKED, Role};
use lyceum_core::node::facts::Facts;
use lyceum_core::node::pointer::Target;
use lyceum_core::site::digest_of;
use serde::Deserialize;
use serde_json::Value;

use crate::disk;

/// Longest of the small files that are named.
const LARGEST: usize = 4 * 1024 * 1024;
/// How deep a role's folders go.
const DEPTH: usize = 10;

/// What a machine is to be, as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LocalTarget {
    /// The roles, in order.
    pub roles: Vec<String>,
    /// Attributes by role.
    pub attributes: BTreeMap<String, BTreeMap<String, Value>>,
    /// The cluster's manifest, `metadata` and `spec`.
    pub cluster: Value,
}

/// Something named on the command line that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{} is not what it should be: {message}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A role that is named is not there.
    #[error("there is no role `{role}` in {}", path.display())]
    NoRole {
        /// Which.
        role: String,
        /// Where.
        path: PathBuf,
    },
    /// No role is named.
    #[error("no role is named: use --role, or `roles` in the target's file")]
    NoRoles,
    /// There is more than any node has.
    #[error("{} holds more than {limit} {what}", path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
        /// Bytes, files or folders in folders.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

/// Roles with all they include, from a folder of roles or a packed bundle.
pub fn bundle(path: &Path, roles: &[String]) -> Result<Bundle, LocalError> {
    let about = std::fs::metadata(path).map_err(|source| unread(path, source))?;
    if !about.is_dir() {
        let limit = usize::try_from(MAX_PACKED).unwrap_or(usize::MAX);
        let content = read(path, limit)?;
        return Bundle::unpack(&content).map_err(|error| wrong(path, &error));
    }
    let mut bundle = Bundle::default();
    let mut open: Vec<String> = roles.to_vec();
    while let Some(name) = open.pop() {
        if bundle.roles.contains_key(&name) {
            continue;
        }
        let role = role(path, &name)?;
        open.extend(role.manifest.spec.includes.iter().cloned());
        bundle.roles.insert(name, role);
    }
    Ok(bundle)
}

/// What a machine is to be, from a file and the roles named beside it.
pub fn target(path: Option<&Path>, roles: &[String]) -> Result<Target, LocalError> {
    let mut local: LocalTarget = path.map(parse).transpose()?.unwrap_or_default();
    local.roles.extend(roles.iter().cloned());
    if local.roles.is_empty() {
        return Err(LocalError::NoRoles);
    }
    Ok(Target {
        roles: local.roles,
        attributes: local.attributes,
        cluster: if local.cluster.is_null() {
            Value::Object(Default::default())
        } else {
            local.cluster
        },
        ..Target::default()
    })
}

/// What a machine is, with what a file says over it.
pub fn facts(machine: Facts, path: Option<&Path>) -> Result<Facts, LocalError> {
    let Some(path) = path else { return Ok(machine) };
    let over: BTreeMap<String, Value> = parse(path)?;
    let mut all = serde_json::to_value(&machine).map_err(|error| wrong(path, &error))?;
    for (key, value) in over {
        if all.get(&key).is_none() {
            return Err(wrong(path, &format!("there is no fact `{key}`")));
        }
        all[key] = value;
    }
    serde_json::from_value(all).map_err(|error| wrong(path, &error))
}

/// The digest of a target that has no bundle in a bucket.
pub fn digest(target: &Target, bundle: &Bundle) -> String {
    let packed = bundle.pack().unwrap_or_default();
    digest_of(format!("{}{}", target.digest(), digest_of(&packed)).as_bytes())
}

fn role(folder: &Path, name: &str) -> Result<Role, LocalError> {
    let path = folder.join(name);
    let manifest = path.join("role.yaml");
    let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    if !plain || !manifest.is_file() {
        return Err(LocalError::NoRole { role: name.into(), path: folder.into() });
    }
    let mut files = BTreeMap::new();
    let mut size = 0;
    gather(&path, "", &mut files, &mut size)?;
    let manifest =
        RoleManifest::read(&read(&manifest, LARGEST)?).map_err(|error| wrong(&manifest, &error))?;
    Ok(Role { manifest, files })
}

fn gather(
    folder: &Path,
    below: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
    size: &mut u64,
) -> Result<(), LocalError> {
    let over = |what, limit| LocalError::TooLarge { path: folder.into(), what, limit };
    if below.matches('/').count() > DEPTH {
        return Err(over("folders in folders", DEPTH as u64));
    }
    for entry in std::fs::read_dir(folder).map_err(|source| unread(folder, source))? {
        let entry = entry.map_err(|source| unread(folder, source))?;
        let path = entry.path();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            gather(&path, &format!("{name}/"), files, size)?;
            continue;
        }
        let limit = usize::try_from(MAX_UNPACKED).unwrap_or(usize::MAX);
        let content = read(&path, limit)?;
        *size += content.len() as u64;
        files.insert(name, content);
        if *size > MAX_UNPACKED {
            return Err(over("bytes", MAX_UNPACKED));
        }
        if files.len() > MAX_FILES {
            return Err(over("files", MAX_FILES as u64));
        }
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, LocalError> {
    serde_yaml::from_slice(&read(path, LARGEST)?).map_err(|error| wrong(path, &error))
}

fn read(path: &Path, limit: usize) -> Result<Vec<u8>, LocalError> {
    let missing = || unread(path, std::io::ErrorKind::NotFound.into());
    disk::read(path, limit).map_err(|source| unread(path, source))?.ok_or_else(missing)
}

fn unread(path: &Path, source: std::io::Error) -> LocalError {
    LocalError::Read { path: path.into(), source }
}

fn wrong(path: &Path, error: &impl ToString) -> LocalError {
    LocalError::Parse { path: path.into(), message: error.to_string() }
}
