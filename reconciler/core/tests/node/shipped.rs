//! The roles that ship, on machines in memory: the hub, then a worker of it.

use std::time::Instant;

use lyceum_core::manifest::cluster::ClusterSpec;
use lyceum_core::node::converge::{Mode, check};
use lyceum_core::node::host::{Ended, Program};
use lyceum_core::node::plan::NodePlan;
use lyceum_core::node::report::StepOutcome;
use lyceum_core::node::step::Action;
use lyceum_testkit::{
    FakeDocker, FakeFile, FakeHost, FakePackage, FakeUnit, Machine, Strike, converged,
};

use super::{apply, dry_run, facts, is_well};
use crate::cookbooks::{dummy, github, hub, worker};

const SECRET: &str = "gh-client-secret-4711";
const IMAGE_PARAMETER: &str = "/lyceum/geo-101/notebook-image";
const TOKEN_PARAMETER: &str = "/lyceum/geo-101/swarm-join-token";
/// A place in some hundred calls, so that every kind of call is struck.
const EVERY: usize = 37;

/// A Debian whose repositories have what a plan asks for, and whose programs
/// do what the roles expect of them.
fn node(plan: &NodePlan, address: &str) -> FakeHost {
    let mut known = facts();
    known.private_ip = address.into();
    let mut host = FakeHost::new(known);
    let machine = &mut host.machine;
    for step in &plan.steps {
        let Action::Package(package) = &step.action else { continue };
        for name in &package.install {
            let units: &[&str] = match name.as_str() {
                "docker.io" => &["docker.service"],
                "nginx" => &["nginx.service"],
                "chrony" => &["chrony.service"],
                "openssh-server" => &["ssh.service"],
                _ => &[],
            };
            machine.available.insert(name.clone(), FakePackage::with_units("1.0", units));
        }
    }
    for unit in ["systemd-journald.service", "apt-daily.timer", "apt-daily-upgrade.timer"] {
        let unit = (unit.into(), FakeUnit { shipped: true, active: true, ..FakeUnit::default() });
        machine.units.extend([unit]);
    }
    machine.devices.insert("/dev/sdf".into(), ("/dev/nvme1n1".into(), String::new()));
    machine.sysctls.insert("kernel.osrelease".into(), "6.1.0-18".into());
    for step in &plan.steps {
        if let Action::Sysctl(sysctl) = &step.action {
            for key in sysctl.values.keys() {
                machine.sysctls.entry(key.clone()).or_default();
            }
        }
    }
    for (name, value) in [
        (IMAGE_PARAMETER, "none"),
        (TOKEN_PARAMETER, "none"),
        ("/lyceum/geo-101/oauth-client-secret", SECRET),
        ("/lyceum/geo-101/trial-password", SECRET),
    ] {
        machine.parameters.insert(name.into(), value.into());
    }
    for step in &plan.steps {
        if let Action::DockerImage(image) = &step.action {
            machine.docker.registry.insert(image.image.clone(), FakeDocker::digest("notebook"));
        }
    }
    host.program("*", program);
    host
}

/// Programs that matter to guards; whatever else is run succeeds.
fn program(machine: &mut Machine, program: &Program) -> Ended {
    let words: Vec<&str> = program.argv.iter().map(String::as_str).collect();
    let code = match words[..] {
        ["install", "-d", .., path] => {
            machine.put(path, FakeFile::directory());
            0
        }
        ["sh", script, path] if script.ends_with("make-secret") => {
            machine.put(path, FakeFile::file("made here"));
            0
        }
        ["sh", script, path, from] if script.ends_with("make-secret") => {
            let content = machine.text(from);
            machine.put(path, FakeFile::file(&content));
            0
        }
        ["sh", script] if script.ends_with("image-is-here") => {
            let kept = machine.text("/etc/lyceum/kept-images/worker");
            let is_here = |line: &str| machine.docker.images.contains(line);
            i32::from(!kept.lines().all(is_here))
        }
        ["test", "-s", path] => i32::from(machine.text(path).is_empty()),
        _ => 0,
    };
    Ended { code, output: String::new() }
}

fn settled(name: &str, host: &mut FakeHost, plan: &NodePlan) {
    let bad: Vec<_> = apply(host, plan).into_iter().filter(|(_, it)| !is_well(it)).collect();
    assert!(bad.is_empty(), "{name}: {bad:#?}");
    let log = host.log.len();
    let again = apply(host, plan);
    let changed: Vec<_> = again.iter().filter(|(_, it)| **it != StepOutcome::Unchanged).collect();
    assert!(changed.is_empty(), "{name}: {changed:#?}");
    assert_eq!(host.log[log..], [] as [String; 0], "{name}");
}

/// A worker that sees what a hub has published.
fn worker_of(hub: &FakeHost, plan: &NodePlan) -> FakeHost {
    let mut host = node(plan, "10.20.0.11");
    host.machine.parameters = hub.machine.parameters.clone();
    host.machine.swarms = hub.machine.swarms.clone();
    host
}

fn hub_and_worker() -> [(FakeHost, NodePlan); 2] {
    hub_and_worker_with(github)
}

fn hub_and_worker_with(change: impl Fn(&mut ClusterSpec)) -> [(FakeHost, NodePlan); 2] {
    let (hub_plan, worker_plan) = (hub("debian-12", &change), worker("debian-12", &change));
    let mut hub = node(&hub_plan, "10.20.0.10");
    settled("hub", &mut hub, &hub_plan);
    let mut worker = worker_of(&hub, &worker_plan);
    settled("worker", &mut worker, &worker_plan);
    [(hub, hub_plan), (worker, worker_plan)]
}

#[test]
fn the_hub_and_its_worker_converge_from_bare_machines() {
    let [(hub, _), (worker, _)] = hub_and_worker();
    let spec = hub.machine.docker.spec("hub");
    assert_eq!(spec["TaskTemplate"]["Placement"]["Constraints"][0], "node.role == manager");
    let digest = FakeDocker::digest("notebook");
    assert!(hub.machine.parameters[IMAGE_PARAMETER].ends_with(&digest));
    assert!(worker.machine.docker.images.iter().any(|image| image.ends_with(&digest)));
    let leader = &worker.machine.swarms["10.20.0.10"];
    let member = leader.members.iter().find(|it| it.role == "worker").unwrap();
    assert_eq!(member.availability, "pause", "it takes no work before it reports itself ready");
    assert!(worker.machine.mounts.contains_key("/srv/homes"));
}

#[test]
fn with_an_image_by_digest_hub_and_worker_converge() {
    let image = format!("registry.example.edu/notebook@{}", FakeDocker::digest("notebook"));
    let by_digest = |spec: &mut ClusterSpec| {
        github(spec);
        spec.jupyter.image = image.clone();
    };
    let [(hub, _), (worker, _)] = hub_and_worker_with(by_digest);
    let digest = FakeDocker::digest("notebook");
    assert_eq!(hub.machine.parameters[IMAGE_PARAMETER], format!("{image} {digest}"));
    assert_eq!(hub.machine.text("/etc/jupyterhub/notebook-image").trim(), image);
    assert_eq!(worker.machine.text("/etc/lyceum/kept-images/worker").trim(), image);
}

/// Law 6: a new image reaches the workers wave by wave, and nobody else is told
/// to pause.
#[test]
fn workers_whose_turn_has_not_come_stay_ready_when_the_hub_publishes_a_new_image() {
    let with = |image: &'static str| {
        move |spec: &mut ClusterSpec| {
            github(spec);
            spec.jupyter.image = image.into();
        }
    };
    let (old, new) = ("registry.example.edu/notebook:1", "registry.example.edu/notebook:2");
    let [(mut hub_host, _), (mut host, old_plan)] = hub_and_worker_with(with(old));
    let digest = FakeDocker::digest("another");
    for host in [&mut hub_host, &mut host] {
        host.machine.docker.registry.insert(new.into(), digest.clone());
    }
    settled("hub with the new image", &mut hub_host, &hub("debian-12", with(new)));
    let given = format!("registry.example.edu/notebook@{digest}\n");
    assert_eq!(hub_host.machine.text("/etc/jupyterhub/notebook-image"), given);

    host.machine.parameters = hub_host.machine.parameters.clone();
    let outcomes = apply(&mut host, &old_plan);
    assert!(outcomes.values().all(|it| *it == StepOutcome::Unchanged), "{outcomes:#?}");
    let checks = check(&old_plan, &mut host);
    let image = checks.iter().find(|it| it.id == "swarm-worker/image-is-here").unwrap();
    assert!(image.holds, "{image:?}");

    // Its turn.
    let new_plan = worker("debian-12", with(new));
    settled("worker with the new image", &mut host, &new_plan);
    assert_eq!(host.machine.text("/etc/lyceum/kept-images/worker"), given);
    // And back.
    settled("hub with the old image", &mut hub_host, &hub("debian-12", with(old)));
    host.machine.parameters = hub_host.machine.parameters.clone();
    assert!(apply(&mut host, &new_plan).values().all(is_well));
    settled("worker with the old image", &mut host, &old_plan);
}

#[test]
fn a_replaced_hub_takes_its_swarm_up_from_the_volume() {
    let [(old, plan), _] = hub_and_worker();
    let mut hub = node(&plan, "10.20.0.10");
    hub.machine.parameters = old.machine.parameters.clone();
    hub.machine.swarms = old.machine.swarms.clone();
    hub.machine.devices.clone_from(&old.machine.devices);
    // What outlives an instance is on the volume and the file system.
    let kept = old.machine.files.iter().filter(|(path, _)| path.starts_with("on "));
    hub.machine.files.extend(kept.map(|(path, file)| (path.clone(), file.clone())));
    settled("the hub in its place", &mut hub, &plan);
    assert_eq!(hub.machine.docker.swarm, old.machine.docker.swarm);
    assert_eq!(hub.machine.swarms, old.machine.swarms);
    assert_eq!(hub.machine.parameters, old.machine.parameters);
    let began = hub.log.iter().filter(|call| call.starts_with("swarm_init")).count();
    assert_eq!(began, 0, "{:?}", hub.log);
}

#[test]
fn however_users_sign_in_the_hub_converges() {
    for change in [dummy, |_: &mut ClusterSpec| {}] {
        let plan = hub("debian-12", change);
        let mut host = node(&plan, "10.20.0.10");
        settled("hub", &mut host, &plan);
    }
}

#[test]
fn a_dry_run_on_bare_machines_tells_all_and_fails_in_nothing() {
    for plan in [hub("debian-12", github), worker("debian-12", github)] {
        let mut host = node(&plan, "10.20.0.10");
        let told = dry_run(&mut host, &plan);
        let failed: Vec<_> = told
            .iter()
            .filter(|(_, it)| {
                matches!(it, StepOutcome::Failed { .. } | StepOutcome::Blocked { .. })
            })
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}

#[test]
fn killed_at_any_call_hub_and_worker_converge() {
    let [(whole_hub, hub_plan), (_, worker_plan)] = hub_and_worker();
    let hub_host = node(&hub_plan, "10.20.0.10");
    let worker_host = worker_of(&whole_hub, &worker_plan);
    for (name, bare, plan) in [("hub", hub_host, hub_plan), ("worker", worker_host, worker_plan)] {
        let mut whole = bare.clone();
        apply(&mut whole, &plan);
        let calls = whole.calls - bare.calls;
        for (round, call) in (0..calls).step_by(EVERY).enumerate() {
            let mut host = bare.clone();
            let strike = if round % 2 == 0 { Strike::DieBefore } else { Strike::DieAfter };
            host.strike(call, strike);
            apply(&mut host, &plan);
            assert!(host.is_dead(), "{name}: {call} of {calls}");
            host.revive();
            settled(&format!("{name}, killed at {call}"), &mut host, &plan);
        }
    }
}

#[test]
fn no_secret_of_a_hub_is_said() {
    let plan = hub("debian-12", github);
    let mut host = node(&plan, "10.20.0.10");
    let mut said = String::new();
    for mode in [Mode::DryRun, Mode::Apply, Mode::Apply] {
        said.push_str(&serde_json::to_string(&converged(&mut host, &plan, mode)).unwrap());
    }
    let token = host.machine.parameters[TOKEN_PARAMETER].clone();
    assert!(token.starts_with("SWMTKN-1-"));
    assert!(!said.contains(SECRET) && !said.contains(&token));
    assert!(host.machine.text("/etc/jupyterhub/secrets/client-secret").contains(SECRET));
}

#[test]
fn a_worker_that_is_as_it_should_be_costs_little() {
    let [_, (mut host, _)] = hub_and_worker();
    // Reading the roles from the disk is the bundle's affair.
    let begun = Instant::now();
    let plan = worker("debian-12", github);
    let planned = begun.elapsed();
    let begun = Instant::now();
    let rounds = 10;
    for _ in 0..rounds {
        converged(&mut host, &plan, Mode::Apply);
    }
    let each = begun.elapsed() / rounds;
    println!("{} steps: planned in {planned:?}, converged in {each:?}", plan.steps.len());
    assert!(each.as_millis() < 150, "{each:?}");
}
