//! A git repository on this machine: its commits and their files.
//!
//! Reads only. A repository is opened anew by whoever needs it; that costs a
//! few small files, and keeps libgit2's handles on one thread each.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags, StatusOptions};

use super::SourceError;
use super::collect::{Collector, ROOTS, Reading, What};

/// The mode of a symbolic link in a tree.
const LINK: i32 = 0o120_000;

/// A git repository on this machine.
pub struct Git {
    repository: Repository,
    path: PathBuf,
}

impl Git {
    /// Opens the repository at `path` exactly, bare or with a working tree.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let none: [&Path; 0] = [];
        match Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, none) {
            Ok(repository) => Ok(Self { repository, path: path.into() }),
            Err(source) => Err(SourceError::Open { path: path.into(), source }),
        }
    }

    /// The folder of the working tree; none of a bare repository.
    pub fn work_tree(&self) -> Option<&Path> {
        self.repository.workdir()
    }

    /// The folders whose contents change with the references: that of this
    /// working tree and the one all working trees share. Often the same.
    pub fn folders(&self) -> (&Path, &Path) {
        (self.repository.path(), self.repository.commondir())
    }

    /// The full id of the commit a branch, tag, `HEAD` or id stands for.
    pub fn resolve(&self, revision: &str) -> Result<String, SourceError> {
        self.commit(revision).map(|commit| commit.id().to_string())
    }

    /// The full id of a branch's newest commit. Nothing else of that name will do:
    /// who may push a tag may not push to the branch. `HEAD` is the branch checked
    /// out.
    pub fn tip(&self, branch: &str) -> Result<String, SourceError> {
        if branch == "HEAD" {
            return self.resolve(branch);
        }
        let name = branch.strip_prefix("refs/heads/").unwrap_or(branch);
        let found = self.repository.find_branch(name, git2::BranchType::Local);
        match found.and_then(|branch| branch.into_reference().peel_to_commit()) {
            Ok(commit) => Ok(commit.id().to_string()),
            Err(_) if !self.repository.is_bare() && self.is_unborn() => {
                Err(SourceError::NoCommit { path: self.path.clone() })
            }
            Err(source) => Err(SourceError::Branch { branch: branch.into(), source }),
        }
    }

    /// HEAD's commit; none before the first.
    pub fn head(&self) -> Result<Option<String>, SourceError> {
        match self.repository.head() {
            Ok(_) => self.resolve("HEAD").map(Some),
            Err(error) if is_unborn(&error) => Ok(None),
            Err(source) => Err(SourceError::Revision { revision: "HEAD".into(), source }),
        }
    }

    /// The first commit there ever was, by first parents from `revision`: what
    /// tells this repository from others, whatever it is called.
    ///
    /// Errors: no such revision, or a shallow clone without its beginning.
    pub fn root_commit(&self, revision: &str) -> Result<String, SourceError> {
        let mut commit = self.commit(revision)?;
        while commit.parent_count() > 0 {
            commit = match commit.parent(0) {
                Ok(parent) => parent,
                Err(_) if self.repository.is_shallow() => return Err(self.cut_off(commit.id())),
                Err(source) => {
                    return Err(SourceError::Revision { revision: revision.into(), source });
                }
            };
        }
        if self.is_graft(commit.id()) {
            return Err(self.cut_off(commit.id()));
        }
        Ok(commit.id().to_string())
    }

    /// The files of a commit that matter.
    pub fn snapshot(&self, revision: &str) -> Result<Reading, SourceError> {
        let commit = self.commit(revision)?;
        let id = commit.id().to_string();
        let tree = commit.tree().map_err(|source| object(&id, "", source))?;
        let mut walk = Walk { git: self, revision: &id, collector: Collector::default() };
        for name in ROOTS {
            if let Some(entry) = tree.get_name(name) {
                walk.entry(&entry, (*name).into(), 1)?;
            }
        }
        Ok(walk.collector.finish(&id))
    }

    /// Whether the working tree's manifests differ from HEAD's; never of a bare
    /// repository. Nothing but the manifests is looked at.
    pub fn is_dirty(&self) -> Result<bool, SourceError> {
        if self.repository.is_bare() {
            return Ok(false);
        }
        let mut options = StatusOptions::new();
        options.include_untracked(true).exclude_submodules(true).disable_pathspec_match(true);
        for root in ROOTS {
            options.pathspec(root);
        }
        match self.repository.statuses(Some(&mut options)) {
            Ok(found) => Ok(!found.is_empty()),
            Err(source) => Err(SourceError::Status { path: self.path.clone(), source }),
        }
    }

    /// Whether git leaves a file of the working tree alone: ignored, and not
    /// committed all the same.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let ignored = self.repository.is_path_ignored(path).unwrap_or(false);
        ignored && !self.is_tracked(path)
    }

    /// The commit a tag, branch or id names, past annotated tags.
    fn commit(&self, revision: &str) -> Result<git2::Commit<'_>, SourceError> {
        let found = self.repository.revparse_single(revision);
        match found.and_then(|object| object.peel_to_commit()) {
            Ok(commit) => Ok(commit),
            Err(_) if revision == "HEAD" && self.is_unborn() => {
                Err(SourceError::NoCommit { path: self.path.clone() })
            }
            Err(source) => Err(SourceError::Revision { revision: revision.into(), source }),
        }
    }

    fn is_unborn(&self) -> bool {
        self.repository.head().err().is_some_and(|error| is_unborn(&error))
    }

    /// git lists the commits whose parents it left behind in one file.
    fn is_graft(&self, commit: Oid) -> bool {
        let shallow = std::fs::read_to_string(self.repository.commondir().join("shallow"));
        let commit = commit.to_string();
        shallow.is_ok_and(|list| list.lines().any(|line| line.trim() == commit))
    }

    fn cut_off(&self, commit: Oid) -> SourceError {
        SourceError::Shallow { path: self.path.clone(), commit: commit.to_string() }
    }

    fn is_tracked(&self, path: &str) -> bool {
        let index = self.repository.index();
        index.is_ok_and(|index| index.get_path(Path::new(path), 0).is_some())
    }
}

/// A way through a commit's tree.
struct Walk<'a> {
    git: &'a Git,
    revision: &'a str,
    collector: Collector,
}

impl Walk<'_> {
    fn entry(
        &mut self,
        entry: &git2::TreeEntry<'_>,
        path: String,
        depth: usize,
    ) -> Result<(), SourceError> {
        self.collector.visit(&path, depth)?;
        match entry.kind() {
            Some(ObjectType::Tree) => self.folder(entry.id(), &path, depth),
            Some(ObjectType::Blob) if entry.filemode() == LINK => {
                self.collector.ignore(path, What::Link);
                Ok(())
            }
            Some(ObjectType::Blob) => self.file(entry.id(), path),
            _ => {
                self.collector.ignore(path, What::Submodule);
                Ok(())
            }
        }
    }

    fn folder(&mut self, id: Oid, path: &str, depth: usize) -> Result<(), SourceError> {
        let tree = self.git.repository.find_tree(id);
        let tree = tree.map_err(|source| object(self.revision, path, source))?;
        for entry in tree.iter() {
            match entry.name() {
                Ok(name) => self.entry(&entry, format!("{path}/{name}"), depth + 1)?,
                Err(_) => {
                    let name = String::from_utf8_lossy(entry.name_bytes());
                    self.collector.ignore(format!("{path}/{name}"), What::Name);
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, id: Oid, path: String) -> Result<(), SourceError> {
        let (repository, revision) = (&self.git.repository, self.revision);
        let failed = |source| object(revision, &path, source);
        let (size, _) = repository.odb().and_then(|odb| odb.read_header(id)).map_err(failed)?;
        self.collector.take(path.clone(), size, || {
            let blob = repository.find_blob(id).map_err(failed)?;
            Ok(blob.content().to_vec())
        })
    }
}

fn object(revision: &str, path: &str, source: git2::Error) -> SourceError {
    let path = if path.is_empty() { "the root folder".into() } else { path.into() };
    SourceError::Object { revision: revision.into(), path, source }
}

fn is_unborn(error: &git2::Error) -> bool {
    matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound)
}
