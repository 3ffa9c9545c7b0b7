//! What no schema can say: rules across fields and files.
//!
//! One rule, one file, one id. A rule reads the model and adds what it finds;
//! it relies on the schema having been kept and on no other rule.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::diagnostic::{Diagnostic, Place};
use super::merge::Layers;
use super::repository::{Consents, Repository};
use super::role::RoleManifest;

/// A manifest and the files it comes from.
pub(super) struct Declaration<T> {
    pub(super) layers: Layers,
    pub(super) manifest: T,
}

impl<T> Declaration<T> {
    /// Where the value at a JSON pointer stands.
    pub(super) fn place(&self, pointer: &str) -> Place {
        self.layers.place(pointer)
    }
}

/// All files that have their form.
#[derive(Default)]
pub(super) struct Model {
    /// By path; two may have the same name.
    pub(super) clusters: Vec<Declaration<Cluster>>,
    /// By path.
    pub(super) roles: Vec<Declaration<RoleManifest>>,
    /// The folders of all roles, of broken ones too.
    pub(super) role_names: BTreeSet<String>,
    /// `lyceum.yaml`.
    pub(super) repository: Option<Declaration<Repository>>,
    /// `consents.yaml`.
    pub(super) consents: Option<Declaration<Consents>>,
}

/// Applies every rule.
pub(super) fn check(_model: &Model, _found: &mut Vec<Diagnostic>) {}
