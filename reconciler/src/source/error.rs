//! What can go wrong between a repository and its files.

use std::path::PathBuf;

/// A repository, revision or file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no repository, or git will not open it.
    #[error("{} is not a git repository that can be read", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// git's words.
        source: git2::Error,
    },
    /// The repository has no commit yet.
    #[error("{} has no commit yet", path.display())]
    NoCommit {
        /// The folder.
        path: PathBuf,
    },
    /// No commit answers to this name.
    #[error("no commit is called `{revision}`")]
    Revision {
        /// As it was asked for.
        revision: String,
        /// git's words.
        source: git2::Error,
    },
    /// There is no branch of this name.
    #[error("there is no branch `{branch}`")]
    Branch {
        /// As it was asked for.
        branch: String,
        /// git's words.
        source: git2::Error,
    },
    /// The history ends before its beginning.
    #[error("the history of {} was cut off at {commit} (a shallow clone)", path.display())]
    Shallow {
        /// The folder.
        path: PathBuf,
        /// The last commit that is there.
        commit: String,
    },
    /// An object of a commit cannot be read.
    #[error("{path} of commit {revision} cannot be read")]
    Object {
        /// The commit.
        revision: String,
        /// The path in it.
        path: String,
        /// git's words.
        source: git2::Error,
    },
    /// The state of the working tree cannot be found out.
    #[error("the state of the working tree of {} cannot be read", path.display())]
    Status {
        /// The folder.
        path: PathBuf,
        /// git's words.
        source: git2::Error,
    },
    /// A file of the working tree cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// More than is read of any repository.
    #[error("{path}: the repository has more than {limit} {what}")]
    TooMuch {
        /// Where the limit was passed.
        path: String,
        /// Of what there is too much.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The copy of a remote repository cannot be kept where it should be.
    #[error("the copy of {url} in {} cannot be used", path.display())]
    Copy {
        /// The remote, without credentials.
        url: String,
        /// The folder of the copy.
        path: PathBuf,
        /// git's words.
        source: git2::Error,
    },
    /// A remote repository cannot be fetched.
    #[error("{url} cannot be fetched")]
    Fetch {
        /// The remote, without credentials.
        url: String,
        /// git's words.
        source: git2::Error,
    },
    /// A remote repository takes too long.
    #[error("{url} was not fetched within {seconds} s")]
    TimedOut {
        /// The remote, without credentials.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// Changes of a repository cannot be watched.
    #[error("{} cannot be watched", path.display())]
    Watch {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        source: notify::Error,
    },
}

impl SourceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Open { source, .. } if source.code() == git2::ErrorCode::Owner => {
                "the folder belongs to another user: \
                 `git config --global --add safe.directory <folder>`"
            }
            Self::Open { .. } => {
                "run it in a git repository, or name one with --repo; \
                 `git init` and a first commit make one"
            }
            Self::NoCommit { .. } => {
                "everything made is tagged with the first commit: commit the manifests once"
            }
            Self::Branch { .. } => "a branch as it is called in the repository that is followed",
            Self::Revision { .. } => "a branch, a tag or a commit's id; perhaps `git fetch` first",
            Self::Shallow { .. } => {
                "everything made is tagged with the first commit: `git fetch --unshallow` \
                 (in GitHub Actions: checkout with `fetch-depth: 0`)"
            }
            Self::TooMuch { .. } => {
                "keep large files elsewhere, or split the repository and give each its own `owner`"
            }
            Self::Copy { .. } => "name another folder with --cache",
            Self::Fetch { source, .. } if source.code() == git2::ErrorCode::Auth => {
                "HTTPS takes a git credential helper, SSH an agent with a key the remote knows"
            }
            Self::Watch { .. } => {
                "the limit of inotify may be used up (fs.inotify.max_user_watches); \
                 commits are still found at every interval"
            }
            Self::Object { .. }
            | Self::Status { .. }
            | Self::File { .. }
            | Self::Fetch { .. }
            | Self::TimedOut { .. } => return None,
        })
    }
}
