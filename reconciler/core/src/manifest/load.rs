//! Strings the steps together: read, check the form, merge, apply the rules.
//!
//! One run shows everything that is wrong: what has not its form is taken out of a
//! file, and the rest of it goes on to the rules. A file that cannot be read takes
//! no part in the next steps. Nothing of a commit with an error is ever used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cluster::Cluster;
use super::diagnostic::{Diagnostic, Mark, Place, Severity, in_order};
use super::merge::{Layers, drop_nulls};
use super::repository::{Consents, Repository};
use super::role::RoleManifest;
use super::rules::{self, Declaration, Model};
use super::schema::FileKind;
use super::source::Document;
use super::{Declared, Invalid, Manifests, Snapshot, conform, layout, mend, source};
use crate::node::bundle::{Bundle, Packed, Role, closure};

/// Most manifests in a repository.
pub(super) const MAX_MANIFESTS: usize = 5_000;
/// Most bytes of manifests in a repository.
pub(super) const MAX_TOTAL_BYTES: usize = 64 * 1024 * 1024;

pub(super) const REPOSITORY_SIZE: &str = "repository-size";
pub(super) const STRAY_FILE: &str = "stray-file";
pub(super) const BUNDLE_SIZE: &str = "bundle-size";

/// Role, then path within its folder, to content.
pub(super) type RoleFiles = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// What the files of a commit declare, or everything that is wrong with them.
pub fn load(snapshot: &Snapshot) -> Result<Manifests, Invalid> {
    let mut found = vec![];
    let files = manifests_in(snapshot, &mut found);
    let declared_nothing = !files.iter().any(|(_, kind)| *kind == FileKind::Cluster);
    let mut reading = Reading::default();
    for (path, kind) in files {
        reading.take(path, &snapshot.files[path], kind);
    }
    reading.take_role_files(snapshot);
    found.append(&mut reading.found);
    let model = reading.into_model(&mut found);
    rules::check(&model, &mut found);
    put_inside(snapshot, &mut found);
    if has_errors(&found) {
        return Err(Invalid { diagnostics: in_order(found) });
    }
    let (clusters, roles) = (model.clusters, shared_roles(model.roles, model.role_files));
    let bundles = packed(&clusters, &roles, &mut found);
    let found = in_order(found);
    if has_errors(&found) {
        return Err(Invalid { diagnostics: found });
    }
    let declared = clusters.into_iter().map(|it| {
        let path = it.layers.path().to_string();
        (it.manifest.metadata.name.clone(), Declared { path, cluster: it.manifest })
    });
    Ok(Manifests {
        revision: snapshot.revision.clone(),
        repository: model.repository.map(|it| it.manifest.spec).unwrap_or_default(),
        clusters: declared.collect(),
        consents: model.consents.map(|it| it.manifest.consents).unwrap_or_default(),
        roles,
        bundles,
        warnings: found,
        declared_nothing,
    })
}

/// The parser of places takes a lone carriage return for a line's end; readers do
/// not.
fn put_inside(snapshot: &Snapshot, found: &mut [Diagnostic]) {
    for diagnostic in found {
        let text = snapshot.files.get(&diagnostic.path).map(|bytes| String::from_utf8_lossy(bytes));
        if let Some(text) = text.filter(|text| text.contains('\r')) {
            super::marks::clamp(std::slice::from_mut(diagnostic), &text);
        }
    }
}

fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// The paths of all manifests, unless there are too many to read.
fn manifests_in<'a>(
    snapshot: &'a Snapshot,
    found: &mut Vec<Diagnostic>,
) -> Vec<(&'a str, FileKind)> {
    let mut manifests = vec![];
    let mut bytes = 0;
    for (path, content) in &snapshot.files {
        match layout::place(path) {
            layout::Place::Manifest(kind) => {
                bytes += content.len();
                manifests.push((path.as_str(), kind));
            }
            layout::Place::Stray { hint } => found.push(stray(path, hint)),
            layout::Place::RoleFile | layout::Place::Foreign => {}
        }
        if manifests.len() > MAX_MANIFESTS || bytes > MAX_TOTAL_BYTES {
            found.push(too_much(path));
            return vec![];
        }
    }
    manifests
}

fn stray(path: &str, hint: &str) -> Diagnostic {
    let place = Place { path: path.into(), mark: Mark::START };
    Diagnostic::warning(&place, STRAY_FILE, "this file is not read").hint(hint)
}

fn too_much(path: &str) -> Diagnostic {
    let place = Place { path: path.into(), mark: Mark::START };
    Diagnostic::error(&place, REPOSITORY_SIZE, "the repository has too many manifests")
        .expected(format!("at most {MAX_MANIFESTS} files of together {MAX_TOTAL_BYTES} bytes"))
        .hint("nothing was read; split the repository and give each its own `owner`")
}

/// Files read so far.
#[derive(Default)]
struct Reading {
    clusters: Vec<Document>,
    defaults: BTreeMap<String, Arc<Document>>,
    role_names: BTreeSet<String>,
    role_files: RoleFiles,
    roles: Vec<Document>,
    repository: Option<Document>,
    consents: Option<Document>,
    found: Vec<Diagnostic>,
}

impl Reading {
    fn take(&mut self, path: &str, bytes: &[u8], kind: FileKind) {
        if kind == FileKind::Role {
            self.role_names.insert(layout::folder_name(path).into());
        }
        let (document, found) = match source::read(path, bytes) {
            Ok(document) => conform::check(document, kind),
            Err(found) => (None, found),
        };
        self.found.extend(found);
        // What others take from a file matters although nothing of it is known.
        let others_take_from_it = matches!(kind, FileKind::Defaults | FileKind::Repository);
        let lost = || others_take_from_it.then(|| mend::lost(path, kind));
        if let Some(document) = document.or_else(lost) {
            self.keep(document, kind);
        }
    }

    /// The files of every role that has a manifest, that among them.
    fn take_role_files(&mut self, snapshot: &Snapshot) {
        for (path, content) in &snapshot.files {
            let place = layout::place(path);
            if !matches!(place, layout::Place::RoleFile | layout::Place::Manifest(FileKind::Role)) {
                continue;
            }
            let Some((role, inner)) = layout::role_file(path) else { continue };
            if self.role_names.contains(role) {
                let files = self.role_files.entry(role.into()).or_default();
                files.insert(inner.into(), content.clone());
            }
        }
    }

    fn keep(&mut self, document: Document, kind: FileKind) {
        match kind {
            FileKind::Cluster => self.clusters.push(document),
            FileKind::Defaults => {
                let folder = layout::folder(&document.path).to_string();
                self.defaults.insert(folder, Arc::new(document));
            }
            FileKind::Role => self.roles.push(document),
            FileKind::Repository => self.repository = Some(document),
            FileKind::Consents => self.consents = Some(document),
        }
    }

    fn into_model(self, found: &mut Vec<Diagnostic>) -> Model {
        let Self { clusters, defaults, .. } = self;
        let mut model =
            Model { role_names: self.role_names, role_files: self.role_files, ..Model::default() };
        for document in clusters {
            let folders = layout::folders_outwards(&document.path);
            let around = folders.filter_map(|folder| defaults.get(folder).cloned()).collect();
            let layers = Layers::new(document, around);
            let merged = layers.merged();
            model.clusters.extend(declaration(layers, merged, found));
        }
        let roles = self.roles.into_iter();
        model.roles.extend(roles.filter_map(|role| declare::<RoleManifest>(role, found)));
        model.repository =
            self.repository.and_then(|document| declare::<Repository>(document, found));
        model.consents = self.consents.and_then(|document| declare::<Consents>(document, found));
        model
    }
}

fn declare<T: DeserializeOwned>(
    mut document: Document,
    found: &mut Vec<Diagnostic>,
) -> Option<Declaration<T>> {
    let mut value = std::mem::take(&mut document.value);
    drop_nulls(&mut value);
    declaration(Layers::new(document, vec![]), value, found)
}

fn declaration<T: DeserializeOwned>(
    layers: Layers,
    value: Value,
    found: &mut Vec<Diagnostic>,
) -> Option<Declaration<T>> {
    match serde_json::from_value(value) {
        Ok(manifest) => Some(Declaration { layers, manifest }),
        Err(_) if layers.has_flaws() => None,
        Err(error) => {
            let message = format!("the file does not have its form: {error}");
            found.push(Diagnostic::error(&layers.place(""), conform::SCHEMA, message));
            None
        }
    }
}

fn shared_roles(
    roles: Vec<Declaration<RoleManifest>>,
    mut files: RoleFiles,
) -> BTreeMap<String, Arc<Role>> {
    let roles = roles.into_iter().map(|it| {
        let files = files.remove(&it.manifest.metadata.name).unwrap_or_default();
        (it.manifest.metadata.name.clone(), Arc::new(Role { manifest: it.manifest, files }))
    });
    roles.collect()
}

/// What each list of roles comes to, packed once for each set of roles.
fn packed(
    clusters: &[Declaration<Cluster>],
    roles: &BTreeMap<String, Arc<Role>>,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<Vec<String>, Arc<Packed>> {
    let mut bundles: BTreeMap<Vec<String>, Arc<Packed>> = BTreeMap::new();
    let mut by_roles: BTreeMap<BTreeSet<String>, Arc<Packed>> = BTreeMap::new();
    for cluster in clusters {
        let spec = &cluster.manifest.spec;
        for (list, group) in [(&spec.hub.roles, "hub"), (&spec.workers.roles, "workers")] {
            if bundles.contains_key(list) {
                continue;
            }
            let all = closure(list, |name| roles.get(name).map(|role| &role.manifest));
            let known = by_roles.get(&all).cloned();
            match known.map_or_else(|| Bundle::of(list, roles).packed().map(Arc::new), Ok) {
                Ok(bundle) => {
                    by_roles.insert(all, bundle.clone());
                    bundles.insert(list.clone(), bundle);
                }
                Err(error) => {
                    let place = cluster.layers.place(&format!("/spec/{group}/roles"));
                    let message = format!("these roles are too much for a node: {error}");
                    found.push(
                        Diagnostic::error(&place, BUNDLE_SIZE, message)
                            .hint("large files belong into an image or the shared storage"),
                    );
                }
            }
        }
    }
    bundles
}
