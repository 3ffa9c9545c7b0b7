//! What holds for any roles, on a machine in memory.

use std::collections::BTreeMap;

use lyceum_core::node::converge::Mode;
use lyceum_core::node::host::Cause;
use lyceum_core::node::plan::NodePlan;
use lyceum_core::node::report::StepOutcome;
use lyceum_testkit::{FakeDocker, FakeHost, Strike, converged};
use proptest::prelude::*;

use super::{apply, is_well, leader, plan_of};

/// One step that stands alone, of any kind that has no limit of one; `N` is a
/// number of its own, `V` a small value.
const STEPS: &[&str] = &[
    "package: {install: [nginx], remove: [telnet]}",
    "package: {install: [chrony]}",
    "package: {install: ['curl=7.88.V']}",
    "file: {path: /etc/fN, content: 'V @{no} {{ node.zone }}', mode: '060V'}",
    "file: {path: /etc/deep/N/f, content: 'k=@{k}', parameters: {k: key}, owner: www-data}",
    "file: {path: /etc/fN, absent: true}",
    "directory: {path: /srv/dN/sub, owner: www-data}",
    "directory: {path: /srv/dN, absent: true}",
    "symlink: {path: /etc/lN, target: /tV}",
    "user: {name: uN, shell: /bin/shV}",
    "group: {name: gN, gid: 50V}",
    "unit: {name: uN.service, content: 'V'}",
    "unit: {name: docker.service.d/uN.conf, content: 'V'}",
    "mount: {path: /srv/mN, type: nfs4, source: 'nas:/V'}",
    "mount: {path: /srv/mN, type: efs, source: 'fs-0V:/N'}",
    "kernel_module: {name: mN}",
    "timer: {name: tN, schedule: daily, run: [job, 'V']}",
    "docker_network: {name: nN, internal: true}",
    "docker_image: {image: 'q/i:V', pin: image, publish: true}",
    "docker_service: {name: sN, image: 'q/i:1', env: {A: 'V'}, replicas: V}",
    "docker_container: {name: cN, image: 'q/i:1', env: {A: 'V'}}",
];

/// Kinds of which a node has one of a name.
const ONLY: &[&str] = &[
    "swarm: {part: leader, labels: {a: 'V'}, availability: drain, tend: true}",
    "sysctl: {values: {vm.swappiness: 'V'}}",
    "service: {unit: docker.service}",
    "parameter: {name: worker-token, from: swarm-worker-token}",
];

/// The steps of a role.
fn steps() -> impl Strategy<Value = String> {
    let some = proptest::collection::vec((0..STEPS.len(), 1u32..3), 1..8);
    let only = proptest::collection::vec((any::<bool>(), 1u32..3), ONLY.len());
    (some, only, any::<bool>()).prop_map(|(some, only, watched)| {
        let mut text = String::new();
        let fill = |step: &str, number: usize, value: u32| {
            step.replace('N', &number.to_string()).replace('V', &value.to_string())
        };
        let mut watches = Vec::new();
        let (mut imaged, mut pinned) = (false, false);
        for (number, (kind, value)) in some.into_iter().enumerate() {
            let step = STEPS[kind];
            // One parameter holds one image.
            if step.contains("curl") && std::mem::replace(&mut pinned, true) {
                continue;
            }
            if step.starts_with("docker_image") && std::mem::replace(&mut imaged, true) {
                continue;
            }
            if step.starts_with("file") {
                watches.push(format!("s{number}"));
            }
            text.push_str(&format!("- {{name: s{number}, {}}}\n", fill(step, number, value)));
        }
        for (number, (there, value)) in only.into_iter().enumerate() {
            if there {
                text.push_str(&format!("- {{name: o{number}, {}}}\n", fill(ONLY[number], 0, value)));
            }
        }
        if watched {
            let watches = watches.join(", ");
            text.push_str(&format!(
                "- {{name: run, service: {{unit: cron.service, watches: [{watches}]}}}}\n- {{name: box, \
                 docker_container: {{name: box, image: 'q/i:1', watches: [{watches}]}}}}\n"
            ));
        }
        text
    })
}

fn node() -> FakeHost {
    let mut host = leader();
    let machine = &mut host.machine;
    machine
        .available
        .insert("cron".into(), lyceum_testkit::FakePackage::with_units("3", &["cron.service"]));
    machine.installed.insert("telnet".into(), "0.17".into());
    machine.units.insert(
        "cron.service".into(),
        lyceum_testkit::FakeUnit { shipped: true, ..Default::default() },
    );
    machine.groups.insert("staff".into(), 50);
    for tag in ["q/i:1", "q/i:2"] {
        machine.docker.registry.insert(tag.into(), FakeDocker::digest(tag));
    }
    for name in ["image", "worker-token"] {
        machine.parameters.insert(format!("/lyceum/geo-101/{name}"), "none".into());
    }
    machine.parameters.insert("/lyceum/geo-101/key".into(), SECRET.into());
    for version in ["7.88.1", "7.88.2"] {
        assert!(machine.available["curl"].versions.contains(&version.to_string()));
    }
    host
}

const SECRET: &str = "s3cr3t-value-0815";

/// What a machine is, without what only counts or is left lying about.
fn state(host: &FakeHost) -> BTreeMap<String, String> {
    let machine = &host.machine;
    let mut state = BTreeMap::new();
    for (path, file) in machine.files.iter().filter(|(path, _)| !path.ends_with(".staged")) {
        let content = String::from_utf8_lossy(&file.content);
        state
            .insert(format!("file {path}"), format!("{:?} {:?} {content}", file.kind, file.access));
    }
    for (name, unit) in &machine.units {
        state.insert(
            format!("unit {name}"),
            format!("{} {} {}", unit.active, unit.enabled, unit.read),
        );
    }
    for (name, (_, inspect)) in &machine.docker.services {
        let mut spec = inspect["Spec"].clone();
        spec["TaskTemplate"]["ForceUpdate"] = 0.into();
        let _ = name;
        state.insert(format!("service {}", spec["Name"]), spec.to_string());
    }
    for inspect in machine.docker.containers.values() {
        state.insert(format!("container {}", inspect["Name"]), inspect.to_string());
    }
    // They lie by id, which counts up: whose first try failed comes later.
    let mut networks: Vec<String> = machine
        .docker
        .networks
        .values()
        .map(|it| format!("{} {}", it["Name"], it["Internal"]))
        .collect();
    networks.sort();
    let others = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {networks:?}",
        machine.users.keys().collect::<Vec<_>>(),
        machine.groups.keys().collect::<Vec<_>>(),
        machine.installed,
        machine.sysctls,
        machine.modules,
        machine.mounts,
        machine.docker.images,
        machine.parameters,
        machine.marks,
    );
    state.insert("others".into(), others);
    state
}

fn all_unchanged(host: &mut FakeHost, plan: &NodePlan) -> Result<(), TestCaseError> {
    let log = host.log.len();
    let outcomes = apply(host, plan);
    let changed: Vec<_> =
        outcomes.iter().filter(|(_, it)| **it != StepOutcome::Unchanged).collect();
    prop_assert!(changed.is_empty(), "{changed:#?}");
    prop_assert_eq!(&host.log[log..], &Vec::<String>::new()[..]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_then_planning_is_empty_from_nothing_and_from_anything_else(
        first in steps(),
        second in steps(),
    ) {
        let mut host = node();
        for steps in [&first, &second] {
            let plan = plan_of(steps);
            let before = state(&host);
            let told = converged(&mut host, &plan, Mode::DryRun);
            prop_assert_eq!(&state(&host), &before, "a dry run changes nothing");
            let outcomes = apply(&mut host, &plan);
            prop_assert!(outcomes.values().all(is_well) || refused(&outcomes), "{outcomes:#?}");
            if refused(&outcomes) { return Ok(()); }
            // Nothing happens that a dry run does not tell.
            for (id, outcome) in &outcomes {
                let told = told.iter().find(|it| it.id == *id && it.outcome != StepOutcome::Unchanged);
                prop_assert!(*outcome == StepOutcome::Unchanged || told.is_some(), "{id}");
            }
            all_unchanged(&mut host, &plan)?;
        }
    }

    #[test]
    fn dying_at_any_call_and_beginning_again_converges(steps in steps(), at in 0.0..1.0f64, after in any::<bool>()) {
        let plan = plan_of(&steps);
        let bare = node();
        let mut whole = bare.clone();
        apply(&mut whole, &plan);
        let calls = whole.calls - bare.calls;
        // Three places in the run, the last two in the run after the death.
        let mut host = bare.clone();
        for round in [at, at / 2.0] {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let call = (round * calls as f64) as usize;
            host.strike(call, if after { Strike::DieAfter } else { Strike::DieBefore });
            apply(&mut host, &plan);
            host.revive();
        }
        host.relent();
        let outcomes = apply(&mut host, &plan);
        prop_assert!(outcomes.values().all(is_well), "{outcomes:#?}");
        prop_assert_eq!(state(&host), state(&whole));
        all_unchanged(&mut host, &plan)?;
    }

    #[test]
    fn any_call_may_fail_before_or_after_the_deed(steps in steps(), at in 0.0..1.0f64, after in any::<bool>()) {
        let plan = plan_of(&steps);
        let bare = node();
        let mut whole = bare.clone();
        apply(&mut whole, &plan);
        let mut host = bare.clone();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let call = (at * (whole.calls - bare.calls) as f64) as usize;
        host.strike(call, if after { Strike::After(Cause::Timeout) } else { Strike::Before(Cause::Timeout) });
        apply(&mut host, &plan);
        host.relent();
        let outcomes = apply(&mut host, &plan);
        prop_assert!(outcomes.values().all(is_well), "{outcomes:#?}");
        prop_assert_eq!(state(&host), state(&whole));
        all_unchanged(&mut host, &plan)?;
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_no_secret(steps in steps()) {
        let run = || {
            let mut host = node();
            let plan = plan_of(&steps);
            let dry = converged(&mut host, &plan, Mode::DryRun);
            let reports = converged(&mut host, &plan, Mode::Apply);
            format!("{plan:?} {} {}", serde_json::to_string(&dry).unwrap(), serde_json::to_string(&reports).unwrap())
        };
        let text = run();
        prop_assert_eq!(&text, &run());
        prop_assert!(!text.contains(SECRET) && !text.contains("SWMTKN"));
    }
}

/// What a second role rightly cannot do to what a first has made: a network in
/// use, a directory where a file should be, a mount over what is there.
fn refused(outcomes: &BTreeMap<String, StepOutcome>) -> bool {
    let known = |outcome: &StepOutcome| match outcome {
        StepOutcome::Failed { error, .. } => {
            ["stands at", "is not mounted and holds"].iter().any(|text| error.contains(text))
        }
        _ => true,
    };
    outcomes.values().all(known)
        && outcomes.values().any(|it| matches!(it, StepOutcome::Failed { .. }))
}
