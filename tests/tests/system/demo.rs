//! `make demo ARGS=--aws`, as a person plays it.

use std::fs::File;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(240);
/// What is said once a stage has come about, in their order.
const STAGES: &[&str] = &[
    "boto3 finds every one, as the manifests say",
    "boto3 finds it as it was",
    "boto3 finds at most 30 workers",
    "after the next look at AWS: nothing written, still 30 workers",
    "objects of EC2: nothing deleted",
    "all of it",
];

#[test]
fn the_demo_comes_to_its_end_by_every_stage() {
    let folder = TempDir::new().unwrap();
    let shown = folder.path().join("shown");
    let file = File::create(&shown).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--aws")
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            // Its own waits end long before.
            None if begun.elapsed() > PATIENCE => child.kill().unwrap(),
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    let shown = std::fs::read_to_string(shown).unwrap();
    assert_eq!(code, Some(0), "{shown}");
    let mut rest = shown.as_str();
    for stage in STAGES {
        rest = rest.split_once(stage).unwrap_or_else(|| panic!("`{stage}` is missing:\n{shown}")).1;
    }
}
