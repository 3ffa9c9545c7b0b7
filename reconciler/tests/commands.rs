//! The program itself: what it prints where, and what it exits with. AWS is a
//! port nobody listens on.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lyceum_testkit::example;
use serde_json::Value;

use crate::golden::assert_equal;
use crate::repository::TestRepository;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn lyceum(folder: &Path, args: &[&str], input: &str) -> Ran {
    lyceum_at(&format!("http://127.0.0.1:{}", nobody()), folder, args, input)
}

fn lyceum_at(endpoint: &str, folder: &Path, args: &[&str], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyceum"));
    command.args(args).current_dir(folder).env_clear();
    command.env("HOME", folder).env("AWS_ENDPOINT_URL", endpoint);
    // Neither a metadata service nor a profile of this machine is asked.
    command.envs([
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that reads nothing may have ended already.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

/// A port of this machine that refuses.
fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn repository(clusters: &[(&str, &str)]) -> TestRepository {
    let repository = TestRepository::new();
    for (path, text) in &example(clusters).files {
        repository.write(path, std::str::from_utf8(text).unwrap());
    }
    repository.commit("first");
    repository
}

fn valid() -> TestRepository {
    repository(&[("geo-101", "  region: us-east-1")])
}

#[test]
fn validate_exits_0_when_all_is_well() {
    let repository = valid();
    let ran = lyceum(repository.path(), &["validate"], "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert_eq!(ran.out, "valid: 1 cluster, 3 roles, 0 warnings\n");
    // From within, and from elsewhere.
    let within = lyceum(&repository.file("clusters/geo-101"), &["validate"], "");
    assert_eq!(within.out, ran.out);
    let elsewhere = tempfile::tempdir().unwrap();
    let path = repository.path().to_str().unwrap();
    let named = lyceum(elsewhere.path(), &["validate", "--repo", path], "");
    assert_eq!(named.out, ran.out);
}

#[test]
fn validate_exits_1_with_every_diagnostic_at_once() {
    let repository =
        repository(&[("one", "  regoin: us-east-1"), ("two", "  workers: {min: 5, max: 2}")]);
    let ran = lyceum(repository.path(), &["validate"], "");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    for expected in
        ["clusters/one/cluster.yaml:6:3: error: ", "clusters/two/cluster.yaml:6:", "hint: "]
    {
        assert!(ran.out.contains(expected), "{expected} in {}", ran.out);
    }
    let json = lyceum(repository.path(), &["validate", "--format", "json"], "");
    assert_eq!(json.code, 1);
    let found: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&found["valid"], found["clusters"].is_null()), (&Value::Bool(false), true));
    let diagnostics = found["diagnostics"].as_array().unwrap();
    assert!(diagnostics.len() >= 2);
    let keys = ["path", "line", "column", "severity", "message", "rule"];
    assert!(diagnostics.iter().all(|one| keys.iter().all(|key| !one[*key].is_null())));
}

#[test]
fn validate_reads_a_revision_where_asked() {
    let repository = valid();
    repository.write("clusters/geo-101/cluster.yaml", "broken: [");
    assert_eq!(lyceum(repository.path(), &["validate"], "").code, 1);
    assert_eq!(lyceum(repository.path(), &["validate", "--rev", "HEAD"], "").code, 0);
    let unknown = lyceum(repository.path(), &["validate", "--rev", "nowhere"], "");
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""));
    assert!(unknown.err.starts_with("error: cannot read the repository\n  because: no commit is"));
    assert!(unknown.err.contains("\nhint: "), "{}", unknown.err);
}

#[test]
fn a_wrong_call_is_an_error_and_never_looks_like_changes() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["plan", "--no-such-option"][..], &[], &["destroy"], &["nothing"]] {
        let ran = lyceum(folder.path(), args, "");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{args:?}: {}", ran.err);
        assert!(ran.err.contains("Usage: lyceum"), "{args:?}");
    }
    for args in [["--help"], ["--version"]] {
        let ran = lyceum(folder.path(), &args, "");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn without_aws_a_plan_is_an_error_and_nothing_else() {
    let repository = valid();
    let ran = lyceum(repository.path(), &["plan", "--detailed-exitcode", "--format", "json"], "");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("error: cannot reach AWS\n  because: sts:GetCallerIdentity"));
    assert!(ran.err.contains("hint: AWS is found as its SDK has it"));
}

#[test]
fn an_endpoint_that_is_empty_is_refused_and_what_serve_cannot_reach_has_the_same_hint() {
    let repository = valid();
    let ran = lyceum_at("", repository.path(), &["plan"], "");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("AWS_ENDPOINT_URL is empty"), "{}", ran.err);
    let ran = lyceum(repository.path(), &["serve"], "");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("hint: AWS is found as its SDK has it"), "{}", ran.err);
}

#[test]
fn a_plan_of_wrong_manifests_asks_nobody() {
    let repository = repository(&[("one", "  regoin: us-east-1")]);
    let ran = lyceum(repository.path(), &["plan"], "");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("clusters/one/cluster.yaml:6:3: error: "), "{}", ran.err);
    assert!(!ran.err.contains("AWS"), "{}", ran.err);
}

#[test]
fn nothing_is_planned_outside_of_git() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in &example(&[("geo-101", "  region: us-east-1")]).files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    assert_eq!(lyceum(folder.path(), &["validate"], "").code, 0);
    let ran = lyceum(folder.path(), &["plan"], "");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is not a git repository"), "{}", ran.err);
}

#[test]
fn destroy_is_refused_while_the_cluster_is_declared() {
    let repository = valid();
    for args in
        [&["destroy", "--cluster", "geo-101"][..], &["destroy", "--cluster", "geo-101", "--yes"]]
    {
        let ran = lyceum(repository.path(), args, "");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        let expected =
            "error: HEAD still declares geo-101, in clusters/geo-101/cluster.yaml\nhint: ";
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
    let forced = ["destroy", "--cluster", "geo-101", "--yes", "--force"];
    assert!(lyceum(repository.path(), &forced, "").err.contains("cannot reach AWS"));
    let force_alone = ["destroy", "--cluster", "geo-101", "--force"];
    assert!(lyceum(repository.path(), &force_alone, "").err.contains("--yes"));
}

#[test]
fn a_secret_is_in_no_output_whatever_happens() {
    let repository = valid();
    let name = "geo-101/oauth-client-secret";
    let ran = lyceum(repository.path(), &["-vv", "secret", "set", name], "hunter2\n");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("cannot reach AWS") && !ran.err.contains("hunter2"), "{}", ran.err);
    let empty = lyceum(repository.path(), &["secret", "set", name], "\n");
    assert!(empty.err.contains("error: standard input is empty"), "{}", empty.err);
    let unknown = lyceum(repository.path(), &["secret", "set", "geo-11/x"], "hunter2");
    assert!(unknown.err.contains("did you mean `geo-101`?"), "{}", unknown.err);
    let reserved = lyceum(repository.path(), &["secret", "set", "geo-101/applied"], "hunter2");
    assert!(reserved.err.contains("is written by lyceum itself"), "{}", reserved.err);
}

#[test]
fn the_reference_is_made_from_the_arguments() {
    assert_equal("../docs/cli.md", &lyceum::cli::reference());
}
