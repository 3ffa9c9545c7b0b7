//! What no schema can say: rules across fields and files.
//!
//! One rule, one file, one id. A rule reads the model and adds what it finds; it
//! relies on the form of the schema and on no other rule. What a file got wrong has
//! been taken out of it: a finding about such a value is not kept, and a rule that
//! looks at another value than the one it names asks whether that is doubtful.

mod admin_cidr;
mod admin_key;
mod admin_keys_size;
mod admin_open;
mod attribute_enum;
mod attribute_pattern;
mod attribute_range;
mod attribute_required;
mod attribute_type;
mod attribute_unknown;
mod auth_fields;
mod cidr;
mod cidr_capacity;
mod cidr_docker;
mod cidr_overlap;
mod cluster_folder;
mod command_guard_missing;
mod consent_address;
mod dummy_auth;
mod duplicate_cluster;
mod duplicate_consent;
mod duplicate_domain;
mod duplicate_schedule;
mod duplicate_shared;
mod duplicate_step;
mod file_content;
mod image;
mod instance_type;
mod label;
mod memory;
mod on_demand_base;
mod overlay_capacity;
mod path_owned_twice;
mod rate_service;
mod region_unknown;
mod reserved_parameter;
mod role_cycle;
mod role_file_missing;
mod role_files;
mod role_folder;
mod role_unknown;
mod schedule_cron;
mod schedule_edges;
mod schedule_overlap;
mod schedule_range;
mod schedule_zone;
mod secret_scope;
mod secret_text;
mod shared_path;
mod step_kind;
mod step_needs_unknown;
mod template_syntax;
mod template_unknown;
mod watches_unknown;
mod workers_range;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cluster::{Cluster, ClusterSpec};
use super::conform::closest;
use super::diagnostic::{Diagnostic, Place};
use super::load::RoleFiles;
use super::merge::Layers;
use super::repository::{Consents, Repository};
use super::role::{Attribute, RoleManifest};
use super::source::escape;
use crate::node::bundle::closure;
use crate::node::step::StepManifest;
use crate::node::texts::{self, Text};

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
    attribute_enum::RULE,
    attribute_pattern::RULE,
    attribute_range::RULE,
    attribute_required::RULE,
    attribute_type::RULE,
    attribute_unknown::RULE,
    auth_fields::RULE,
    cidr::RULE,
    cidr_capacity::RULE,
    cidr_docker::RULE,
    cidr_overlap::RULE,
    cluster_folder::RULE,
    command_guard_missing::RULE,
    consent_address::RULE,
    dummy_auth::RULE,
    duplicate_cluster::RULE,
    duplicate_consent::RULE,
    duplicate_domain::RULE,
    duplicate_schedule::RULE,
    duplicate_shared::RULE,
    duplicate_step::RULE,
    file_content::RULE,
    image::RULE,
    instance_type::RULE,
    label::RULE,
    memory::RULE,
    on_demand_base::RULE,
    overlay_capacity::RULE,
    path_owned_twice::RULE,
    rate_service::RULE,
    region_unknown::RULE,
    reserved_parameter::RULE,
    role_cycle::RULE,
    role_file_missing::RULE,
    role_files::RULE,
    role_folder::RULE,
    role_unknown::RULE,
    schedule_cron::RULE,
    schedule_edges::RULE,
    schedule_overlap::RULE,
    schedule_range::RULE,
    schedule_zone::RULE,
    secret_scope::RULE,
    secret_text::RULE,
    shared_path::RULE,
    step_kind::RULE,
    step_needs_unknown::RULE,
    template_syntax::RULE,
    template_unknown::RULE,
    watches_unknown::RULE,
    workers_range::RULE,
];

/// Applies every rule.
pub(super) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for rule in RULES {
        (rule.check)(model, found);
    }
    found.retain(|diagnostic| !diagnostic.doubtful);
}

/// All files, as far as they have their form.
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

    /// Whether the value at a JSON pointer, or anything in it, may have been meant
    /// otherwise.
    fn is_doubtful(&self, pointer: &str) -> bool {
        self.layers.is_doubtful(pointer)
    }

    /// Whether one of several values may have been meant otherwise.
    fn doubts(&self, pointers: &[&str]) -> bool {
        pointers.iter().any(|pointer| self.is_doubtful(pointer))
    }

    /// An error about the value at a JSON pointer.
    fn error(&self, pointer: &str, rule: &Rule, message: impl Into<String>) -> Diagnostic {
        let error = Diagnostic::error(&self.place(pointer), rule.id, message);
        error.unless(self.is_doubtful(pointer))
    }

    /// A warning about the value at a JSON pointer.
    fn warning(&self, pointer: &str, rule: &Rule, message: impl Into<String>) -> Diagnostic {
        let warning = Diagnostic::warning(&self.place(pointer), rule.id, message);
        warning.unless(self.is_doubtful(pointer))
    }
}

impl Declaration<Cluster> {
    fn name(&self) -> &str {
        &self.manifest.metadata.name
    }

    fn spec(&self) -> &ClusterSpec {
        &self.manifest.spec
    }

    /// Whether it is known which roles its nodes have.
    fn knows_roles(&self) -> bool {
        !self.doubts(&["/spec/hub/roles", "/spec/workers/roles"])
    }
}

impl Declaration<RoleManifest> {
    /// An error about a text of the role, in whichever of its files.
    fn text_error(&self, text: &Text, rule: &Rule, message: impl Into<String>) -> Diagnostic {
        let error = Diagnostic::error(&role_place(self, &text.place), rule.id, message);
        match &text.place {
            texts::Place::Manifest(pointer) => error.unless(self.is_doubtful(pointer)),
            texts::Place::File(_) => error,
        }
    }
}

/// The roles by name, and which of them come with which.
struct Closures<'a> {
    roles: BTreeMap<&'a str, &'a Declaration<RoleManifest>>,
    /// Lists of roles repeat from cluster to cluster.
    known: BTreeMap<Vec<String>, BTreeSet<String>>,
}

impl<'a> Closures<'a> {
    fn new(model: &'a Model) -> Self {
        let named =
            |role: &'a Declaration<RoleManifest>| (role.manifest.metadata.name.as_str(), role);
        Self { roles: model.roles.iter().map(named).collect(), known: BTreeMap::new() }
    }

    fn role(&self, name: &str) -> Option<&'a Declaration<RoleManifest>> {
        self.roles.get(name).copied()
    }

    /// These roles and all that they include.
    fn of(&mut self, list: &[String]) -> BTreeSet<String> {
        if let Some(known) = self.known.get(list) {
            return known.clone();
        }
        let all = closure(list, |name| self.role(name).map(|role| &role.manifest));
        self.known.insert(list.to_vec(), all.clone());
        all
    }

    /// Whether that is all there is: each of them can be read and says what it
    /// includes. One that does not exist includes nothing.
    fn is_whole(&self, all: &BTreeSet<String>, model: &Model) -> bool {
        all.iter().all(|name| match self.role(name) {
            Some(role) => !role.is_doubtful("/spec/includes"),
            None => !model.role_names.contains(name),
        })
    }

    /// The roles that any node of a cluster has.
    fn of_cluster(&mut self, spec: &ClusterSpec) -> BTreeSet<String> {
        let mut all = self.of(&spec.hub.roles);
        all.extend(self.of(&spec.workers.roles));
        all
    }
}

/// A value that a role or a cluster gives to a declared attribute.
struct Given<'a> {
    /// The attribute's name.
    name: &'a str,
    attribute: &'a Attribute,
    value: &'a Value,
    place: Place,
}

impl Given<'_> {
    fn error(&self, rule: &Rule, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.place, rule.id, message)
    }
}

/// Every value that is given to a declared attribute: the defaults of roles, and
/// what clusters set.
fn attribute_values(model: &Model, judge: &mut dyn FnMut(&Given<'_>)) {
    for role in &model.roles {
        for (name, attribute) in &role.manifest.spec.attributes {
            let Some(value) = &attribute.default else { continue };
            if role.is_doubtful(&format!("/spec/attributes/{}", escape(name))) {
                continue;
            }
            let place = role.place(&format!("/spec/attributes/{}/default", escape(name)));
            judge(&Given { name, attribute, value, place });
        }
    }
    let closures = Closures::new(model);
    for cluster in &model.clusters {
        for (role_name, set) in &cluster.spec().attributes {
            let Some(role) = closures.role(role_name) else { continue };
            for (name, value) in set {
                let Some(attribute) = role.manifest.spec.attributes.get(name) else { continue };
                let pointer = format!("/spec/attributes/{}/{}", escape(role_name), escape(name));
                let declared = format!("/spec/attributes/{}", escape(name));
                if role.is_doubtful(&declared) || cluster.is_doubtful(&pointer) {
                    continue;
                }
                judge(&Given { name, attribute, value, place: cluster.place(&pointer) });
            }
        }
    }
}

/// Where a text of a role stands, in whichever of its files.
fn role_place(role: &Declaration<RoleManifest>, place: &texts::Place) -> Place {
    match place {
        texts::Place::Manifest(pointer) => role.place(pointer),
        texts::Place::File(path) => Place {
            path: format!("cookbooks/{}/{path}", role.manifest.metadata.name),
            mark: super::diagnostic::Mark::START,
        },
    }
}

/// Fields of a step that name others: where, and what.
type StepLists<'a> = Vec<(&'static str, &'a [String])>;

/// Reports names of steps that are none, in the lists that `lists` gives: field
/// and names.
fn step_names(
    model: &Model,
    rule: &Rule,
    lists: &dyn Fn(&StepManifest) -> StepLists<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let steps_of = |role: &Declaration<RoleManifest>| -> BTreeSet<String> {
        role.manifest.spec.steps.iter().map(|step| step.name.clone()).collect()
    };
    // Of these not every step's name is known.
    let unsure: BTreeSet<&str> = model
        .roles
        .iter()
        .filter(|role| lacks_names(role))
        .map(|role| role.manifest.metadata.name.as_str())
        .collect();
    let known: BTreeMap<&str, BTreeSet<String>> = model
        .roles
        .iter()
        .map(|role| (role.manifest.metadata.name.as_str(), steps_of(role)))
        .collect();
    for role in &model.roles {
        let own = role.manifest.metadata.name.as_str();
        for (index, step) in role.manifest.spec.steps.iter().enumerate() {
            for (field, names) in lists(step) {
                for (place, name) in names.iter().enumerate() {
                    let (of, short) = name.split_once('/').unwrap_or((own, name));
                    if known.get(of).is_some_and(|steps| steps.contains(short)) {
                        continue;
                    }
                    // A role that is broken is reported as such.
                    if unsure.contains(of) {
                        continue;
                    }
                    if !known.contains_key(of) && model.role_names.contains(of) {
                        continue;
                    }
                    let pointer = format!("/spec/steps/{index}/{field}/{place}");
                    let message = format!("there is no step `{}`", name.escape_debug());
                    let error = role.error(&pointer, rule, message);
                    let error = error.expected("a step of this role, or role/step of another");
                    let mut all: Vec<String> = known[own].iter().cloned().collect();
                    let others = known.get(of).into_iter().flatten();
                    all.extend(others.filter(|_| of != own).map(|step| format!("{of}/{step}")));
                    found.push(match closest(name, &all) {
                        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                        None => error,
                    });
                }
            }
        }
    }
}

/// Whether a role may have steps of other names than those that are known.
fn lacks_names(role: &Declaration<RoleManifest>) -> bool {
    let steps = 0..role.manifest.spec.steps.len();
    role.layers.is_lost("/spec/steps")
        || steps.into_iter().any(|index| role.is_doubtful(&format!("/spec/steps/{index}/name")))
}
