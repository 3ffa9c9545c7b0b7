//! What no schema can say: rules across fields and files.
//!
//! One rule, one file, one id. A rule reads the model and adds what it finds;
//! it relies on the schema having been kept and on no other rule.

mod admin_cidr;
mod admin_key;
mod admin_keys_size;
mod admin_open;
mod auth_fields;
mod cidr;
mod cidr_capacity;
mod cidr_docker;
mod cidr_overlap;
mod cluster_folder;
mod consent_address;
mod dummy_auth;
mod duplicate_cluster;
mod duplicate_consent;
mod duplicate_domain;
mod duplicate_schedule;
mod duplicate_shared;
mod image;
mod label;
mod memory;
mod on_demand_base;
mod overlay_capacity;
mod rate_service;
mod role_cycle;
mod role_folder;
mod role_unknown;
mod schedule_cron;
mod schedule_edges;
mod schedule_overlap;
mod schedule_range;
mod schedule_zone;
mod secret_scope;
mod shared_path;
mod workers_range;

use std::collections::BTreeSet;

use super::cluster::{Cluster, ClusterSpec};
use super::diagnostic::{Diagnostic, Place};
use super::load::RoleFiles;
use super::merge::Layers;
use super::repository::{Consents, Repository};
use super::role::RoleManifest;

/// One rule.
pub(super) struct Rule {
    /// Its id; never changes its meaning.
    pub(super) id: &'static str,
    /// What it asks for, a sentence.
    pub(super) summary: &'static str,
    check: fn(&Model, &mut Vec<Diagnostic>),
}

/// Every rule, by id.
pub(super) const RULES: &[Rule] = &[
    admin_cidr::RULE,
    admin_key::RULE,
    admin_keys_size::RULE,
    admin_open::RULE,
    auth_fields::RULE,
    cidr::RULE,
    cidr_capacity::RULE,
    cidr_docker::RULE,
    cidr_overlap::RULE,
    cluster_folder::RULE,
    consent_address::RULE,
    dummy_auth::RULE,
    duplicate_cluster::RULE,
    duplicate_consent::RULE,
    duplicate_domain::RULE,
    duplicate_schedule::RULE,
    duplicate_shared::RULE,
    image::RULE,
    label::RULE,
    memory::RULE,
    on_demand_base::RULE,
    overlay_capacity::RULE,
    rate_service::RULE,
    role_cycle::RULE,
    role_folder::RULE,
    role_unknown::RULE,
    schedule_cron::RULE,
    schedule_edges::RULE,
    schedule_overlap::RULE,
    schedule_range::RULE,
    schedule_zone::RULE,
    secret_scope::RULE,
    shared_path::RULE,
    workers_range::RULE,
];

/// Applies every rule.
pub(super) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for rule in RULES {
        (rule.check)(model, found);
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
    /// Of every role that has a manifest.
    pub(super) role_files: RoleFiles,
    /// `lyceum.yaml`.
    pub(super) repository: Option<Declaration<Repository>>,
    /// `consents.yaml`.
    pub(super) consents: Option<Declaration<Consents>>,
}

/// A manifest and the files it comes from.
pub(super) struct Declaration<T> {
    pub(super) layers: Layers,
    pub(super) manifest: T,
}

impl<T> Declaration<T> {
    /// Where the value at a JSON pointer stands.
    fn place(&self, pointer: &str) -> Place {
        self.layers.place(pointer)
    }

    /// An error about the value at a JSON pointer.
    fn error(&self, pointer: &str, rule: &Rule, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.place(pointer), rule.id, message)
    }

    /// A warning about the value at a JSON pointer.
    fn warning(&self, pointer: &str, rule: &Rule, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(&self.place(pointer), rule.id, message)
    }
}

impl Declaration<Cluster> {
    fn name(&self) -> &str {
        &self.manifest.metadata.name
    }

    fn spec(&self) -> &ClusterSpec {
        &self.manifest.spec
    }
}
