//! The cookbooks that ship: what each says can be read, and what it names is
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lyceum_core::manifest::role::RoleManifest;
use lyceum_core::node::step::Action;

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
