//! Locks that end with the process that holds them, however it ends.

use std::fs::{File, TryLockError};
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
        let file = open(path)?;
        Ok(taken(file.try_lock(), path)?.then_some(Self(file)))
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
