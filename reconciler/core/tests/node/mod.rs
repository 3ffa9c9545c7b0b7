//! Roles, plans and convergence, on a machine in memory.

mod checks;
mod converging;
mod docker;
mod kinds;
mod planning;
mod properties;
mod refusals;
mod shipped;
mod swarm;
mod templates;

use std::collections::BTreeMap;

use lyceum_core::node::converge::Mode;
use lyceum_core::node::plan::NodePlan;
use lyceum_core::node::report::{StepOutcome, StepReport};
use lyceum_testkit::{FakeHost, FakePackage, converged, facts, planned, role};

/// A plan of one role `r` with these steps, in YAML.
fn plan_of(steps: &str) -> NodePlan {
    plan_with(steps, &[])
}

fn plan_with(steps: &str, files: &[(&str, &str)]) -> NodePlan {
    match planned(&[role("r", &format!("steps:\n{}", indented(steps)), files)]) {
        Ok(plan) => plan,
        Err(error) => panic!("{error}"),
    }
}

/// Why one role `r` with these steps makes no plan.
fn plan_error(steps: &str) -> String {
    let steps = format!("steps:\n{}", indented(steps));
    planned(&[role("r", &steps, &[])]).unwrap_err().to_string()
}

fn indented(text: &str) -> String {
    text.trim_matches('\n').lines().map(|line| format!("  {line}\n")).collect()
}

/// A bare Debian with a repository that has what these tests install.
fn bare() -> FakeHost {
    let mut host = FakeHost::new(facts());
    for (name, package) in [
        ("nginx", FakePackage::with_units("1.22.1-9", &["nginx.service"])),
        ("chrony", FakePackage::with_units("4.3-2", &["chrony.service"])),
        ("docker.io", FakePackage::with_units("20.10.24", &["docker.service"])),
        ("telnet", FakePackage::with_units("0.17", &[])),
        (
            "curl",
            FakePackage {
                versions: vec!["7.88.1".into(), "7.88.2".into()],
                ..FakePackage::default()
            },
        ),
    ] {
        host.machine.available.insert(name.into(), package);
    }
    host
}

/// A Debian that runs Docker.
fn with_docker() -> FakeHost {
    let mut host = bare();
    let docker = plan_of("- {name: docker, package: {install: [docker.io]}}");
    assert_all_well(&converged(&mut host, &docker, Mode::Apply));
    host.log.clear();
    host
}

/// A Debian that leads a swarm.
fn leader() -> FakeHost {
    let mut host = with_docker();
    let swarm = plan_of("- {name: swarm, swarm: {part: leader}}");
    assert_all_well(&converged(&mut host, &swarm, Mode::Apply));
    host.log.clear();
    host
}

fn apply(host: &mut FakeHost, plan: &NodePlan) -> BTreeMap<String, StepOutcome> {
    by_id(converged(host, plan, Mode::Apply))
}

fn dry_run(host: &mut FakeHost, plan: &NodePlan) -> BTreeMap<String, StepOutcome> {
    let (log, files) = (host.log.clone(), host.machine.files.clone());
    let reports = converged(host, plan, Mode::DryRun);
    assert_eq!((&host.log, &host.machine.files), (&log, &files), "a dry run changes nothing");
    by_id(reports)
}

fn by_id(reports: Vec<StepReport>) -> BTreeMap<String, StepOutcome> {
    reports.into_iter().map(|report| (report.id, report.outcome)).collect()
}

fn is_well(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Unchanged | StepOutcome::Changed { .. })
}

fn assert_all_well(reports: &[StepReport]) {
    let bad: Vec<_> = reports.iter().filter(|report| !is_well(&report.outcome)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// What a step that failed says: error and hint.
fn failure(outcomes: &BTreeMap<String, StepOutcome>, id: &str) -> (String, String) {
    match &outcomes[id] {
        StepOutcome::Failed { error, hint, .. } => (error.clone(), hint.clone()),
        other => panic!("{id}: {other:?}"),
    }
}

/// What differed in a step, as `what: before -> after`.
fn differences(outcome: &StepOutcome) -> Vec<String> {
    match outcome {
        StepOutcome::Changed { differences } | StepOutcome::Would { differences } => differences
            .iter()
            .map(|it| format!("{}: {} -> {}", it.what, it.before, it.after))
            .collect(),
        _ => Vec::new(),
    }
}
