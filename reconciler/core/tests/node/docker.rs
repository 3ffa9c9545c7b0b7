//! Docker's objects: pins, watches, and drift that is and is not one.

use lyceum_core::node::report::StepOutcome;
use lyceum_testkit::{FakeDocker, FakeFile, FakeHost};
use serde_json::{Value, json};

use super::{apply, differences, dry_run, failure, is_well, leader, plan_of};

const HUB: &str = "
- {name: conf, file: {path: /etc/hub/hub.py, content: 'x = 1'}}
- {name: net, docker_network: {name: hub}}
- name: hub
  docker_service: {name: hub, image: 'q/hub:1', networks: [hub], env: {A: '1'}, watches: [conf]}";

fn force(host: &FakeHost) -> Value {
    host.machine.docker.spec("hub")["TaskTemplate"]["ForceUpdate"].clone()
}

#[test]
fn a_service_is_made_anew_when_what_it_watches_changed() {
    let (mut host, plan) = (leader(), plan_of(HUB));
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert_eq!(force(&host), 0, "what was just made is not made anew");
    let labels = "/TaskTemplate/ContainerSpec/Labels/lyceum.stamp";
    let stamp = host.machine.docker.spec("hub").pointer(labels).cloned();
    assert!(stamp.is_some());

    // Drift that is repaired: the specification stays the same.
    host.machine.put("/etc/hub/hub.py", FakeFile::file("x = 2"));
    let told = dry_run(&mut host, &plan);
    assert_eq!(differences(&told["r/hub"]), ["restart:  -> what it watches changed"]);
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert_eq!(force(&host), 1);
    assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));

    // A changed role, with the note of it lost.
    let plan = plan_of(&HUB.replace("x = 1", "x = 3"));
    host.machine.put("/etc/hub/hub.py", FakeFile::file("x = 3"));
    assert!(matches!(apply(&mut host, &plan)["r/hub"], StepOutcome::Changed { .. }));
    assert_ne!(host.machine.docker.spec("hub").pointer(labels).cloned(), stamp);
    assert!(host.machine.marks.is_empty());
}

#[test]
fn a_container_is_made_anew_when_what_it_watches_changed() {
    let steps = "
- {name: conf, file: {path: /etc/ship, content: x}}
- {name: ship, docker_container: {name: ship, image: 'q/ship:1', watches: [conf]}}";
    let mut host = leader();
    host.machine.docker.registry.insert("q/ship:1".into(), FakeDocker::digest("ship"));
    let plan = plan_of(steps);
    assert!(apply(&mut host, &plan).values().all(is_well));
    let first: Vec<String> = host.machine.docker.containers.keys().cloned().collect();
    host.machine.put("/etc/ship", FakeFile::file("drift"));
    assert!(apply(&mut host, &plan).values().all(is_well));
    let second: Vec<String> = host.machine.docker.containers.keys().cloned().collect();
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
    assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
}

#[test]
fn drift_says_what_differs_and_never_a_variable_nobody_has_set_here() {
    let (mut host, plan) = (leader(), plan_of(HUB));
    apply(&mut host, &plan);
    host.machine.docker.change_service("hub", |spec| {
        let container = &mut spec["TaskTemplate"]["ContainerSpec"];
        container["Env"] = json!(["A=2", "TOKEN=s3cret"]);
        container["Image"] = json!("q/hub:2");
        spec["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"] = json!(1024);
    });
    let told = differences(&dry_run(&mut host, &plan)["r/hub"]);
    assert_eq!(
        told,
        [
            "Env.A: (another) -> 1",
            "Env.TOKEN: (another) -> ",
            "Image: q/hub:2 -> q/hub:1",
            "Resources.Limits.MemoryBytes: 1024 -> ",
        ]
    );
}

#[test]
fn the_digest_docker_adds_is_no_drift_and_another_image_is() {
    let (mut host, plan) = (leader(), plan_of(HUB));
    apply(&mut host, &plan);
    let set = |host: &mut FakeHost, image: &str| {
        host.machine.docker.change_service("hub", |spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
        });
    };
    set(&mut host, &format!("q/hub:1@{}", FakeDocker::digest("hub")));
    assert_eq!(apply(&mut host, &plan)["r/hub"], StepOutcome::Unchanged);
    set(&mut host, &format!("q/hub:0@{}", FakeDocker::digest("hub")));
    assert!(matches!(apply(&mut host, &plan)["r/hub"], StepOutcome::Changed { .. }));
}

const PINNED: &str = "
- {name: image, docker_image: {image: 'q/hub:TAG', pin: hub-image, publish: true}}
- {name: hub, docker_service: {name: hub, image: 'q/hub:TAG', pin: hub-image}}";

#[test]
fn a_pinned_image_runs_by_its_digest_and_a_new_tag_converges() {
    let mut host = leader();
    host.machine.parameters.insert("/lyceum/geo-101/hub-image".into(), "none".into());
    for tag in ["1", "2"] {
        host.machine.docker.registry.insert(format!("q/hub:{tag}"), FakeDocker::digest(tag));
        let plan = plan_of(&PINNED.replace("TAG", tag));
        let outcomes = apply(&mut host, &plan);
        assert!(outcomes.values().all(is_well), "{outcomes:#?}");
        let image = format!("q/hub@{}", FakeDocker::digest(tag));
        assert_eq!(
            host.machine.docker.spec("hub")["TaskTemplate"]["ContainerSpec"]["Image"],
            image
        );
        assert!(host.machine.docker.images.contains(&image));
    }
    // The same tag with another content stays what was published.
    host.machine.docker.registry.insert("q/hub:2".into(), FakeDocker::digest("moved"));
    let plan = plan_of(&PINNED.replace("TAG", "2"));
    assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
}

#[test]
fn who_does_not_publish_waits_for_who_does() {
    let plan = plan_of("- {name: image, docker_image: {image: 'q/hub:2', pin: hub-image}}");
    let mut host = leader();
    let name = "/lyceum/geo-101/hub-image".to_string();
    host.machine.parameters.insert(name.clone(), "none".into());
    let (error, hint) = failure(&apply(&mut host, &plan), "r/image");
    assert_eq!(error, format!("the parameter {name} has no value"));
    assert!(hint.contains("has not done so yet"), "{hint}");
    let old = format!("q/hub:1 {}", FakeDocker::digest("1"));
    host.machine.parameters.insert(name.clone(), old);
    let (error, _) = failure(&apply(&mut host, &plan), "r/image");
    assert_eq!(error, format!("{name} has the digest of q/hub:1, not yet of q/hub:2"));
    host.machine.parameters.insert(name.clone(), "nonsense".into());
    assert!(failure(&apply(&mut host, &plan), "r/image").0.contains("holds no image and digest"));
}

#[test]
fn an_image_that_is_a_digest_is_published_as_it_is() {
    let mut host = leader();
    let name = "/lyceum/geo-101/hub-image".to_string();
    host.machine.parameters.insert(name.clone(), "none".into());
    let image = format!("q/hub@{}", FakeDocker::digest("1"));
    host.machine.docker.registry.insert(image.clone(), FakeDocker::digest("1"));
    let plan = plan_of(&PINNED.replace("q/hub:TAG", &image));
    assert!(apply(&mut host, &plan).values().all(is_well));
    let line = format!("{image} {}", FakeDocker::digest("1"));
    assert_eq!(host.machine.parameters[&name], line);
    assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
    // Somebody wrote another behind it.
    let other = format!("{image} {}", FakeDocker::digest("other"));
    host.machine.parameters.insert(name.clone(), other);
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert_eq!(host.machine.parameters[&name], line);
}

#[test]
fn who_is_still_to_be_what_it_was_finds_its_digest_beside_the_new_one() {
    let mut host = leader();
    let name = "/lyceum/geo-101/hub-image".to_string();
    host.machine.parameters.insert(name.clone(), "none".into());
    let old = plan_of(
        "
- {name: image, docker_image: {image: 'q/hub:1', pin: hub-image}}
- {name: file, file: {path: /etc/kept, content: '@{image}', images: {image: 'q/hub:1'}, pin: hub-image}}",
    );
    for tag in 1..=6 {
        let image = format!("q/hub:{tag}");
        host.machine.docker.registry.insert(image, FakeDocker::digest(&tag.to_string()));
        let plan = plan_of(&PINNED.replace("TAG", &tag.to_string()));
        assert!(apply(&mut host, &plan).values().all(is_well));
        let outcomes = apply(&mut host, &old);
        if tag == 1 {
            assert!(outcomes.values().all(is_well), "{outcomes:#?}");
        } else if tag < 6 {
            assert!(outcomes.values().all(|it| *it == StepOutcome::Unchanged), "{outcomes:#?}");
        } else {
            // Five are kept.
            assert!(failure(&outcomes, "r/image").0.contains("not yet of q/hub:1"));
        }
    }
    let one = FakeDocker::digest("1");
    assert_eq!(host.machine.text("/etc/kept"), format!("q/hub@{one}"));
    let lines: Vec<&str> = host.machine.parameters[&name].lines().collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (5, format!("q/hub:6 {}", FakeDocker::digest("6")).as_str())
    );
    // Back to one that was published: to what it was then.
    host.machine.docker.registry.insert("q/hub:3".into(), FakeDocker::digest("moved"));
    assert!(apply(&mut host, &plan_of(&PINNED.replace("TAG", "3"))).values().all(is_well));
    let back = format!("q/hub:3 {}", FakeDocker::digest("3"));
    assert_eq!(host.machine.parameters[&name].lines().next(), Some(back.as_str()));
}

#[test]
fn a_digest_that_cannot_be_pulled_is_published_to_nobody() {
    let mut host = leader();
    let name = "/lyceum/geo-101/hub-image".to_string();
    host.machine.parameters.insert(name.clone(), "none".into());
    host.machine.docker.registry.insert("q/hub:1".into(), FakeDocker::digest("1"));
    host.refuse("pull_image", lyceum_core::node::host::Cause::Unreachable);
    let plan = plan_of(&PINNED.replace("TAG", "1"));
    let outcomes = apply(&mut host, &plan);
    assert!(failure(&outcomes, "r/image").0.contains("pull_image"));
    assert_eq!(outcomes["r/hub"], StepOutcome::Blocked { on: "r/image".into() });
    assert_eq!(host.machine.parameters[&name], "none");
}

#[test]
fn a_network_in_use_is_not_torn_from_under_its_service() {
    let (mut host, plan) = (leader(), plan_of(HUB));
    apply(&mut host, &plan);
    let changed = plan_of(&HUB.replace("{name: hub}}", "{name: hub, internal: true}}"));
    let outcomes = apply(&mut host, &changed);
    let (error, hint) = failure(&outcomes, "r/net");
    assert!(error.contains("in use") && hint.contains("another name"), "{error} {hint}");
    assert_eq!(host.machine.docker.services.len(), 1);
}

#[test]
fn a_service_or_container_that_should_not_be_goes() {
    let (mut host, plan) = (leader(), plan_of(HUB));
    apply(&mut host, &plan);
    host.machine.docker.containers.insert("c".into(), json!({"Name": "/old"}));
    let plan = plan_of(
        "- {name: hub, docker_service: {name: hub, absent: true}}\n- {name: old, docker_container: {name: old, absent: true}}",
    );
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert!(host.machine.docker.services.is_empty() && host.machine.docker.containers.is_empty());
    assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
}
