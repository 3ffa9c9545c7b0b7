//! File systems that nodes share, in the place of EFS: a folder each, which the
//! node image's `mount.nfs4` and `mount.efs` show at a path. And volumes, in the
//! place of EBS.
//!
//! How a node sees such a mount was chosen so that what verifies a mount on AWS
//! verifies it here. A bind mount would show the host's own file system as type
//! and source; the kernel's NFS client may be missing; an overlay cannot be
//! shared. A FUSE file system (bindfs) carries a source of our choosing and a
//! type after the dot, by which FUSE names the file system it is a client of:
//! `/proc/self/mountinfo` says `fuse.nfs4` and the source exactly as it was given
//! to `mount`. It runs as a unit of its own, so that it outlives whoever mounted.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where nodes find the folder of all file systems. The comma is meant: bindfs
/// then leaves the naming of the source to its caller.
pub(crate) const IN_NODE: &str = "/var/lib/lyceum-local/file,systems";

/// The file systems of a cloud.
#[derive(Clone, Debug)]
pub struct FileSystems {
    folder: PathBuf,
}

impl FileSystems {
    pub(crate) fn at(folder: PathBuf) -> Result<Self, Error> {
        for part in ["", ".addresses", ".access-points"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).map_err(Error::file("make", &part))?;
        }
        Ok(Self { folder })
    }

    /// The folder of all, to be shared with nodes before they start.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes one, if it is not there, and gives its folder.
    pub fn create(&self, id: &str) -> Result<PathBuf, Error> {
        let path = self.path(id)?;
        fs::create_dir_all(&path).map_err(Error::file("make", &path))?;
        Ok(path)
    }

    /// The folder of one.
    pub fn path(&self, id: &str) -> Result<PathBuf, Error> {
        Ok(self.folder.join(named(id, "fs-")?))
    }

    /// Removes one with what is in it.
    pub fn remove(&self, id: &str) -> Result<(), Error> {
        let path = self.path(id)?;
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// A mount target: the file system also answers at an address.
    pub fn answer_at(&self, id: &str, address: Ipv4Addr) -> Result<(), Error> {
        let path = self.folder.join(".addresses").join(address.to_string());
        fs::write(&path, named(id, "fs-")?).map_err(Error::file("write", &path))
    }

    /// An access point: a folder of a file system, made with its owner if it is
    /// not there, that is all who mount through it see.
    pub fn access_point(
        &self,
        point: &str,
        id: &str,
        folder: &str,
        owner: (u32, u32, u32),
    ) -> Result<(), Error> {
        let (user, group, mode) = owner;
        let below = folder.trim_start_matches('/');
        if below.split('/').any(|part| part == "..") {
            let value = folder.to_owned();
            return Err(Error::Invalid { what: "the folder", value, why: "a path without `..`" });
        }
        let path = self.create(id)?.join(below);
        if !path.exists() {
            fs::create_dir_all(&path).map_err(Error::file("make", &path))?;
            chown(&path, Some(user), Some(group)).map_err(Error::file("own", &path))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
                .map_err(Error::file("own", &path))?;
        }
        let note = self.folder.join(".access-points").join(named(point, "fsap-")?);
        fs::write(&note, format!("/{below}")).map_err(Error::file("write", &note))
    }
}

/// The volumes of a cloud, in the place of EBS: sparse files that outlive the nodes
/// they are attached to. A node shows one as a block device.
#[derive(Clone, Debug)]
pub struct Volumes {
    folder: PathBuf,
}

impl Volumes {
    pub(crate) fn at(folder: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
        Ok(Self { folder })
    }

    /// Makes one, empty, of this size, unless it is there.
    pub fn create(&self, id: &str, mib: u32) -> Result<(), Error> {
        let path = self.path(id)?;
        if path.exists() {
            return Ok(());
        }
        fs::File::create(&path)
            .and_then(|file| file.set_len(u64::from(mib) * 1_024 * 1_024))
            .map_err(Error::file("make", &path))
    }

    /// Removes one with what is on it.
    pub fn remove(&self, id: &str) -> Result<(), Error> {
        let path = self.path(id)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// The file of a volume, and where a node's boot finds it, to show it as
    /// `device`.
    pub(crate) fn attach(&self, device: &str, id: &str) -> Result<(String, String), Error> {
        let name = device.strip_prefix("/dev/").unwrap_or_default();
        let path = self.path(id)?;
        if name.is_empty() || !name.chars().all(|one| one.is_ascii_alphanumeric()) {
            let value = device.to_owned();
            return Err(Error::Invalid { what: "the device", value, why: "/dev/ and a name" });
        }
        if !path.exists() {
            let value = id.to_owned();
            return Err(Error::Invalid { what: "the volume", value, why: "one that was created" });
        }
        Ok((path.display().to_string(), format!("/var/lib/lyceum-local/volumes/{name}")))
    }

    fn path(&self, id: &str) -> Result<PathBuf, Error> {
        Ok(self.folder.join(named(id, "vol-")?))
    }
}

/// Ids become names of files, so they are looked at.
fn named<'a>(id: &'a str, prefix: &'static str) -> Result<&'a str, Error> {
    let rest = id.strip_prefix(prefix).unwrap_or_default();
    match !rest.is_empty() && rest.chars().all(|one| one.is_ascii_alphanumeric()) {
        true => Ok(id),
        false => Err(Error::Invalid {
            what: "the id",
            value: id.to_owned(),
            why: "its prefix, then letters and digits",
        }),
    }
}
