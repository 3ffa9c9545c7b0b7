//! From the files of a commit to what its clusters are, or to everything that
//! is wrong with them.
//!
//! Owns: the types people write in YAML, their schemas, what defaults mean, and
//! every rule a commit must keep before anything is planned from it.
//! May not: read files or ask anything; the same bytes give the same answer.
//! Invariants: a [`Manifests`] has passed the schema of each of its files and
//! every rule; diagnostics are complete, sorted and inside their files.
//!
//! In order: `layout` says what a path holds, `source` and `marks` read it,
//! `schema` and `conform` hold it to its form, `mend` leaves out what has another,
//! `merge` fills a cluster from its defaults, `rules` look across files, `load` strings these together,
//! `reference` writes down for people what all of them ask for.

mod cidr;
pub mod cluster;
mod conform;
mod diagnostic;
mod layout;
mod load;
mod marks;
mod mend;
mod merge;
pub mod overlay;
pub mod reference;
pub mod repository;
pub mod role;
mod rules;
mod schema;
mod source;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::Cluster;
pub use diagnostic::{Diagnostic, Severity};
pub use load::load;
use repository::{Consent, RepositorySpec};
pub use schema::FileKind;

use crate::node::bundle::{Packed, Role};

/// The files of one commit, or of a working tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What the files belong to: a commit's id, or a word for a working tree.
    pub revision: String,
    /// Contents by path from the repository's root, with forward slashes. Only
    /// `clusters/`, `cookbooks/`, `lyceum.yaml` and `consents.yaml` matter.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a commit declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifests {
    /// The snapshot's revision.
    pub revision: String,
    /// `lyceum.yaml`, or its defaults.
    pub repository: RepositorySpec,
    /// Clusters by name, filled from their defaults.
    pub clusters: BTreeMap<String, Declared>,
    /// `consents.yaml`, in its order.
    pub consents: Vec<Consent>,
    /// Roles by name, with their files.
    pub roles: BTreeMap<String, Arc<Role>>,
    /// By the roles of a group as a cluster lists them: they and all they
    /// include, packed once whoever has them.
    pub bundles: BTreeMap<Vec<String>, Arc<Packed>>,
    /// What is worth a look, sorted.
    pub warnings: Vec<Diagnostic>,
    /// There is no `cluster.yaml` at all: rather a mistake than a wish.
    pub declared_nothing: bool,
}

/// A cluster and the file it is declared in.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Path of its `cluster.yaml`.
    pub path: String,
    /// The cluster, filled from its defaults.
    pub cluster: Cluster,
}

/// A commit that cannot be used: at least one diagnostic is an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifests are not valid: {} diagnostics", diagnostics.len())]
pub struct Invalid {
    /// Errors and warnings, sorted by file, line, column and rule.
    pub diagnostics: Vec<Diagnostic>,
}
