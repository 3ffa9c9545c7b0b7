//! What is too much is refused, soon and with a diagnostic.

use lyceum_core::manifest::{self, Snapshot};

use super::samples::assert_inside;

fn rules(files: &Snapshot) -> Vec<&'static str> {
    let found = manifest::load(files).unwrap_err().diagnostics;
    assert_inside(files, &found);
    found.iter().map(|diagnostic| diagnostic.rule).collect()
}

fn only(path: &str, content: impl Into<Vec<u8>>) -> Snapshot {
    Snapshot { revision: "test".into(), files: [(path.into(), content.into())].into() }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let comment = "#".repeat(1024 * 1024 + 1);
    assert_eq!(rules(&only("clusters/a/cluster.yaml", comment)), ["file-size"]);
}

#[test]
fn a_repository_with_too_many_manifests_is_not_read() {
    let mut files = Snapshot::default();
    for index in 0..=5_000 {
        files.files.insert(format!("clusters/c{index}/cluster.yaml"), b"[".to_vec());
    }
    assert_eq!(rules(&files), ["repository-size"]);
    files.files.pop_last();
    assert_eq!(rules(&files), ["syntax"; 5_000]);
}

#[test]
fn nesting_without_end_neither_overflows_nor_takes_long() {
    for text in ["[", "{a: ", "- ", "? "] {
        let content = text.repeat(1024 * 1024 / text.len() - 1);
        let found = rules(&only("lyceum.yaml", content));
        assert!(found.contains(&"nesting"), "{text}: {found:?}");
    }
}

#[test]
fn a_file_full_of_faults_is_cut_short() {
    let fields: String = (0..5_000).map(|index| format!("f{index}: 1\n")).collect();
    let found = rules(&only("lyceum.yaml", fields));
    assert!((100..=200).contains(&found.len()), "{}", found.len());
}

#[test]
fn many_keys_and_long_ones_are_no_trouble() {
    let keys: String = (0..60_000).map(|index| format!("key-{index}: 1\n")).collect();
    assert!(!rules(&only("lyceum.yaml", keys)).is_empty());
    let long = format!("{}: 1\n", "k".repeat(1000));
    assert!(rules(&only("lyceum.yaml", long)).contains(&"unknown-field"));
}

#[test]
fn a_value_without_end_is_judged_soon_and_quoted_short() {
    let long = "a".repeat(900_000);
    for field in ["domain", "region", "network: {cidr", "jupyter: {image"] {
        let close = if field.contains('{') { "}" } else { "" };
        let text = format!(
            "apiVersion: lyceum/v1\nkind: Cluster\nmetadata: {{name: a}}\nspec:\n  {field}: {long}{close}\n"
        );
        let found = manifest::load(&only("clusters/a/cluster.yaml", text)).unwrap_err().diagnostics;
        assert!(found.iter().all(|diagnostic| diagnostic.to_string().len() < 1_000));
    }
}

#[test]
fn keys_that_are_no_text_are_refused_and_merge_keys_have_no_meaning() {
    for key in ["1", "true", "~", "1.5", "[a]", "<<"] {
        let found = rules(&only("lyceum.yaml", format!("{key}: {{a: b}}\n")));
        assert!(["unknown-field", "syntax", "required"].contains(&found[0]), "{key}: {found:?}");
    }
}

#[test]
fn line_ends_of_other_systems_and_byte_order_marks_are_taken() {
    let text = "apiVersion: lyceum/v1\r\nkind: Repository\r\nspec:\r\n  owner: geo\r\n";
    assert_eq!(manifest::load(&only("lyceum.yaml", text)).unwrap().repository.owner, "geo");
    let marked = format!("\u{feff}{}", text.replace('\r', ""));
    assert_eq!(manifest::load(&only("lyceum.yaml", marked)).unwrap().repository.owner, "geo");
}

#[test]
fn an_empty_repository_declares_nothing() {
    let manifests = manifest::load(&Snapshot::default()).unwrap();
    assert!(manifests.declared_nothing && manifests.clusters.is_empty());
}

/// A repository with one cluster whose nodes all have the roles named.
fn with_roles(roles: &[String]) -> Snapshot {
    let list = roles.join(", ");
    let cluster = format!(
        "apiVersion: lyceum/v1\nkind: Cluster\nmetadata: {{name: one}}\nspec:\n  hub: {{roles: [{list}]}}\n  \
         workers: {{roles: [{list}]}}\n"
    );
    let mut files = only("clusters/one/cluster.yaml", cluster);
    for role in roles {
        let text = format!(
            "apiVersion: lyceum/v1\nkind: Role\nmetadata: {{name: {role}, version: 1.0.0, \
             description: d}}\n"
        );
        files.files.insert(format!("cookbooks/{role}/role.yaml"), text.into());
    }
    files
}

#[test]
fn a_role_with_too_many_or_too_large_files_is_refused() {
    let mut files = with_roles(&["big".into()]);
    for number in 0..1_000 {
        files.files.insert(format!("cookbooks/big/files/{number}"), Vec::new());
    }
    // With its role.yaml one too many.
    assert_eq!(rules(&files), ["role-files"]);
    files.files.remove("cookbooks/big/files/0");
    assert!(manifest::load(&files).is_ok());
    files.files.insert("cookbooks/big/files/1".into(), vec![0; 4 * 1024 * 1024 + 1]);
    assert_eq!(rules(&files), ["role-files"]);
    // What is neither a template nor a file of the role is not looked at.
    files.files.insert("cookbooks/big/files/1".into(), Vec::new());
    files.files.insert("cookbooks/big/disk.img".into(), vec![0; 5 * 1024 * 1024]);
    let manifests = manifest::load(&files).unwrap();
    assert_eq!(manifests.roles["big"].files.len(), 1_000);
}

#[test]
fn roles_that_are_too_much_together_are_refused() {
    let roles: Vec<String> = (0..6).map(|number| format!("r{number}")).collect();
    let mut files = with_roles(&roles);
    for role in &roles {
        for number in 0..900 {
            files.files.insert(format!("cookbooks/{role}/files/{number}"), Vec::new());
        }
    }
    assert_eq!(rules(&files), ["bundle-size", "bundle-size"]);
    files.files.retain(|path, _| !path.starts_with("cookbooks/r5/files/"));
    assert!(manifest::load(&files).is_ok());
}
