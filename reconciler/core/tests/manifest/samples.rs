//! `tests/valid` and `tests/invalid`: small repositories with what is said of
//! them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use lyceum_core::manifest::{self, Diagnostic, Severity, Snapshot, reference};

use super::repository::{bless_or_compare, root, snapshot};

#[test]
fn what_is_invalid_is_refused_with_everything_that_is_wrong() {
    for folder in cases("invalid") {
        let files = snapshot(&folder);
        let invalid = manifest::load(&files).expect_err(&format!("{folder:?} is valid"));
        assert!(invalid.diagnostics.iter().any(|found| found.severity == Severity::Error));
        assert_inside(&files, &invalid.diagnostics);
        bless_or_compare(&folder.join("expected.txt"), &rendered(&invalid.diagnostics));
    }
}

#[test]
fn what_is_valid_loads_and_says_the_same_when_written_out() {
    for folder in cases("valid") {
        let files = snapshot(&folder);
        let manifests = manifest::load(&files).unwrap_or_else(|invalid| {
            panic!("{folder:?} is refused:\n{}", rendered(&invalid.diagnostics))
        });
        assert_inside(&files, &manifests.warnings);
        bless_or_compare(&folder.join("expected.txt"), &rendered(&manifests.warnings));
        for declared in manifests.clusters.values() {
            let text = serde_yaml::to_string(&declared.cluster).unwrap();
            let mut alone = files.clone();
            alone.files.retain(|path, _| !path.starts_with("clusters/"));
            alone.files.insert(declared.path.clone(), text.into_bytes());
            let again = manifest::load(&alone).unwrap();
            assert_eq!(again.clusters[&declared.cluster.metadata.name], *declared, "{folder:?}");
        }
    }
}

#[test]
fn every_rule_has_a_sample_that_breaks_it() {
    let mut broken = BTreeSet::new();
    for folder in cases("invalid") {
        let found = manifest::load(&snapshot(&folder)).expect_err("refused").diagnostics;
        broken.extend(found.iter().map(|diagnostic| diagnostic.rule));
    }
    // These need more bytes than a repository should carry; see `limits`.
    broken.extend(["file-size", "repository-size", "role-files", "bundle-size"]);
    assert_eq!(broken, reference::rules().into_keys().collect());
}

#[test]
fn the_same_bytes_give_the_same_answer() {
    for folder in cases("invalid").into_iter().chain(cases("valid")) {
        let files = snapshot(&folder);
        assert_eq!(manifest::load(&files), manifest::load(&files.clone()));
    }
}

/// Fails when a diagnostic points outside its file.
pub(super) fn assert_inside(files: &Snapshot, found: &[Diagnostic]) {
    for diagnostic in found {
        let text = String::from_utf8_lossy(&files.files[&diagnostic.path]).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        assert!((1..=lines.len().max(1)).contains(&diagnostic.line), "{diagnostic}");
        let width = lines.get(diagnostic.line - 1).map_or(0, |line| line.chars().count());
        assert!((1..=width + 1).contains(&diagnostic.column), "{diagnostic}");
    }
}

pub(super) fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = root().join("tests").join(kind);
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn rendered(found: &[Diagnostic]) -> String {
    found.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}
