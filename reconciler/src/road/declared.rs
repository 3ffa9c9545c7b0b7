//! What a command starts from: manifests of a commit or a working tree, and the
//! node agent beside the program.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use lyceum_core::desired::Agent;
use lyceum_core::manifest::{Manifests, load};
use lyceum_core::site::Fingerprint;

use super::RoadError;
use crate::source::{Git, Ignored, worktree};

/// The largest node agent, in bytes.
const LARGEST_AGENT: u64 = 512 * 1024 * 1024;
/// So much of it is in memory at a time.
const PART: usize = 64 * 1024;
/// The node agent's file name.
const AGENT: &str = "lyceum-agent";

/// Manifests that are valid, and where they come from.
#[derive(Clone, Debug)]
pub struct DeclaredManifests {
    /// The repository's folder.
    pub root: PathBuf,
    /// What they say.
    pub manifests: Manifests,
    /// What lies among them and was not read.
    pub ignored: Vec<Ignored>,
}

/// The manifests of a revision; without one, of the working tree.
pub fn declared(repo: &Path, revision: Option<&str>) -> Result<DeclaredManifests, RoadError> {
    let root = worktree::root_of(repo);
    let reading = match revision {
        Some(revision) => Git::open(&root)?.snapshot(revision)?,
        None => worktree::snapshot(&root)?,
    };
    let manifests = load(&reading.snapshot)?;
    Ok(DeclaredManifests { root, manifests, ignored: reading.ignored })
}

impl DeclaredManifests {
    /// The commit they are; none for files that are not committed.
    pub fn commit(&self) -> Option<&str> {
        let revision = self.manifests.revision.as_str();
        let id = revision.len() == 40 && revision.chars().all(|c| c.is_ascii_hexdigit());
        id.then_some(revision)
    }

    /// The commit they are, or that the working tree is based on.
    pub fn base(&self) -> &str {
        self.commit().unwrap_or("HEAD")
    }
}

/// The node agent's file, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub agent: Agent,
}

impl AgentFile {
    /// The agent at `given`, or beside this program if one is there.
    pub fn find(given: Option<&Path>) -> Result<Option<Self>, RoadError> {
        let path = match given {
            Some(path) => path.into(),
            None => match beside_this_program() {
                Some(path) => path,
                None => return Ok(None),
            },
        };
        let failed = |source| RoadError::Agent { path: path.clone(), source };
        let agent = digest(&path).map_err(failed)?;
        Ok(Some(Self { path, agent }))
    }
}

fn beside_this_program() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(AGENT);
    path.is_file().then_some(path)
}

fn digest(path: &Path) -> std::io::Result<Agent> {
    let mut file = File::open(path)?.take(LARGEST_AGENT + 1);
    let (mut print, mut size) = (Fingerprint::default(), 0);
    let mut part = vec![0; PART];
    while let count @ 1.. = file.read(&mut part)? {
        print.add(&part[..count]);
        size += count as u64;
    }
    if size > LARGEST_AGENT {
        let message = format!("the file has more than {LARGEST_AGENT} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    let (digest, etag) = print.both();
    Ok(Agent { digest, size, etag })
}
