//! The cookbooks that ship: what each says can be read, and what it names is
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lyceum_core::manifest::cluster::{AuthType, ClusterSpec, SharedDirectory};
use lyceum_core::manifest::role::RoleManifest;
use lyceum_core::node::bundle::{Bundle, Role};
use lyceum_core::node::check::{CHECK_KINDS, Probe};
use lyceum_core::node::facts::Facts;
use lyceum_core::node::plan::{NodePlan, node_plan};
use lyceum_core::node::pointer::Target;
use lyceum_core::node::step::{Action, Availability, STEP_KINDS};
use serde_json::{Value, json};

use crate::manifest::repository::bless_or_compare;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cookbooks")
}

fn roles() -> BTreeMap<String, RoleManifest> {
    let mut roles = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let text = std::fs::read_to_string(path.join("role.yaml")).unwrap();
            let role: RoleManifest = serde_yaml::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            roles.insert(path.file_name().unwrap().to_string_lossy().into_owned(), role);
        }
    }
    roles
}

/// A role's includes, all of them, and itself.
fn with_includes<'a>(
    roles: &'a BTreeMap<String, RoleManifest>,
    name: &'a str,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::from([name]);
    for include in &roles[name].spec.includes {
        found.extend(with_includes(roles, include));
    }
    found
}

#[test]
fn every_role_says_one_thing_a_step_and_checks_itself() {
    let roles = roles();
    assert_eq!(roles.len(), 8, "{:?}", roles.keys());
    for (folder, role) in &roles {
        assert_eq!(&role.metadata.name, folder);
        assert!(!role.spec.checks.is_empty(), "{folder} has no check");
        let mut names = BTreeSet::new();
        for step in &role.spec.steps {
            assert_eq!(step.kinds().len(), 1, "{folder}/{}: {:?}", step.name, step.kinds());
            assert!(names.insert(&step.name), "{folder}/{} is there twice", step.name);
        }
        let mut names = BTreeSet::new();
        for check in &role.spec.checks {
            assert_eq!(check.kinds().len(), 1, "{folder}/{}: {:?}", check.name, check.kinds());
            assert!(names.insert(&check.name), "{folder}/{} is there twice", check.name);
        }
    }
}

#[test]
fn every_file_a_role_names_is_there_and_no_other() {
    for (name, role) in roles() {
        let mut named = BTreeSet::from([PathBuf::from("role.yaml")]);
        for step in &role.spec.steps {
            let (template, file) = match step.action().unwrap() {
                Action::File(step) => (step.template, step.file),
                Action::Unit(step) => (step.template, None),
                _ => (None, None),
            };
            named.extend(template.map(|path| Path::new("templates").join(path)));
            named.extend(file.map(|path| Path::new("files").join(path)));
        }
        let there = files(&folder().join(&name), &folder().join(&name));
        assert_eq!(named, there, "of {name}");
    }
}

#[test]
fn what_a_step_waits_for_and_watches_is_a_step_of_its_roles() {
    let roles = roles();
    let of = |role: &str| -> BTreeSet<String> {
        roles[role].spec.steps.iter().map(|step| step.name.clone()).collect()
    };
    for (name, role) in &roles {
        let within = with_includes(&roles, name);
        for step in &role.spec.steps {
            let action = step.action().unwrap();
            for wanted in step.needs.iter().chain(action.step().watches()).chain(watched(&action)) {
                let (owner, wanted) = wanted.split_once('/').unwrap_or((name, wanted));
                assert!(within.contains(owner), "{name}/{}: {owner} is not included", step.name);
                assert!(of(owner).contains(wanted), "{name}/{}: no {owner}/{wanted}", step.name);
            }
        }
    }
}

/// What is watched, by its field.
fn watched(action: &Action) -> &[String] {
    match action {
        Action::Service(step) => &step.watches,
        Action::DockerService(step) => &step.watches,
        Action::DockerContainer(step) => &step.watches,
        _ => &[],
    }
}

#[test]
fn every_attribute_has_a_default_so_that_a_cluster_may_say_nothing() {
    for (name, role) in roles() {
        for (attribute, of) in &role.spec.attributes {
            let default = of.default.as_ref();
            assert!(default.is_some(), "{name}.{attribute} has no default");
            let allowed = of.options.is_empty() || of.options.contains(default.unwrap());
            assert!(allowed, "{name}.{attribute}: {default:?} is not among its values");
        }
    }
}

fn files(root: &Path, folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(root, &path));
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_path_buf());
        }
    }
    found
}

/// The cookbooks as a node gets them.
fn bundle() -> Bundle {
    let mut bundle = Bundle::default();
    for (name, manifest) in roles() {
        let root = folder().join(&name);
        let read = |path: PathBuf| {
            let content = std::fs::read(root.join(&path)).unwrap();
            (path.to_string_lossy().into_owned(), content)
        };
        let files = files(&root, &root).into_iter().map(read).collect();
        bundle.roles.insert(name, Role { manifest, files });
    }
    bundle
}

fn facts(os: &str, group: &str) -> Facts {
    Facts {
        instance_id: "i-0123456789abcdef0".into(),
        private_ip: "10.20.0.10".into(),
        region: "us-east-1".into(),
        os: os.into(),
        cluster: "geo-101".into(),
        group: group.into(),
        parameters: "/lyceum/geo-101".into(),
        hub: "10.20.0.10".into(),
        file_system: "fs-0123".into(),
        access_points: BTreeMap::from([
            ("homes".into(), "fsap-1".into()),
            ("datasets".into(), "fsap-2".into()),
        ]),
        ..Facts::default()
    }
}

/// A cluster's manifest, defaults filled in, with these changes of its spec.
fn cluster(change: impl FnOnce(&mut ClusterSpec)) -> Value {
    let mut spec = ClusterSpec::default();
    spec.network.cidr = "10.20.0.0/16".into();
    spec.storage.shared =
        vec![SharedDirectory { name: "datasets".into(), path: "/data".into(), read_only: true }];
    change(&mut spec);
    json!({"metadata": {"name": "geo-101"}, "spec": spec})
}

fn target(roles: &[&str], cluster: Value) -> Target {
    Target {
        roles: roles.iter().map(|role| (*role).to_string()).collect(),
        cluster,
        ..Target::default()
    }
}

pub(crate) fn hub(os: &str, change: impl FnOnce(&mut ClusterSpec)) -> NodePlan {
    let target = target(&["swarm-leader", "jupyterhub"], cluster(change));
    node_plan(&bundle(), &target, &facts(os, "hub")).unwrap()
}

pub(crate) fn worker(os: &str, change: impl FnOnce(&mut ClusterSpec)) -> NodePlan {
    let target = target(&["swarm-worker"], cluster(change));
    node_plan(&bundle(), &target, &facts(os, "workers")).unwrap()
}

pub(crate) fn github(spec: &mut ClusterSpec) {
    spec.domain = Some("notebooks.example.edu".into());
    spec.network.admin_keys = vec!["ssh-ed25519 AAAA ops".into()];
    spec.network.admin_cidrs = vec!["203.0.113.0/24".into()];
    let auth = &mut spec.jupyter.auth;
    auth.auth_type = AuthType::Github;
    auth.client_id = Some("abc".into());
    auth.client_secret_ref = Some("ssm:/lyceum/geo-101/oauth-client-secret".into());
    auth.allowed_organizations = vec!["geo-dept".into()];
}

pub(crate) fn dummy(spec: &mut ClusterSpec) {
    spec.jupyter.auth.auth_type = AuthType::Dummy;
}

/// The text a step writes to a path.
fn written(plan: &NodePlan, path: &str) -> String {
    let file = plan.steps.iter().find_map(|step| match &step.action {
        Action::File(file) if file.path == path => Some(file),
        _ => None,
    });
    let file = file.unwrap_or_else(|| panic!("nothing writes {path}"));
    match &file.resolved {
        Some(text) => String::from_utf8(STANDARD.decode(text).unwrap()).unwrap(),
        None => file.content.clone().unwrap(),
    }
}

fn place(plan: &NodePlan, id: &str) -> usize {
    let found =
        plan.steps.iter().position(|step| step.id == id || step.id.starts_with(&format!("{id}[")));
    found.unwrap_or_else(|| panic!("no step {id}"))
}

fn has(plan: &NodePlan, id: &str) -> bool {
    plan.steps.iter().any(|step| step.id == id)
}

const SYSTEMS: [&str; 3] = ["debian-12", "ubuntu-24.04", "amazon-linux-2023"];

#[test]
fn every_role_makes_a_plan_on_every_system_however_users_sign_in() {
    for os in SYSTEMS {
        for change in [github, dummy, |_: &mut ClusterSpec| {}] {
            let plan = hub(os, change);
            assert!(plan.steps.len() > 60, "{os}: {}", plan.steps.len());
            let settings = written(&plan, "/etc/jupyterhub/settings.json");
            serde_json::from_str::<Value>(&settings).unwrap();
            let daemon = written(&plan, "/etc/docker/daemon.json");
            let daemon: Value = serde_json::from_str(&daemon).unwrap();
            assert_eq!(daemon["labels"][0], "lyceum.instance=i-0123456789abcdef0");
            assert_eq!(daemon["live-restore"], false);
            assert!(worker(os, change).steps.len() > 30);
        }
    }
}

#[test]
fn mounts_come_before_docker_and_the_swarm_and_the_image_before_work() {
    for os in SYSTEMS {
        let by = if os == "amazon-linux-2023" { "-by-access-point" } else { "" };
        let plan = worker(os, |_| {});
        let homes = place(&plan, &format!("nfs-client/homes{by}"));
        let shared = place(&plan, &format!("nfs-client/shared{by}"));
        let docker = place(&plan, "docker/service");
        assert!(homes < docker && shared < docker, "{os}");
        assert!(docker < place(&plan, "swarm-worker/swarm"), "{os}");
        let Action::Swarm(swarm) = &plan.steps[place(&plan, "swarm-worker/swarm")].action else {
            panic!("no swarm step")
        };
        assert_eq!(swarm.availability, Some(Availability::Pause));
        let plan = hub(os, |_| {});
        assert!(place(&plan, "swarm-leader/volume") < place(&plan, "swarm-leader/swarm"), "{os}");
        assert!(place(&plan, "swarm-leader/state-in-place") < place(&plan, "swarm-leader/swarm"));
        assert!(place(&plan, "jupyterhub/notebook-image") < place(&plan, "jupyterhub/hub"), "{os}");
    }
}

#[test]
fn a_secret_is_a_reference_in_the_plan_and_only_where_it_is_used() {
    let plan = hub("debian-12", github);
    let id = "jupyterhub/client-secret";
    let Action::File(file) = &plan.steps[place(&plan, id)].action else { panic!("no file") };
    assert_eq!(file.parameters["secret"], "ssm:/lyceum/geo-101/oauth-client-secret");
    assert!(file.confidential && file.mode == "0600");
    assert!(!has(&plan, "jupyterhub/trial-password") && !has(&plan, "jupyterhub/admin-password"));
    let plan = hub("debian-12", dummy);
    assert!(has(&plan, "jupyterhub/trial-password") && !has(&plan, id));
    let plan = hub("debian-12", |_| {});
    assert!(has(&plan, "jupyterhub/admin-password") && !has(&plan, id));
}

#[test]
fn the_firewall_opens_what_each_group_needs_and_nothing_else() {
    let path = "/etc/lyceum/firewall.nft";
    let rules = written(&worker("debian-12", |_| {}), path);
    assert!(rules.contains("policy drop") && rules.contains("169.254.169.254"));
    assert!(rules.contains("ip saddr 10.20.0.0/16 udp dport 4789 accept"));
    for closed in ["443", "2377", "dport 22", "8000", "8081"] {
        assert!(!rules.contains(closed), "{closed} on a worker:\n{rules}");
    }
    let rules = written(&hub("debian-12", github), path);
    assert!(rules.contains("tcp dport { 80, 443 } accept"));
    assert!(rules.contains("ip saddr 10.20.0.0/16 tcp dport 2377 accept"));
    assert!(rules.contains("ip saddr 203.0.113.0/24 tcp dport 22 accept"));
    assert!(!rules.contains("8000") && !rules.contains("8081"));
}

#[test]
fn the_certificate_is_of_an_authority_where_there_is_a_name_for_it() {
    let kind = |os: &str, change: fn(&mut ClusterSpec)| {
        let text = written(&hub(os, change), "/etc/lyceum/certificate.conf");
        text.lines().find_map(|line| line.strip_prefix("kind=")).unwrap().to_string()
    };
    assert_eq!(kind("debian-12", github), "acme");
    assert_eq!(kind("ubuntu-24.04", github), "acme");
    assert_eq!(kind("amazon-linux-2023", github), "self-signed");
    assert_eq!(kind("debian-12", dummy), "self-signed");
    let nginx =
        |change: fn(&mut ClusterSpec)| written(&hub("debian-12", change), "/etc/nginx/nginx.conf");
    assert!(nginx(github).contains("Strict-Transport-Security"));
    assert!(!nginx(dummy).contains("Strict-Transport-Security"));
    assert!(nginx(github).contains("server_name notebooks.example.edu;"));
}

#[test]
fn one_version_of_docker_is_pinned_and_checked_where_it_is_said() {
    let mut target = target(&["swarm-worker"], cluster(|_| {}));
    let version = json!("20.10.24+dfsg1-1+deb12u1");
    target.attributes = BTreeMap::from([(
        "docker".to_string(),
        BTreeMap::from([("version".to_string(), version)]),
    )]);
    let plan = node_plan(&bundle(), &target, &facts("debian-12", "workers")).unwrap();
    let Action::Package(package) = &plan.steps[place(&plan, "docker/package")].action else {
        panic!("no package")
    };
    assert_eq!(package.install, ["docker.io=20.10.24+dfsg1-1+deb12u1"]);
    let check = plan.checks.iter().find(|check| check.id == "docker/version").unwrap();
    let Probe::CommandCheck(check) = &check.probe else { panic!("no command") };
    assert_eq!(check.run.last().unwrap(), "http://docker/info");
    assert_eq!(check.contains.as_deref(), Some("\"ServerVersion\":\"20.10.24"));
}

#[test]
fn the_page_on_writing_roles_names_every_role_and_kind() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for kind in STEP_KINDS.iter().chain(CHECK_KINDS) {
        let name = format!("`{kind}`");
        let row = readme.lines().any(|line| line.starts_with('|') && line.contains(&name));
        assert!(row, "cookbooks/README.md does not name {name}");
    }
    for (name, role) in roles() {
        let includes: Vec<String> =
            role.spec.includes.iter().map(|role| format!("`{role}`")).collect();
        let row = format!("| `{name}` | {} |", includes.join(", ")).replace("|  |", "| |");
        assert!(readme.contains(&row), "cookbooks/README.md lacks {row}");
    }
}

/// The end of docs/roles.md is made from the roles.
#[test]
fn the_page_for_operators_has_every_attribute_as_it_is() {
    const ATTRIBUTES: &str = "## Attributes\n";
    let path = folder().join("../docs/roles.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, _) = page.split_once(ATTRIBUTES).unwrap();
    bless_or_compare(&path, &format!("{before}{ATTRIBUTES}{}", attributes()));
}

fn attributes() -> String {
    let mut text = String::new();
    for (name, role) in roles() {
        if role.spec.attributes.is_empty() {
            continue;
        }
        text.push_str(&format!("\n### `{name}`\n\n| Attribute | Default | |\n|---|---|---|\n"));
        for (attribute, of) in &role.spec.attributes {
            let default = of.default.as_ref().unwrap_or(&Value::Null);
            text.push_str(&format!("| `{attribute}` | `{default}` | {} |\n", of.description));
        }
    }
    text
}
