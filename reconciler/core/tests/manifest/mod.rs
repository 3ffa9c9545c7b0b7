//! Manifests: loading, diagnostics, schemas and the examples in the repository.

mod repository;

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
