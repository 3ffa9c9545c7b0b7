//! The files of a working tree, committed or not.

use std::fs;
use std::path::{Path, PathBuf};

use super::collect::{Collector, ROOTS, Reading, What};
use super::{Git, SourceError};

/// What a folder outside of git is called instead of a revision.
pub const OUTSIDE: &str = "working tree";
/// What follows HEAD's id when files differ from it.
pub const DIRTY: &str = "+dirty";

/// The root of the repository somebody in `folder` means: the folder itself
/// where it is a repository or holds manifests, else the repository around it,
/// else the folder.
pub fn root_of(folder: &Path) -> PathBuf {
    let is_root = |folder: &Path| {
        let bare = folder.join("HEAD").is_file() && folder.join("objects").is_dir();
        bare || folder.join(".git").exists() || ROOTS.iter().any(|name| folder.join(name).exists())
    };
    let absolute = fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
    if is_root(&absolute) {
        return folder.into();
    }
    let around = absolute.ancestors().skip(1).find(|outer| outer.join(".git").exists());
    around.map_or_else(|| folder.into(), Path::to_path_buf)
}

/// The manifests in the working tree at `root`. Its revision is HEAD's id, with
/// `+dirty` when a manifest differs, or `working tree` outside of git.
pub fn snapshot(root: &Path) -> Result<Reading, SourceError> {
    if !root.is_dir() {
        let source = fs::read_dir(root).err().unwrap_or(std::io::ErrorKind::NotADirectory.into());
        return Err(SourceError::File { path: root.into(), source });
    }
    let git = Git::open(root).ok();
    let mut walk = Walk { root, git: git.as_ref(), collector: Collector::default() };
    for name in ROOTS {
        walk.entry(root.join(name), (*name).into(), 1)?;
    }
    let revision = revision(git.as_ref())?;
    Ok(walk.collector.finish(&revision))
}

fn revision(git: Option<&Git>) -> Result<String, SourceError> {
    let Some(git) = git else { return Ok(OUTSIDE.into()) };
    let Some(head) = git.head()? else { return Ok(OUTSIDE.into()) };
    Ok(if git.is_dirty()? { head + DIRTY } else { head })
}

/// A way through the folders.
struct Walk<'a> {
    root: &'a Path,
    git: Option<&'a Git>,
    collector: Collector,
}

impl Walk<'_> {
    fn entry(&mut self, at: PathBuf, path: String, depth: usize) -> Result<(), SourceError> {
        // Of the link itself, not of what it points to.
        let found = match fs::symlink_metadata(&at) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(SourceError::File { path: at, source }),
        };
        self.collector.visit(&path, depth)?;
        if found.is_symlink() {
            self.collector.ignore(path, What::Link);
        } else if found.is_dir() {
            self.folder(&at, path, depth)?;
        } else if found.is_file() && !self.git.is_some_and(|git| git.leaves_out(&path)) {
            let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
            self.collector.take(path, size, || {
                fs::read(&at).map_err(|source| SourceError::File { path: at.clone(), source })
            })?;
        }
        Ok(())
    }

    fn folder(&mut self, at: &Path, path: String, depth: usize) -> Result<(), SourceError> {
        if at.join(".git").exists() && at != self.root {
            self.collector.ignore(path, What::Submodule);
            return Ok(());
        }
        let failed = |source| SourceError::File { path: at.into(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(at).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        names.sort();
        for name in names {
            match name.to_str() {
                Some(text) => self.entry(at.join(text), format!("{path}/{text}"), depth + 1)?,
                None => {
                    let name = name.to_string_lossy();
                    self.collector.ignore(format!("{path}/{name}"), What::Name);
                }
            }
        }
        Ok(())
    }
}
