//! Locks that end with the process that holds them, however it ends.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::command::wait_until;
use crate::error::Error;

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Waits for it; nobody else may hold it.
    pub(crate) fn alone(path: &Path, within: Duration) -> Result<Self, Error> {
        let file = open(path)?;
        wait_until(&format!("the lock {}", path.display()), within, || {
            taken(file.try_lock(), path)
        })?;
        Ok(Self(file))
    }

    /// None when somebody holds it.
    pub(crate) fn try_alone(path: &Path) -> Result<Option<Self>, Error> {
        loop {
            let file = open(path)?;
            if !taken(file.try_lock(), path)? {
                return Ok(None);
            }
            // Who held it before may have removed it since it was opened.
            if is_at(&file, path) {
                return Ok(Some(Self(file)));
            }
        }
    }

    /// Removes its file, for locks of things that are gone.
    pub(crate) fn remove(&self, path: &Path) {
        if is_at(&self.0, path) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Beside others who share it.
    pub(crate) fn shared(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        file.lock_shared().map_err(Error::file("lock", path))?;
        Ok(Self(file))
    }

    /// Makes a shared lock one held alone, if nobody else shares it.
    pub(crate) fn becomes_alone(&self) -> bool {
        let _ = self.0.unlock();
        self.0.try_lock().is_ok()
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let there = std::fs::metadata(path).map(|there| (there.dev(), there.ino()));
    let own = file.metadata().map(|own| (own.dev(), own.ino()));
    matches!((there, own), (Ok(there), Ok(own)) if there == own)
}

fn open(path: &Path) -> Result<File, Error> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::file("open", path))
}

fn taken(tried: Result<(), TryLockError>, path: &Path) -> Result<bool, Error> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(Error::file("lock", path)(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_leaves_no_file() {
        let path = std::env::temp_dir().join(format!("lyceum-lock-{}", std::process::id()));
        let first = Lock::try_alone(&path).unwrap().unwrap();
        assert!(Lock::try_alone(&path).unwrap().is_none());
        first.remove(&path);
        let second = Lock::try_alone(&path).unwrap().unwrap();
        first.remove(&path);
        assert!(path.exists());
        second.remove(&path);
        assert!(!path.exists());
    }

    #[test]
    fn one_of_many_becomes_the_only_one_when_the_others_are_gone() {
        let path = std::env::temp_dir().join(format!("lyceum-users-{}", std::process::id()));
        let first = Lock::shared(&path).unwrap();
        let second = Lock::shared(&path).unwrap();
        assert!(!first.becomes_alone());
        assert!(second.becomes_alone());
        second.remove(&path);
    }
}
