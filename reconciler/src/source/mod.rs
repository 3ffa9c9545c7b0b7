//! Where manifests come from: a commit of a git repository, or the files of a
//! working tree.
//!
//! Owns: everything that reads git and the file system. May not: judge what a
//! manifest says; that is `lyceum_core::manifest`.
//! Invariants: only what can be a manifest or a role is read, within limits; a
//! commit's snapshot depends on the commit alone; a link is never followed out
//! of the repository; a remote's credentials are in no error and no log.

mod collect;
mod error;
pub mod git;
pub mod remote;
pub mod watch;
pub mod worktree;

pub use collect::{Ignored, Reading, What};
pub use error::SourceError;
pub use git::Git;
pub use remote::Mirror;
pub use watch::Watch;
