//! Small inputs for tests.

use std::collections::BTreeMap;

use lyceum_core::manifest::{Manifests, Snapshot, load};
use lyceum_core::site::Site;

/// An account and a repository.
pub fn site() -> Site {
    Site {
        owner: "lyceum".into(),
        source: "c0ffee".repeat(6) + "c0ff",
        account: "123456789012".into(),
        partition: "aws".into(),
    }
}

/// The files of a repository with these clusters: name to the lines of its
/// `spec`, indented by two.
pub fn example(clusters: &[(&str, &str)]) -> Snapshot {
    let mut files = BTreeMap::new();
    for (name, spec) in clusters {
        let text = format!(
            "apiVersion: lyceum/v1\nkind: Cluster\nmetadata:\n  name: {name}\nspec:\n{spec}\n"
        );
        files.insert(format!("clusters/{name}/cluster.yaml"), text.into_bytes());
    }
    for role in ["swarm-leader", "jupyterhub", "swarm-worker"] {
        let text = format!(
            "apiVersion: lyceum/v1\nkind: Role\nmetadata:\n  name: {role}\n  version: 1.0.0\n  \
             description: a role\nspec:\n  includes: []\n"
        );
        files.insert(format!("cookbooks/{role}/role.yaml"), text.into_bytes());
    }
    Snapshot { revision: "test".into(), files }
}

/// What such a repository declares.
///
/// # Panics
/// When it is not valid: a mistake of the test's.
pub fn manifests(clusters: &[(&str, &str)]) -> Manifests {
    loaded(&example(clusters))
}

/// What a repository with the cluster `geo` declares, whose nodes are told this
/// stamp, all of them.
///
/// # Panics
/// When it is not valid: a mistake of the test's.
pub fn stamped(spec: &str, stamp: u32) -> Manifests {
    let told = ["jupyterhub", "swarm-worker"].map(|role| format!("{role}: {{stamp: {stamp}}}"));
    let spec = format!("{spec}\n  attributes: {{{}}}", told.join(", "));
    let mut files = example(&[("geo", &spec)]);
    let takes =
        "spec:\n  attributes:\n    stamp: {type: integer, description: a stamp, default: 0}\n";
    for (path, text) in &mut files.files {
        if path.starts_with("cookbooks/") {
            *text = String::from_utf8_lossy(text).replace("spec:\n", takes).into_bytes();
        }
    }
    loaded(&files)
}

#[allow(clippy::panic)] // a test's input that is wrong must stop the test
fn loaded(files: &Snapshot) -> Manifests {
    match load(files) {
        Ok(manifests) => manifests,
        Err(invalid) => {
            let lines: Vec<_> = invalid.diagnostics.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"))
        }
    }
}
