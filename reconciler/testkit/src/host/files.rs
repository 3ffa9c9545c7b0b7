//! Files, directories and links.

use lyceum_core::node::host::{Access, Answer, Cause, FileKind, Files, Stat};

use super::{FakeHost, Machine, error};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeFile {
    /// What it is.
    pub kind: FileKind,
    /// Who owns it, and its mode.
    pub access: Access,
    /// Its content.
    pub content: Vec<u8>,
}

impl FakeFile {
    /// A directory of root's.
    pub fn directory() -> Self {
        Self { kind: FileKind::Directory, access: access(0o755), content: Vec::new() }
    }

    /// A file of root's.
    pub fn file(content: &str) -> Self {
        Self { kind: FileKind::File, access: access(0o644), content: content.into() }
    }

    /// A link.
    pub fn symlink(target: &str) -> Self {
        Self { kind: FileKind::Symlink(target.into()), access: access(0o777), content: Vec::new() }
    }
}

fn access(mode: u32) -> Access {
    Access { owner: "root".into(), group: "root".into(), mode }
}

impl Machine {
    /// The key of a path: what is below a mount is on what is mounted.
    pub fn key(&self, path: &str) -> String {
        let below = |mount: &&String| {
            path.strip_prefix(mount.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.mounts.keys().filter(below).max_by_key(|mount| mount.len()) {
            Some(mount) => format!("{}|{}", self.mounts[mount].device, &path[mount.len()..]),
            None => path.into(),
        }
    }

    /// What stands at a path.
    pub fn at(&self, path: &str) -> Option<&FakeFile> {
        self.files.get(&self.key(path))
    }

    /// A file's content as text; empty where none is.
    pub fn text(&self, path: &str) -> String {
        let content = self.at(path).map(|file| file.content.clone()).unwrap_or_default();
        String::from_utf8_lossy(&content).into_owned()
    }

    /// Puts something at a path, with the directories around it.
    pub fn put(&mut self, path: &str, file: FakeFile) {
        let mut end = 0;
        while let Some(next) = path[end + 1..].find('/').map(|offset| end + 1 + offset) {
            let key = self.key(&path[..next]);
            self.files.entry(key).or_insert_with(FakeFile::directory);
            end = next;
        }
        let key = self.key(path);
        self.files.insert(key, file);
    }

    /// Removes what stands at a path, with all below it.
    pub fn take(&mut self, path: &str) {
        let key = self.key(path);
        let below = format!("{key}/");
        self.files.retain(|name, _| *name != key && !name.starts_with(&below));
    }

    /// Removes what is below a path.
    pub(super) fn empty(&mut self, path: &str) {
        let below = format!("{}/", self.key(path).trim_end_matches('/'));
        self.files.retain(|name, _| !name.starts_with(&below));
    }

    fn check_parent(&self, operation: &str, path: &str) -> Answer<()> {
        let parent = path.rfind('/').map(|end| if end == 0 { "/" } else { &path[..end] });
        let kind = parent.and_then(|parent| self.at(parent)).map(|file| &file.kind);
        match kind {
            Some(FileKind::Directory) => Ok(()),
            _ => error(Cause::NotFound, operation, "no such directory around it"),
        }
    }

    fn check_room(&self, operation: &str) -> Answer<()> {
        if self.disk_full {
            return error(Cause::Full, operation, "No space left on device");
        }
        Ok(())
    }

    fn check_access(&self, operation: &str, access: &Access) -> Answer<()> {
        let number = |name: &str| name.parse::<u32>().is_ok();
        if !self.users.contains_key(&access.owner) && !number(&access.owner) {
            return error(Cause::NotFound, operation, format!("no user {}", access.owner));
        }
        if !self.groups.contains_key(&access.group) && !number(&access.group) {
            return error(Cause::NotFound, operation, format!("no group {}", access.group));
        }
        Ok(())
    }
}

impl Files for FakeHost {
    fn stat(&mut self, path: &str) -> Answer<Option<Stat>> {
        self.look(format!("stat {path}"), |machine| {
            Ok(machine.at(path).map(|file| Stat {
                kind: file.kind.clone(),
                mode: file.access.mode,
                owner: file.access.owner.clone(),
                group: file.access.group.clone(),
                size: file.content.len() as u64,
            }))
        })
    }

    fn read(&mut self, path: &str, limit: usize) -> Answer<Vec<u8>> {
        let name = format!("read {path}");
        self.look(name.clone(), |machine| match machine.at(path) {
            Some(file) if file.kind == FileKind::File && file.content.len() <= limit => {
                Ok(file.content.clone())
            }
            Some(file) if file.kind == FileKind::File => error(Cause::Invalid, name, "too long"),
            _ => error(Cause::NotFound, name, "no such file"),
        })
    }

    fn list(&mut self, path: &str) -> Answer<Vec<String>> {
        self.look(format!("list {path}"), |machine| {
            let prefix = format!("{}/", machine.key(path).trim_end_matches('/'));
            let names = machine.files.keys().filter_map(|name| name.strip_prefix(&prefix));
            Ok(names.filter(|it| !it.is_empty() && !it.contains('/')).map(String::from).collect())
        })
    }

    fn stage(&mut self, path: &str, content: &[u8], access: &Access) -> Answer<String> {
        let name = format!("stage {path}");
        self.change(name.clone(), |machine| {
            machine.check_parent(&name, path)?;
            machine.check_room(&name)?;
            machine.check_access(&name, access)?;
            let staged = format!("{path}.staged");
            let kind = FileKind::File;
            let file = FakeFile { kind, access: access.clone(), content: content.to_vec() };
            machine.put(&staged, file);
            Ok(staged)
        })
    }

    fn commit(&mut self, staged: &str, path: &str) -> Answer<()> {
        let name = format!("commit {path}");
        self.change(name.clone(), |machine| {
            if machine.at(path).is_some_and(|file| file.kind == FileKind::Directory) {
                return error(Cause::Failed, name, "Is a directory");
            }
            let key = machine.key(staged);
            let Some(file) = machine.files.remove(&key) else {
                return error(Cause::NotFound, name, "nothing is staged");
            };
            machine.put(path, file);
            Ok(())
        })
    }

    fn discard(&mut self, staged: &str) -> Answer<()> {
        self.change(format!("discard {staged}"), |machine| {
            machine.take(staged);
            Ok(())
        })
    }

    fn set_access(&mut self, path: &str, access: &Access) -> Answer<()> {
        let name = format!("set_access {path}");
        self.change(name.clone(), |machine| {
            machine.check_access(&name, access)?;
            let key = machine.key(path);
            let Some(file) = machine.files.get_mut(&key) else {
                return error(Cause::NotFound, name, "nothing is there");
            };
            file.access = access.clone();
            Ok(())
        })
    }

    fn make_directory(&mut self, path: &str, access: &Access) -> Answer<()> {
        let name = format!("make_directory {path}");
        self.change(name.clone(), |machine| {
            machine.check_parent(&name, path)?;
            machine.check_room(&name)?;
            machine.check_access(&name, access)?;
            let directory = FakeFile { access: access.clone(), ..FakeFile::directory() };
            machine.put(path, directory);
            Ok(())
        })
    }

    fn make_symlink(&mut self, path: &str, target: &str) -> Answer<()> {
        let name = format!("make_symlink {path}");
        self.change(name.clone(), |machine| {
            machine.check_parent(&name, path)?;
            machine.check_room(&name)?;
            machine.put(path, FakeFile::symlink(target));
            Ok(())
        })
    }

    fn remove(&mut self, path: &str) -> Answer<()> {
        self.change(format!("remove {path}"), |machine| {
            machine.take(path);
            Ok(())
        })
    }
}
