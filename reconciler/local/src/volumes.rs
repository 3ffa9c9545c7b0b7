//! Volumes of a cloud: a sparse file each, which a loop device shows to the
//! machine and a node sees under the name the volume is attached by.
//!
//! A volume outlives the node it is attached to, as on AWS.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::error::Error;

const WITHIN: Duration = Duration::from_secs(20);
/// The file is sparse: what is not written takes no room.
const GIB: u64 = 1024 * 1024 * 1024;

/// The volumes of a cloud.
#[derive(Clone, Debug)]
pub struct Volumes {
    folder: PathBuf,
}

impl Volumes {
    pub(crate) fn at(folder: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
        Ok(Self { folder })
    }

    /// The device that shows a volume; made, or grown to this size, on asking.
    pub fn device(&self, id: &str, gib: u64) -> Result<String, Error> {
        let path = self.path(id)?;
        let failed = || Error::file("write", &path);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed())?;
        let size = file.metadata().map_err(failed())?.len();
        file.set_len(size.max(gib * GIB)).map_err(failed())?;
        if let Some(device) = attached(&path)? {
            return Ok(device);
        }
        let shown = losetup(&["--find", "--show", &path.display().to_string()])?;
        Ok(shown.trim().to_owned())
    }

    /// Removes a volume with what is on it.
    pub fn remove(&self, id: &str) -> Result<(), Error> {
        let path = self.path(id)?;
        detach(&path)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, id: &str) -> Result<PathBuf, Error> {
        let rest = id.strip_prefix("vol-").unwrap_or_default();
        match !rest.is_empty() && rest.chars().all(|one| one.is_ascii_alphanumeric()) {
            true => Ok(self.folder.join(id)),
            false => Err(Error::Invalid {
                what: "the id",
                value: id.to_owned(),
                why: "`vol-`, then letters and digits",
            }),
        }
    }
}

/// Takes the devices of all volumes in a folder away, before it is removed.
pub(crate) fn detach_all(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    entries.flatten().try_for_each(|entry| detach(&entry.path()))
}

fn detach(path: &Path) -> Result<(), Error> {
    while let Some(device) = attached(path)? {
        losetup(&["--detach", &device])?;
    }
    Ok(())
}

fn attached(path: &Path) -> Result<Option<String>, Error> {
    let path = path.display().to_string();
    let listed = losetup(&["--noheadings", "--output", "NAME", "--associated", &path])?;
    Ok(listed.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()))
}

fn losetup(arguments: &[&str]) -> Result<String, Error> {
    command::succeed(Command::new("losetup").args(arguments), b"", WITHIN)
}
