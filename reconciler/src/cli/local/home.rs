//! Where a cloud's own things are: its state, its logs, the repository it was
//! given where there was none. One folder, `$XDG_STATE_HOME/lyceum/local/<name>`;
//! what AWS and the nodes keep is below the cache and goes with the cloud.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use lyceum_local::Place;

use super::state::State;
use crate::cli::failure::{Failed, Refused};

/// The folder of one cloud.
#[derive(Clone, Debug)]
pub(super) struct Home {
    name: String,
    folder: PathBuf,
}

impl Home {
    /// That of a cloud, which need not be there.
    pub(super) fn of(name: &str) -> Result<Self, Failed> {
        let plain = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-';
        if name.is_empty() || name.len() > 24 || name.starts_with('-') || !name.bytes().all(plain) {
            let hint = "1 to 24 of a-z, 0-9 and -, the first no -";
            return Err(Refused::new(format!("`{name}` is no name for a cloud"), hint).into());
        }
        Ok(Self { name: name.into(), folder: all()?.join(name) })
    }

    /// Those that are there, by name.
    pub(super) fn every() -> Result<Vec<Self>, Failed> {
        let entries = match fs::read_dir(all()?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut homes: Vec<Self> = names.filter_map(|name| Self::of(&name).ok()).collect();
        homes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(homes)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The repository that `up` makes.
    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    pub(super) fn keeper_log(&self) -> PathBuf {
        self.folder.join("keeper.log")
    }

    pub(super) fn service_log(&self) -> PathBuf {
        self.folder.join("service.log")
    }

    /// Where the keeper takes orders. Sockets have short names.
    pub(super) fn socket(&self, place: &Place) -> PathBuf {
        place.run().join(format!("{}.sock", self.name))
    }

    /// Makes the folder, for its owner alone: a password is in it.
    pub(super) fn make(&self) -> Result<(), Failed> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.with_context(|| format!("cannot make {}", self.folder.display()))
    }

    /// What the keeper last wrote; none where it wrote nothing.
    pub(super) fn state(&self) -> Result<Option<State>, Failed> {
        let path = self.state_file();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(anyhow!(error).context(format!("{}", path.display()))),
        };
        let state = serde_json::from_slice(&text);
        state.map(Some).with_context(|| format!("{} is not as it should be", path.display()))
    }

    /// Replaces it: whoever reads sees the old one or the new one.
    pub(super) fn write(&self, state: &State) -> Result<(), Failed> {
        let (path, new) = (self.state_file(), self.folder.join("state.json.new"));
        let text = serde_json::to_vec_pretty(state)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&text)?;
        Ok(fs::rename(new, path)?)
    }

    /// Removes it, but for a repository in which somebody has worked; gives that.
    pub(super) fn clear(&self, worked_in: bool) -> Result<Option<PathBuf>, Failed> {
        if !worked_in {
            return absent(fs::remove_dir_all(&self.folder)).map(|()| None);
        }
        for file in [self.state_file(), self.keeper_log(), self.service_log()] {
            absent(fs::remove_file(file))?;
        }
        Ok(Some(self.repository()))
    }

    fn state_file(&self) -> PathBuf {
        self.folder.join("state.json")
    }
}

/// This machine's folders.
pub(super) fn place() -> Result<Place, Failed> {
    Ok(Place::of_this_machine()?)
}

fn all() -> Result<PathBuf, Failed> {
    let variable =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || variable("HOME").map(|home| home.join(".local/state"));
    let base = variable("XDG_STATE_HOME").or_else(home);
    let base = base.ok_or_else(|| Refused::new("HOME is not set", "set it, or XDG_STATE_HOME"))?;
    Ok(base.join(Path::new("lyceum/local")))
}

fn absent(removed: std::io::Result<()>) -> Result<(), Failed> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
