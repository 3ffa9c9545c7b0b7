//! What is handed out for running it, `.github/`, `deploy/` and the examples of
//! `docs/`, can be read, and calls commands and options that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;
use system_tests::scenario::Lyceum;

/// Where commands are called, besides in what is YAML.
const SCRIPTS: &[&str] = &[
    ".github/actions/lyceum-plan/plan.sh",
    "deploy/lyceum.service",
    "deploy/Dockerfile",
    "docs/examples/lyceum.yml",
];

#[test]
fn every_yaml_file_can_be_read() {
    let files = yaml_files();
    assert!(files.len() > 10, "{files:?}");
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for document in serde_yaml::Deserializer::from_str(&text) {
            let read = <Value as serde::Deserialize>::deserialize(document);
            assert!(read.is_ok(), "{}: {}", file.display(), read.unwrap_err());
        }
    }
}

#[test]
fn workflows_have_jobs_with_steps_that_do_something() {
    for file in yaml_files().iter().filter(|file| file.parent().unwrap().ends_with("workflows")) {
        let workflow: Value = serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(workflow.get("on").is_some(), "{} never runs", file.display());
        let jobs = workflow["jobs"].as_mapping().unwrap();
        for (name, job) in jobs {
            assert!(job["runs-on"].is_string(), "{}: {name:?}", file.display());
            for step in job["steps"].as_sequence().unwrap() {
                let acts = ["uses", "run"].iter().filter(|key| step.get(key).is_some()).count();
                assert_eq!(acts, 1, "{}: {step:?}", file.display());
            }
        }
    }
}

/// What runs in a cluster's own repository is handed its inputs and reads no
/// other, and gives back what it says.
#[test]
fn what_a_team_calls_takes_the_inputs_that_it_reads() {
    for name in ["validate", "plan"] {
        let text =
            fs::read_to_string(root().join(format!(".github/workflows/{name}.yml"))).unwrap();
        let workflow: Value = serde_yaml::from_str(&text).unwrap();
        let declared = workflow["on"]["workflow_call"]["inputs"].as_mapping().unwrap();
        let declared: BTreeSet<&str> = declared.keys().filter_map(|name| name.as_str()).collect();
        let read: BTreeSet<&str> = text
            .split("${{ inputs.")
            .skip(1)
            .filter_map(|rest| rest.split([' ', '}']).next())
            .collect();
        assert_eq!(declared, read, "{name}");
        assert!(commands(&text).contains_key(name), "{name} does not call `lyceum {name}`");
    }
}

#[test]
fn commands_and_options_are_the_programs() {
    let mut called: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let scripts = SCRIPTS.iter().map(|name| root().join(name));
    for file in yaml_files().into_iter().chain(scripts) {
        for (command, options) in commands(&fs::read_to_string(file).unwrap()) {
            called.entry(command).or_default().extend(options);
        }
    }
    let names: Vec<&str> = called.keys().map(String::as_str).collect();
    assert_eq!(names, ["plan", "serve", "validate"], "the test sees what is called");
    for (command, options) in called {
        let help = help(&command);
        let has: BTreeSet<&str> =
            help.split_whitespace().map(|word| word.trim_end_matches(',')).collect();
        for option in options {
            assert!(has.contains(option.as_str()), "`lyceum {command}` has no {option}");
        }
    }
}

/// `lyceum plan --repo … --format …` in any text, the program under any of its
/// names: command to options.
fn commands(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = text.replace("\\\n", " ");
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let words: Vec<&str> =
            line.split_whitespace().map(|word| word.trim_matches(['"', '\'', '!', ';'])).collect();
        let is_program =
            |word: &str| word == "$LYCEUM" || word.rsplit(['/', '=']).next() == Some("lyceum");
        let Some(at) = words.iter().position(|word| is_program(word)) else { continue };
        let known = ["validate", "plan", "apply", "destroy", "serve", "status", "secret"];
        let rest = &words[at + 1..];
        let Some(command) = rest.iter().find(|word| known.contains(word)) else { continue };
        let options = rest.iter().filter(|word| word.starts_with("--"));
        let options = options.map(|word| word.split('=').next().unwrap_or(word).to_string());
        found.entry((*command).into()).or_default().extend(options);
    }
    // Kubernetes: a list of arguments.
    let items: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    if let Some(at) = items.iter().position(|item| *item == "serve") {
        let options = items[at..].iter().filter(|item| item.starts_with("--"));
        let options = options.map(|item| item.split('=').next().unwrap_or(item).to_string());
        found.entry("serve".into()).or_default().extend(options);
    }
    found
}

fn help(command: &str) -> String {
    let program = Lyceum::new("http://127.0.0.1:9", &root()).unwrap();
    let output = Command::new(program.binary()).args([command, "--help"]).output().unwrap();
    assert!(output.status.success(), "there is no `lyceum {command}`");
    String::from_utf8(output.stdout).unwrap()
}

fn yaml_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> =
        [".github", "deploy", "docs"].iter().map(|name| root().join(name)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            match path.is_dir() {
                true => open.push(path),
                false if matches!(ending, "yml" | "yaml") => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
