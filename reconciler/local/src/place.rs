//! Where a local cloud keeps things on this machine. Two folders: one that may
//! be deleted when no cloud runs (images, the registry's blobs, each cloud's
//! file systems), and one for sockets and locks that a restart of the machine
//! empties.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The two folders.
#[derive(Clone, Debug)]
pub struct Place {
    cache: PathBuf,
    run: PathBuf,
}

impl Place {
    /// `${XDG_CACHE_HOME:-~/.cache}/lyceum/local`, and `/run/lyceum-local` or,
    /// for others than root, the same below `$XDG_RUNTIME_DIR`.
    pub fn of_this_machine() -> Result<Self, Error> {
        let cache = match variable("XDG_CACHE_HOME") {
            Some(base) => base,
            None => variable("HOME")
                .ok_or(Error::Missing { what: "HOME", get: "set it, or XDG_CACHE_HOME" })?
                .join(".cache"),
        };
        let run = match is_root() {
            true => PathBuf::from("/run"),
            false => variable("XDG_RUNTIME_DIR").unwrap_or_else(std::env::temp_dir),
        };
        Self::at(cache.join("lyceum/local"), run.join("lyceum-local"))
    }

    /// The same, elsewhere. `run` must be short: sockets are made in it.
    pub fn at(cache: impl Into<PathBuf>, run: impl Into<PathBuf>) -> Result<Self, Error> {
        let place = Self { cache: cache.into(), run: run.into() };
        for folder in [&place.cache, &place.run, &place.clouds()] {
            fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        }
        Ok(place)
    }

    /// What is worth keeping.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Sockets and locks.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// A folder per cloud, and its lock beside it.
    pub(crate) fn clouds(&self) -> PathBuf {
        self.cache.join("clouds")
    }
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
