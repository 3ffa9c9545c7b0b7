//! Manifests: loading, diagnostics, schemas and the examples in the repository.

mod broken;
mod limits;
mod mutation;
mod reference;
pub(crate) mod repository;
mod samples;

use lyceum_core::manifest::{self, cluster::Os};
use repository::{root, snapshot};

#[test]
fn the_example_of_the_documentation_needs_only_its_roles() {
    let mut files = snapshot(&root());
    files.files.retain(|path, _| {
        path == "clusters/geo-101/cluster.yaml" || path.starts_with("cookbooks/")
    });
    let manifests = manifest::load(&files).unwrap();
    assert_eq!(manifests.warnings, []);
    let geo = &manifests.clusters["geo-101"];
    assert_eq!(geo.path, "clusters/geo-101/cluster.yaml");
    let spec = &geo.cluster.spec;
    assert_eq!(spec.os, Os::Debian12);
    assert_eq!(spec.workers.scaling.schedules[0].timezone, "America/Denver");
    assert_eq!(geo.cluster.metadata.labels["term"], "2026-fall");
    assert!(!manifests.declared_nothing);
}

#[test]
fn the_examples_load_without_a_warning() {
    let manifests = manifest::load(&snapshot(&root())).unwrap();
    assert_eq!(manifests.warnings, []);
    let names: Vec<&str> = manifests.clusters.keys().map(String::as_str).collect();
    assert_eq!(names, ["camp-astronomy", "climate-lab", "geo-101", "stats-200"]);
    let camp = &manifests.clusters["camp-astronomy"].cluster.spec;
    // From its own file, the nearer defaults, the farther ones, and the types.
    assert_eq!(camp.network.cidr, "10.30.0.0/20");
    assert_eq!(camp.os, Os::Ubuntu2404);
    assert_eq!(camp.workers.instance_types.len(), 4);
    assert_eq!(camp.workers.scaling.cpu_percent, 50);
    assert_eq!(camp.workers.scaling.sessions_per_node, 8);
    assert_eq!(camp.hub.roles, ["swarm-leader", "jupyterhub"]);
    assert_eq!(manifests.roles["jupyterhub"].manifest.spec.includes, ["swarm-leader", "nginx"]);
}

#[test]
fn a_cluster_has_the_labels_of_its_defaults_with_its_own() {
    let files = snapshot(&root().join("tests/valid/defaults-in-layers"));
    let manifests = manifest::load(&files).unwrap();
    let labels = &manifests.clusters["one"].cluster.metadata.labels;
    let told: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(told, ["department=geography", "lecture=maps", "term=fall"]);
    assert_eq!(manifests.clusters["two"].cluster.metadata.labels.len(), 2);
}
