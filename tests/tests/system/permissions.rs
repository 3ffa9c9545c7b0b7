//! The policies in `deploy/` allow every call the program makes, and the rates
//! in `lyceum.yaml` can name every service it calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Services whose IAM prefix is another word than ours.
const PREFIXES: &[(&str, &str)] = &[("efs", "elasticfilesystem")];
/// Operations that IAM knows under another name.
const ACTIONS: &[(&str, &str)] = &[
    ("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("s3:DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
    ("s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:ListObjectVersions", "s3:ListBucketVersions"),
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:DeleteObjects", "s3:DeleteObject"),
    ("s3:DeleteBucketTagging", "s3:PutBucketTagging"),
    ("elasticfilesystem:PutLifecycleConfiguration", "elasticfilesystem:PutLifecycleConfiguration"),
];

#[test]
fn the_policies_allow_every_call() {
    let allowed = allowed(&["deploy/iam-read.json", "deploy/iam-write.json"]);
    let missing: Vec<String> = calls()
        .into_iter()
        .map(|(service, operation)| action(&service, &operation))
        .filter(|action| !allowed.iter().any(|pattern| matches(pattern, action)))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_policies_deny_no_call() {
    let denied = actions(&["deploy/iam-read.json", "deploy/iam-write.json"], "Deny");
    assert!(!denied.is_empty(), "the test looks at nothing");
    let refused: Vec<String> = calls()
        .into_iter()
        .map(|(service, operation)| action(&service, &operation))
        .filter(|action| denied.iter().any(|pattern| matches(pattern, action)))
        .collect();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn reading_alone_allows_every_reading_call_and_no_other() {
    let allowed = allowed(&["deploy/iam-read.json"]);
    let missing: Vec<String> = calls_of(&["read"])
        .into_iter()
        .map(|(service, operation)| action(&service, &operation))
        .filter(|action| !allowed.iter().any(|pattern| matches(pattern, action)))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
    let writes: Vec<String> = calls_of(&["once", "repeatable"])
        .into_iter()
        .map(|(service, operation)| action(&service, &operation))
        .filter(|action| allowed.iter().any(|pattern| matches(pattern, action)))
        .collect();
    assert_eq!(writes, Vec::<String>::new());
}

#[test]
fn every_service_called_can_be_given_a_rate() {
    let known = root().join("reconciler/core/src/manifest/repository.rs");
    let known = fs::read_to_string(known).unwrap();
    let services: BTreeSet<String> = calls().into_iter().map(|(service, _)| service).collect();
    for service in services {
        assert!(known.contains(&format!("\"{service}\",")), "{service} cannot be given one");
    }
}

/// Service and operation of every call in the source.
fn calls() -> BTreeSet<(String, String)> {
    calls_of(&["read", "repeatable", "once"])
}

fn calls_of(kinds: &[&str]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut open = vec![root().join("reconciler/aws/src")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap();
        for kind in kinds {
            for call in shipped.split(&format!("Call::{kind}(")).skip(1) {
                let (arguments, _) = call.split_once(')').unwrap();
                let mut words = arguments.split(',').map(|word| literal(word.trim(), shipped));
                found.insert((words.next().unwrap(), words.next().unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "the test looks at nothing");
    found
}

/// The text of a literal, or of a constant of the same file: `CHANGE`, `CALL.1`.
fn literal(word: &str, file: &str) -> String {
    if let Some(text) = word.strip_prefix('"') {
        return text.trim_end_matches('"').into();
    }
    let (name, place) = word.split_once('.').unwrap_or((word, "0"));
    let place: usize = place.parse().unwrap();
    let (_, rest) = file.split_once(&format!("const {name}: ")).expect(word);
    let (definition, _) = rest.split_once(';').unwrap();
    definition.split('"').nth(2 * place + 1).expect(word).into()
}

fn action(service: &str, operation: &str) -> String {
    let other = PREFIXES.iter().find(|(ours, _)| *ours == service);
    let action = format!("{}:{operation}", other.map_or(service, |(_, prefix)| prefix));
    let renamed = ACTIONS.iter().find(|(ours, _)| *ours == action);
    renamed.map_or(action, |(_, name)| name.to_string())
}

fn allowed(files: &[&str]) -> BTreeSet<String> {
    actions(files, "Allow")
}

/// The actions of all statements of an effect.
fn actions(files: &[&str], effect: &str) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let policy: Value = serde_json::from_str(&text).unwrap();
        for statement in policy["Statement"].as_array().unwrap() {
            let found = statement["Effect"].as_str().unwrap();
            assert!(["Allow", "Deny"].contains(&found), "{file}: {found}");
            if found == effect {
                actions.extend(actions_of(statement, file));
            }
        }
    }
    actions
}

fn actions_of(statement: &Value, file: &str) -> Vec<String> {
    match &statement["Action"] {
        Value::String(action) => vec![action.clone()],
        Value::Array(list) => list.iter().map(|one| one.as_str().unwrap().to_string()).collect(),
        other => panic!("{file}: {other}"),
    }
}

fn matches(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => pattern == action,
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
