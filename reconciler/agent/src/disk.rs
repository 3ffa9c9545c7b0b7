//! Writing so that a crash leaves the old or the new, and never a half.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lyceum_core::node::host::{Cause, HostError};

/// Writes a file beside `path`, readable by the owner alone and not yet in its
/// place; answers where. What a staging before left there is replaced.
pub fn stage(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let staged = beside(path)?;
    absent(std::fs::remove_file(&staged))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // A full disk is not made fuller.
        let _ = std::fs::remove_file(&staged);
        return Err(error);
    }
    Ok(staged)
}

/// Puts a staged file into its place.
pub fn commit(staged: &Path, path: &Path) -> io::Result<()> {
    std::fs::rename(staged, path)?;
    sync_directory(path)
}

/// Writes a file, whole or not at all.
pub fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let staged = stage(path, content)?;
    std::fs::set_permissions(&staged, std::fs::Permissions::from_mode(mode))?;
    commit(&staged, path)
}

/// Reads a file of at most `limit` bytes; none where there is none.
pub fn read(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    use io::Read;
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut content = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limit {
        let message = format!("it has more than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(Some(content))
}

/// Makes the directory around `path` remember what happened in it.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Fine where the file was gone already.
pub fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What an error of the file system means.
pub fn failed(operation: impl Into<String>, error: &io::Error) -> HostError {
    use io::ErrorKind as Kind;
    let cause = match error.kind() {
        Kind::NotFound | Kind::NotADirectory => Cause::NotFound,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Cause::Denied,
        Kind::StorageFull | Kind::QuotaExceeded => Cause::Full,
        Kind::TimedOut => Cause::Timeout,
        Kind::ResourceBusy | Kind::ExecutableFileBusy => Cause::Busy,
        Kind::IsADirectory | Kind::DirectoryNotEmpty | Kind::AlreadyExists => Cause::Refused,
        Kind::InvalidInput | Kind::InvalidFilename | Kind::FileTooLarge => Cause::Invalid,
        Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable => {
            Cause::Unreachable
        }
        _ => Cause::Failed,
    };
    HostError::new(cause, operation, error.to_string())
}

/// A name no `*.conf` or run-parts takes for a file of its own.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidFilename, "no name"))?;
    Ok(path.with_file_name(format!(".{name}.lyceum-new")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("motd");
        write(&path, b"one", 0o644).unwrap();
        std::fs::write(folder.path().join(".motd.lyceum-new"), "of a crash").unwrap();
        write(&path, b"two", 0o640).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_over_the_limit_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), Some(b"12345".to_vec()));
        assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(&folder.path().join("none"), 4).unwrap(), None);
    }
}
