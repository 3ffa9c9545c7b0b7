//! Small bundles of roles for tests, and what a node is told of them.

use std::collections::BTreeMap;

use lyceum_core::node::bundle::{Bundle, Role};
use lyceum_core::node::converge::{Mode, converge};
use lyceum_core::node::facts::Facts;
use lyceum_core::node::plan::{NodePlan, PlanError, node_plan};
use lyceum_core::node::pointer::Target;
use lyceum_core::node::report::StepReport;
use serde_json::json;

use super::{FakeHost, Watching};

/// A worker of `geo-101`.
pub fn facts() -> Facts {
    Facts {
        instance_id: "i-0a1".into(),
        instance_type: "t3.large".into(),
        private_ip: "10.20.0.11".into(),
        hostname: "i-0a1".into(),
        region: "eu-central-1".into(),
        zone: "eu-central-1a".into(),
        os: "debian-12".into(),
        arch: "x86_64".into(),
        cpus: 2,
        memory_mib: 8192,
        cluster: "geo-101".into(),
        group: "workers".into(),
        owner: "lyceum".into(),
        bucket: "lyceum-1".into(),
        parameters: "/lyceum/geo-101".into(),
        hub: "10.20.0.10".into(),
        public_address: String::new(),
        namespace: "geo-101.internal".into(),
        file_system: "fs-0123".into(),
        access_points: BTreeMap::new(),
    }
}

/// A role: its `spec` in YAML, and the files beside it.
///
/// # Panics
/// When it cannot be read: a mistake of the test's.
#[allow(clippy::panic)] // a test's input that is wrong must stop the test
pub fn role(name: &str, spec: &str, files: &[(&str, &str)]) -> Role {
    let spec: serde_yaml::Value = match serde_yaml::from_str(spec) {
        Ok(spec) => spec,
        Err(error) => panic!("{name}: {error}\n{spec}"),
    };
    let head = json!({"name": name, "version": "1.0.0", "description": "a role"});
    let manifest = json!({
        "apiVersion": "lyceum/v1", "kind": "Role", "metadata": head,
        "spec": serde_json::to_value(spec).unwrap_or_default(),
    });
    let manifest = match serde_json::from_value(manifest) {
        Ok(manifest) => manifest,
        Err(error) => panic!("{name}: {error}"),
    };
    let files = files.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec()));
    Role { manifest, files: files.collect() }
}

/// A bundle of roles.
pub fn bundle(roles: &[Role]) -> Bundle {
    let named = roles.iter().map(|role| (role.manifest.metadata.name.clone(), role.clone()));
    Bundle { roles: named.collect() }
}

/// What a node of these roles is told, with a small manifest of its cluster.
pub fn target(roles: &[&str]) -> Target {
    Target {
        roles: roles.iter().map(ToString::to_string).collect(),
        cluster: json!({
            "metadata": {"name": "geo-101"},
            "spec": {"domain": "hub.example.edu", "storage": {"shared": [
                {"name": "maps", "path": "/srv/shared/maps"},
                {"name": "dems", "path": "/srv/shared/dems", "readOnly": true},
            ]}},
        }),
        ..Target::default()
    }
}

/// The plan of a node that has these roles.
pub fn planned(roles: &[Role]) -> Result<NodePlan, PlanError> {
    let names: Vec<&str> = roles.iter().map(|it| it.manifest.metadata.name.as_str()).collect();
    node_plan(&bundle(roles), &target(&names), &facts())
}

/// Converges a machine in memory, with the facts it has.
pub fn converged(host: &mut FakeHost, plan: &NodePlan, mode: Mode) -> Vec<StepReport> {
    let facts = host.machine.facts.clone();
    converge(plan, &facts, host, &mut Watching::default(), mode)
}
