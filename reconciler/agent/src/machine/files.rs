//! Files and directories.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lyceum_core::node::host::{self, Access, Answer, Cause, FileKind, HostError, Stat};

use super::Machine;
use super::kernel::mounts;
use crate::disk;

impl host::Files for Machine {
    fn stat(&mut self, path: &str) -> Answer<Option<Stat>> {
        let Some((about, target)) = self.on_files("look at", path, look)? else {
            return Ok(None);
        };
        let kind = match target {
            Some(target) => FileKind::Symlink(target.to_string_lossy().into_owned()),
            None if about.is_file() => FileKind::File,
            None if about.is_dir() => FileKind::Directory,
            None => FileKind::Other,
        };
        Ok(Some(Stat {
            kind,
            mode: about.mode() & 0o7777,
            owner: self.accounts.user_name(about.uid())?,
            group: self.accounts.group_name(about.gid())?,
            size: about.len(),
        }))
    }

    fn read(&mut self, path: &str, limit: usize) -> Answer<Vec<u8>> {
        let content = self.on_files("read", path, move |path| {
            let kind = std::fs::metadata(path)?.file_type();
            if kind.is_fifo() || kind.is_socket() || kind.is_block_device() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
            }
            disk::read(path, limit)
        })?;
        let gone = || disk::failed(format!("read {path}"), &io::ErrorKind::NotFound.into());
        content.ok_or_else(gone)
    }

    fn list(&mut self, path: &str) -> Answer<Vec<String>> {
        self.on_files("list", path, |path| {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(path)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names)
        })
    }

    fn stage(&mut self, path: &str, content: &[u8], access: &Access) -> Answer<String> {
        let (uid, gid) = self.numbers(access)?;
        let (content, mode) = (content.to_vec(), access.mode);
        self.on_files("write", path, move |path| {
            let staged = disk::stage(path, &content)?;
            give(&staged, uid, gid, mode)?;
            Ok(staged.to_string_lossy().into_owned())
        })
    }

    fn commit(&mut self, staged: &str, path: &str) -> Answer<()> {
        let staged = PathBuf::from(staged);
        self.on_files("write", path, move |path| disk::commit(&staged, path))
    }

    fn discard(&mut self, staged: &str) -> Answer<()> {
        self.on_files("remove", staged, |staged| disk::absent(std::fs::remove_file(staged)))
    }

    fn set_access(&mut self, path: &str, access: &Access) -> Answer<()> {
        let (uid, gid) = self.numbers(access)?;
        let mode = access.mode;
        let operation = "change owner and mode of";
        self.on_files(operation, path, move |path| give(path, uid, gid, mode))
    }

    fn make_directory(&mut self, path: &str, access: &Access) -> Answer<()> {
        let (uid, gid) = self.numbers(access)?;
        let mode = access.mode;
        self.on_files("make", path, move |path| {
            std::fs::DirBuilder::new().mode(0o700).create(path)?;
            give(path, uid, gid, mode)?;
            disk::sync_directory(path)
        })
    }

    fn make_symlink(&mut self, path: &str, target: &str) -> Answer<()> {
        let target = PathBuf::from(target);
        self.on_files("link", path, move |path| {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".lyceum-new");
            let beside = Path::new(&beside);
            disk::absent(std::fs::remove_file(beside))?;
            std::os::unix::fs::symlink(&target, beside)?;
            disk::commit(beside, path).inspect_err(|_| drop(std::fs::remove_file(beside)))
        })
    }

    fn remove(&mut self, path: &str) -> Answer<()> {
        let Some((about, _)) = self.on_files("remove", path, look)? else { return Ok(()) };
        let below = format!("{}/", path.trim_end_matches('/'));
        let inside = |at: &str| at == path || at.starts_with(&below);
        if let Some(mounted) = mounts()?.into_iter().find(|mount| inside(&mount.path)) {
            let message = format!("{} is mounted there", mounted.path);
            return Err(HostError::new(Cause::Busy, format!("remove {path}"), message));
        }
        let is_directory = about.is_dir();
        self.on_files("remove", path, move |path| {
            disk::absent(match is_directory {
                true => std::fs::remove_dir_all(path),
                false => std::fs::remove_file(path),
            })?;
            disk::sync_directory(path)
        })
    }
}

/// What stands at a path, and where a link leads.
type Seen = Option<(Metadata, Option<PathBuf>)>;

fn look(path: &Path) -> io::Result<Seen> {
    let about = match std::fs::symlink_metadata(path) {
        Err(error) if disk::failed("look", &error).cause == Cause::NotFound => return Ok(None),
        other => other?,
    };
    let target = about.is_symlink().then(|| std::fs::read_link(path)).transpose()?;
    Ok(Some((about, target)))
}

impl Machine {
    /// Does something with a file: for a limited time where a server behind the
    /// network answers for it.
    fn on_files<T: Send + 'static>(
        &mut self,
        verb: &str,
        path: &str,
        deed: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let operation = format!("{verb} {path}");
        let at = PathBuf::from(path);
        let done = self.servers.ask((&operation, path), move || deed(&at))?;
        done.map_err(|error| disk::failed(operation, &error))
    }
}

impl Machine {
    fn numbers(&mut self, access: &Access) -> Answer<(u32, u32)> {
        Ok((self.accounts.uid(&access.owner)?, self.accounts.gid(&access.group)?))
    }
}

/// The owner first: changing it clears the set-user-id bits.
fn give(path: &Path, uid: u32, gid: u32, mode: u32) -> std::io::Result<()> {
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
