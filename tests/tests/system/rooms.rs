//! The rooms keep their walls: what a crate depends on says what it can do.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What the pure half must not be able to reach.
const NOT_PURE: &[&str] = &["tokio", "git2", "notify", "hyper", "reqwest", "aws-config"];

/// What the agent must not be able to reach.
const NOT_ON_A_NODE: &[&str] =
    &["aws-config", "aws-lc-rs", "aws-lc-sys", "git2", "libgit2-sys", "native-tls", "notify"];

#[test]
fn the_pure_half_reaches_no_runtime_no_git_and_no_cloud() {
    let reached = Dependencies::read().of("lyceum-core");
    let found: Vec<_> = reached
        .iter()
        .filter(|name| NOT_PURE.contains(&name.as_str()) || name.starts_with("aws-"))
        .collect();
    assert!(reached.contains("jsonschema"), "the test looks at nothing: {reached:?}");
    assert_eq!(found, Vec::<&String>::new());
}

/// A node has no use for EC2, git or a second TLS stack, and fetches every byte
/// of its agent.
#[test]
fn the_agent_reaches_no_sdk_no_git_and_no_c_of_a_tls_stack() {
    let reached = Dependencies::read().of("lyceum-agent");
    let unwanted = |name: &str| {
        name.starts_with("aws-sdk-")
            || NOT_ON_A_NODE.contains(&name)
            // Which only finds where certificates lie, and has no C.
            || name.starts_with("openssl") && name != "openssl-probe"
            || name.starts_with("lyceum-") && name != "lyceum-core"
    };
    let found: Vec<_> = reached.iter().filter(|name| unwanted(name)).collect();
    assert!(reached.contains("aws-sigv4"), "the test looks at nothing: {reached:?}");
    assert_eq!(found, Vec::<&String>::new());
}

#[test]
fn only_the_aws_crate_names_the_sdk() {
    let dependencies = Dependencies::read();
    let named: BTreeSet<&str> = dependencies
        .direct
        .iter()
        .filter(|(_, names)| names.iter().any(|name| name.starts_with("aws-sdk-")))
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.starts_with("aws-"))
        .collect();
    assert_eq!(named, BTreeSet::from(["lyceum-aws"]));
}

/// Package name to the names of what it needs when it is built, not tested.
struct Dependencies {
    direct: BTreeMap<String, BTreeSet<String>>,
}

impl Dependencies {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            // What only other systems need was never fetched.
            .args(["--filter-platform", &host()])
            .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let names: BTreeMap<&str, &str> = packages
            .iter()
            .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
            .collect();
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        let mut direct: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in nodes {
            let name = names[node["id"].as_str().unwrap()];
            let needed = node["deps"].as_array().unwrap().iter().filter(|one| is_normal(one));
            let needed = needed.map(|one| names[one["pkg"].as_str().unwrap()].to_string());
            direct.entry(name.to_string()).or_default().extend(needed);
        }
        Self { direct }
    }

    /// Everything a package reaches.
    fn of(&self, package: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![package.to_string()];
        while let Some(name) = open.pop() {
            for needed in self.direct.get(&name).into_iter().flatten() {
                if reached.insert(needed.clone()) {
                    open.push(needed.clone());
                }
            }
        }
        reached
    }
}

/// The system this is built on, in the compiler's words.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_string()
}

fn is_normal(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null())
}
