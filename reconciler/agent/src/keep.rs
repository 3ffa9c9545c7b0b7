//! What the agent keeps on the node's disk, under `/var/lib/lyceum`, so that a
//! node without S3 stays what it was: the last good pointer and its bundles, the
//! cluster's facts, the last report, marks of what is still to be done, and the
//! lock that lets one run at a time.
//!
//! Invariants: everything is whole or absent; root alone may read it; no secret
//! is in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use lyceum_core::node::bundle::MAX_PACKED;
use lyceum_core::node::host::{Answer, Cause, HostError};
use lyceum_core::node::pointer::Pointer;
use lyceum_core::node::report::NodeReport;
use lyceum_core::site::digest_of;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk::{self, failed};

/// Where it is.
pub const DIRECTORY: &str = "/var/lib/lyceum";
/// Longest of the small files here.
const LARGEST: usize = 8 * 1024 * 1024;
const LOCK_POLL: Duration = Duration::from_millis(100);

const POINTER: &str = "pointer.json";
const REPORT: &str = "report.json";
const LOCK: &str = "lock";
const BUNDLES: &str = "bundles";
const MARKS: &str = "marks";

/// The agent's directory.
#[derive(Clone, Debug)]
pub struct Keep {
    directory: PathBuf,
}

/// While this lives, no other run begins.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing it gives the lock back")] File);

impl Keep {
    /// The agent's directory, made where it is missing.
    pub fn at(directory: &Path) -> Answer<Self> {
        for part in [directory, &directory.join(BUNDLES), &directory.join(MARKS)] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(part)
                .map_err(|error| failed(format!("make {}", part.display()), &error))?;
        }
        Ok(Self { directory: directory.into() })
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The lock, waited for; `Busy` names who holds it.
    pub fn lock(&self, wait: Duration) -> Answer<Lock> {
        let path = self.path(LOCK);
        let operation = format!("lock {}", path.display());
        let began = Instant::now();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(operation.clone(), &error))?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(operation, &error)),
                Err(TryLockError::WouldBlock) if began.elapsed() < wait => {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another run goes on: {}", holder(&mut file));
                    return Err(HostError::new(Cause::Busy, operation, message));
                }
            }
        }
        // On a full disk the lock is held all the same, without a name.
        let _ = sign(&mut file);
        Ok(Lock(file))
    }

    /// The last good pointer.
    pub fn pointer(&self) -> Answer<Option<Pointer>> {
        self.read(POINTER)
    }

    /// Keeps a good pointer; it is current now.
    pub fn keep_pointer(&self, pointer: &Pointer) -> Answer<()> {
        self.write(POINTER, pointer)
    }

    /// When the kept pointer was last seen to be current, seconds since 1970.
    pub fn pointer_seen(&self) -> i64 {
        let about = std::fs::metadata(self.path(POINTER)).and_then(|about| about.modified());
        about.map_or(0, seconds)
    }

    /// The kept pointer is current now. The file's time says so, since that
    /// costs no write of its content.
    pub fn pointer_is_current(&self) -> Answer<()> {
        let path = self.path(POINTER);
        File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(|error| failed(format!("touch {}", path.display()), &error))
    }

    /// A bundle that is there whole.
    pub fn bundle(&self, digest: &str) -> Answer<Option<Vec<u8>>> {
        let path = self.bundle_path(digest)?;
        let limit = usize::try_from(MAX_PACKED).unwrap_or(usize::MAX);
        let content = disk::read(&path, limit)
            .map_err(|error| failed(format!("read {}", path.display()), &error))?;
        // One that the disk has spoilt is fetched again.
        Ok(content.filter(|content| digest_of(content) == digest))
    }

    /// Keeps a bundle.
    pub fn keep_bundle(&self, digest: &str, content: &[u8]) -> Answer<()> {
        let path = self.bundle_path(digest)?;
        disk::write(&path, content, 0o600)
            .map_err(|error| failed(format!("write {}", path.display()), &error))
    }

    /// Forgets all bundles but these.
    pub fn keep_only(&self, digests: &[&str]) {
        for entry in std::fs::read_dir(self.path(BUNDLES)).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !digests.iter().any(|digest| name == **digest) {
                // What cannot be removed now is tried again the next time.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// The last report.
    pub fn report(&self) -> Answer<Option<NodeReport>> {
        self.read(REPORT)
    }

    /// Keeps a report.
    pub fn keep_report(&self, report: &NodeReport) -> Answer<()> {
        self.write(REPORT, report)
    }

    /// Notes durably that something is still to be done.
    pub fn mark(&self, name: &str) -> Answer<()> {
        let path = self.mark_path(name);
        if path.exists() {
            return Ok(());
        }
        disk::write(&path, name.as_bytes(), 0o600)
            .map_err(|error| failed(format!("write {}", path.display()), &error))
    }

    /// Whether it is still to be done.
    pub fn marked(&self, name: &str) -> Answer<bool> {
        let path = self.mark_path(name);
        path.try_exists().map_err(|error| failed(format!("look at {}", path.display()), &error))
    }

    /// It was done.
    pub fn unmark(&self, name: &str) -> Answer<()> {
        let path = self.mark_path(name);
        disk::absent(std::fs::remove_file(&path))
            .map_err(|error| failed(format!("remove {}", path.display()), &error))
    }

    /// A small file of JSON; none where there is none, or where it is not what
    /// it should be: nothing here cannot be had again.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Answer<Option<T>> {
        let path = self.path(name);
        let content = disk::read(&path, LARGEST)
            .map_err(|error| failed(format!("read {}", path.display()), &error))?;
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    /// Writes a small file of JSON.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Answer<()> {
        let path = self.path(name);
        let operation = format!("write {}", path.display());
        let content = serde_json::to_vec(value)
            .map_err(|error| HostError::new(Cause::Failed, operation.clone(), error.to_string()))?;
        disk::write(&path, &content, 0o600).map_err(|error| failed(operation, &error))
    }

    /// Removes a small file; fine where it is gone.
    pub fn forget(&self, name: &str) -> Answer<()> {
        let path = self.path(name);
        disk::absent(std::fs::remove_file(&path))
            .map_err(|error| failed(format!("remove {}", path.display()), &error))
    }

    fn bundle_path(&self, digest: &str) -> Answer<PathBuf> {
        if !is_digest(digest) {
            let message = format!("`{digest}` is no digest");
            return Err(HostError::new(Cause::Invalid, "look for a bundle", message));
        }
        Ok(self.path(BUNDLES).join(digest))
    }

    /// Names hold slashes.
    fn mark_path(&self, name: &str) -> PathBuf {
        self.path(MARKS).join(name.replace('%', "%25").replace('/', "%2f"))
    }
}

/// Whether a text is a SHA-256 in hex.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Seconds since 1970, UTC.
pub fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn sign(file: &mut File) -> std::io::Result<()> {
    let command: Vec<String> = std::env::args().take(2).collect();
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {}, {}", std::process::id(), command.join(" "))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(200).read_to_string(&mut text));
    if read.is_ok() && !text.is_empty() { text } else { "of an unknown process".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_and_who_holds_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::at(folder.path()).unwrap();
        let lock = keep.lock(Duration::ZERO).unwrap();
        let error = keep.lock(Duration::from_millis(150)).unwrap_err();
        assert_eq!(error.cause, Cause::Busy);
        assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        keep.lock(Duration::ZERO).unwrap();
    }

    #[test]
    fn a_bundle_that_is_spoilt_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::at(folder.path()).unwrap();
        let digest = digest_of(b"bundle");
        assert_eq!(keep.bundle(&digest).unwrap(), None);
        keep.keep_bundle(&digest, b"bundle").unwrap();
        assert_eq!(keep.bundle(&digest).unwrap(), Some(b"bundle".to_vec()));
        std::fs::write(folder.path().join(BUNDLES).join(&digest), "bundlf").unwrap();
        assert_eq!(keep.bundle(&digest).unwrap(), None);
        assert_eq!(keep.bundle("../../etc/passwd").unwrap_err().cause, Cause::Invalid);
        keep.keep_only(&[]);
        assert_eq!(std::fs::read_dir(folder.path().join(BUNDLES)).unwrap().count(), 0);
    }

    #[test]
    fn a_mark_stays_until_it_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::at(folder.path()).unwrap();
        keep.mark("restart/nginx").unwrap();
        assert!(Keep::at(folder.path()).unwrap().marked("restart/nginx").unwrap());
        keep.unmark("restart/nginx").unwrap();
        keep.unmark("restart/nginx").unwrap();
        assert!(!keep.marked("restart/nginx").unwrap());
    }
}
