//! Git repositories in folders that vanish with the test.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

/// A repository with a working tree.
pub(crate) struct TestRepository {
    folder: TempDir,
    git: Repository,
}

impl TestRepository {
    /// An empty repository on branch `main`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.initial_head("main").external_template(false);
        let git = Repository::init_opts(folder.path(), &options).unwrap();
        Self { folder, git }
    }

    /// A repository with these files committed.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let this = Self::new();
        files.iter().for_each(|(path, text)| this.write(path, text));
        this.commit("first");
        this
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn git(&self) -> &Repository {
        &self.git
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Commits the whole working tree to HEAD and answers the commit's id.
    pub(crate) fn commit(&self, message: &str) -> String {
        let parent = self.git.head().ok().and_then(|head| head.peel_to_commit().ok());
        self.commit_on(Some("HEAD"), message, parent.iter().collect())
    }

    /// Commits the whole working tree with these parents.
    pub(crate) fn commit_on(
        &self,
        reference: Option<&str>,
        message: &str,
        parents: Vec<&git2::Commit<'_>>,
    ) -> String {
        let mut index = self.git.index().unwrap();
        index.add_all(["."], IndexAddOption::DEFAULT, None).unwrap();
        index.update_all(["."], None).unwrap();
        index.write().unwrap();
        let tree = self.git.find_tree(index.write_tree().unwrap()).unwrap();
        let who = Signature::new("A", "a@example.edu", &Time::new(1_700_000_000, 0)).unwrap();
        self.git.commit(reference, &who, &who, message, &tree, &parents).unwrap().to_string()
    }
}
