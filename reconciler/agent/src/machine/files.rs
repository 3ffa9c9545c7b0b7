//! Files and directories.

use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use lyceum_core::node::host::{self, Access, Answer, Cause, FileKind, HostError, Stat};

use super::Machine;
use super::kernel::mounts;
use crate::disk;

impl host::Files for Machine {
    fn stat(&mut self, path: &str) -> Answer<Option<Stat>> {
        let operation = || format!("look at {path}");
        let about = match std::fs::symlink_metadata(path) {
            Ok(about) => about,
            Err(error) => {
                let error = disk::failed(operation(), &error);
                return if error.cause == Cause::NotFound { Ok(None) } else { Err(error) };
            }
        };
        let kind = if about.is_file() {
            FileKind::File
        } else if about.is_dir() {
            FileKind::Directory
        } else if about.is_symlink() {
            let target = std::fs::read_link(path).map_err(|it| disk::failed(operation(), &it))?;
            FileKind::Symlink(target.to_string_lossy().into_owned())
        } else {
            FileKind::Other
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
        let failed = |error: std::io::Error| disk::failed(format!("read {path}"), &error);
        let kind = std::fs::metadata(path).map_err(failed)?.file_type();
        if kind.is_fifo() || kind.is_socket() || kind.is_block_device() {
            return Err(HostError::new(Cause::Invalid, format!("read {path}"), "it is no file"));
        }
        let content = disk::read(Path::new(path), limit).map_err(failed)?;
        content.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))
    }

    fn list(&mut self, path: &str) -> Answer<Vec<String>> {
        let failed = |error: std::io::Error| disk::failed(format!("list {path}"), &error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn stage(&mut self, path: &str, content: &[u8], access: &Access) -> Answer<String> {
        let failed = |error: std::io::Error| disk::failed(format!("write {path}"), &error);
        let (uid, gid) = self.numbers(access)?;
        let staged = disk::stage(Path::new(path), content).map_err(failed)?;
        give(&staged, uid, gid, access.mode).map_err(failed)?;
        Ok(staged.to_string_lossy().into_owned())
    }

    fn commit(&mut self, staged: &str, path: &str) -> Answer<()> {
        disk::commit(Path::new(staged), Path::new(path))
            .map_err(|error| disk::failed(format!("write {path}"), &error))
    }

    fn discard(&mut self, staged: &str) -> Answer<()> {
        disk::absent(std::fs::remove_file(staged))
            .map_err(|error| disk::failed(format!("remove {staged}"), &error))
    }

    fn set_access(&mut self, path: &str, access: &Access) -> Answer<()> {
        let (uid, gid) = self.numbers(access)?;
        give(Path::new(path), uid, gid, access.mode)
            .map_err(|error| disk::failed(format!("change owner and mode of {path}"), &error))
    }

    fn make_directory(&mut self, path: &str, access: &Access) -> Answer<()> {
        let failed = |error: std::io::Error| disk::failed(format!("make {path}"), &error);
        let (uid, gid) = self.numbers(access)?;
        std::fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
        give(Path::new(path), uid, gid, access.mode).map_err(failed)?;
        disk::sync_directory(Path::new(path)).map_err(failed)
    }

    fn make_symlink(&mut self, path: &str, target: &str) -> Answer<()> {
        let failed = |error: std::io::Error| disk::failed(format!("link {path}"), &error);
        let beside = format!("{path}.lyceum-new");
        disk::absent(std::fs::remove_file(&beside)).map_err(failed)?;
        std::os::unix::fs::symlink(target, &beside).map_err(failed)?;
        disk::commit(Path::new(&beside), Path::new(path)).map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            failed(error)
        })
    }

    fn remove(&mut self, path: &str) -> Answer<()> {
        let operation = format!("remove {path}");
        let failed = |error: std::io::Error| disk::failed(operation.clone(), &error);
        let about = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(failed)?,
        };
        let below = format!("{}/", path.trim_end_matches('/'));
        let inside = |at: &str| at == path || at.starts_with(&below);
        if let Some(mounted) = mounts()?.into_iter().find(|mount| inside(&mount.path)) {
            let message = format!("{} is mounted there", mounted.path);
            return Err(HostError::new(Cause::Busy, operation, message));
        }
        let removed =
            if about.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        disk::absent(removed).map_err(failed)?;
        disk::sync_directory(Path::new(path)).map_err(failed)
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
