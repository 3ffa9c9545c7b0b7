//! The order of deeds, what a failure takes with it, restarts, and what is said.

use std::time::Instant;

use lyceum_core::node::converge::{Mode, converge};
use lyceum_core::node::host::{Cause, Ended};
use lyceum_core::node::plan::NodePlan;
use lyceum_core::node::report::StepOutcome;
use lyceum_testkit::{FakeFile, FakeHost, Strike, Watching, converged, facts, planned, role};

use super::{apply, bare, differences, dry_run, failure, is_well, leader, plan_of, with_docker};

const SITE: &str = "
- {name: nginx, package: {install: [nginx]}}
- {name: site, file: {path: /etc/nginx/site, content: '{{ node.zone }}'}}
- {name: extra, file: {path: /etc/nginx/extra, content: x}}
- {name: run, service: {unit: nginx.service, watches: [site, extra]}}
- {name: last, file: {path: /etc/last, content: x}}";

fn starts(host: &FakeHost) -> u32 {
    host.machine.units["nginx.service"].starts
}

/// Converged once, so that everything runs.
fn running() -> (FakeHost, NodePlan) {
    let (mut host, plan) = (bare(), plan_of(SITE));
    assert!(apply(&mut host, &plan).values().all(is_well));
    host.log.clear();
    (host, plan)
}

#[test]
fn a_failure_names_step_cause_and_way_out_and_stops_nothing_else() {
    let plan = plan_of(
        "
- {name: missing, package: {install: [no-such-package]}}
- {name: below, needs: [missing], file: {path: /etc/a, content: x}}
- {name: further, needs: [below], file: {path: /etc/b, content: x}}
- {name: other, file: {path: /etc/c, content: x}}",
    );
    let mut host = bare();
    let outcomes = apply(&mut host, &plan);
    let (error, hint) = failure(&outcomes, "r/missing");
    assert!(error.contains("Unable to locate package no-such-package"), "{error}");
    assert!(hint.contains("check the name"), "{hint}");
    let blocked = StepOutcome::Blocked { on: "r/missing".into() };
    assert_eq!((&outcomes["r/below"], &outcomes["r/further"]), (&blocked, &blocked));
    assert!(matches!(outcomes["r/other"], StepOutcome::Changed { .. }));
}

#[test]
fn a_full_disk_an_unreachable_registry_and_a_missing_package_say_so() {
    let plan = plan_of(
        "
- {name: big, file: {path: /etc/big, content: x}}
- {name: image, docker_image: {image: 'r/i:1', pin: i, publish: true}}
- {name: pkg, package: {install: [curl]}}
- {name: set, sysctl: {values: {vm.swappiness: '60'}}}
- {name: group, group: {name: staff}}",
    );
    let mut host = with_docker();
    host.machine.parameters.insert("/lyceum/geo-101/i".into(), "none".into());
    host.machine.disk_full = true;
    host.refuse("resolve_image", Cause::Unreachable);
    let outcomes = apply(&mut host, &plan);
    let (error, hint) = failure(&outcomes, "r/big");
    assert!(error.contains("No space left") && hint.contains("free space"), "{error} {hint}");
    assert!(failure(&outcomes, "r/pkg").0.contains("No space left"));
    let (error, hint) = failure(&outcomes, "r/image");
    assert!(error.contains("resolve_image r/i:1") && hint.contains("network"), "{error} {hint}");
    assert!(matches!(outcomes["r/group"], StepOutcome::Changed { .. }));
    host.machine.disk_full = false;
    host.machine.docker.registry.insert("r/i:1".into(), lyceum_testkit::FakeDocker::digest("i"));
    host.relent();
    assert!(apply(&mut host, &plan).values().all(is_well));
}

#[test]
fn nothing_after_a_mount_runs_while_it_is_not_there() {
    let plan = plan_of(
        "
- {name: before, file: {path: /etc/before, content: x}}
- {name: homes, mount: {path: /srv/homes, type: efs, source: fs-0123}}
- {name: user, directory: {path: /srv/homes/ada}}
- {name: after, file: {path: /etc/after, content: x}}",
    );
    let mut host = bare();
    host.refuse("mount /srv/homes", Cause::Timeout);
    let outcomes = apply(&mut host, &plan);
    assert!(is_well(&outcomes["r/before"]));
    for id in ["r/user", "r/after"] {
        assert_eq!(outcomes[id], StepOutcome::Blocked { on: "r/homes".into() });
    }
    assert!(host.machine.at("/srv/homes/ada").is_none());
    let point = host.machine.at("/srv/homes").unwrap();
    assert_eq!(point.access.mode, 0, "the bare mount point lets nobody in");
    host.relent();
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert!(host.machine.files.contains_key("on fs-0123|/ada"), "it is on the file system");
}

#[test]
fn what_lies_below_an_unmounted_path_is_never_hidden() {
    let plan = plan_of("- {name: homes, mount: {path: /srv/homes, type: efs, source: fs-0123}}");
    let mut host = bare();
    host.machine.put("/srv/homes/ada/thesis.tex", FakeFile::file("x"));
    let (error, hint) = failure(&apply(&mut host, &plan), "r/homes");
    assert_eq!(error, "/srv/homes is not mounted and holds 1 entries: ada");
    assert!(hint.contains("move what is of use away"), "{hint}");
    assert!(host.machine.mounts.is_empty());
}

#[test]
fn docker_does_not_start_on_an_unmounted_path_and_mounts_come_back_at_boot() {
    let plan = plan_of(
        "
- {name: docker, package: {install: [docker.io]}}
- {name: dockerd, service: {unit: docker.service}}
- {name: homes, mount: {path: /srv/homes, type: efs, source: fs-0123}}
- {name: net, sysctl: {values: {net.ipv4.ip_forward: '1'}}}
- {name: module, kernel_module: {name: br_netfilter}}",
    );
    let mut host = bare();
    assert!(apply(&mut host, &plan).values().all(is_well));
    host.machine.reboot();
    assert!(host.machine.mounts.contains_key("/srv/homes"));
    assert!(host.machine.units["docker.service"].active);
    let again = apply(&mut host, &plan);
    assert!(again.values().all(|it| *it == StepOutcome::Unchanged), "{again:#?}");

    host.machine.broken_units.insert("srv-homes.mount".into());
    host.machine.reboot();
    assert!(!host.machine.mounts.contains_key("/srv/homes"));
    assert!(!host.machine.units["docker.service"].active, "nothing writes to the bare directory");
    host.machine.broken_units.clear();
    assert!(apply(&mut host, &plan).values().all(is_well), "the agent mounts, then starts Docker");
    assert!(host.machine.units["docker.service"].active);
}

#[test]
fn a_service_restarts_once_at_the_end_when_what_it_watches_changed() {
    let (mut host, plan) = running();
    let before = starts(&host);
    host.machine.put("/etc/nginx/site", FakeFile::file("drift"));
    host.machine.put("/etc/nginx/extra", FakeFile::file("drift"));
    host.machine.take("/etc/last");
    let outcomes = apply(&mut host, &plan);
    assert_eq!(starts(&host), before + 1);
    assert_eq!(differences(&outcomes["r/run"]), ["restart:  -> r/extra, r/site changed"]);
    let place = |name: &str| host.log.iter().position(|it| it == name).unwrap();
    assert!(place("restart nginx.service") > place("commit /etc/last"), "{:?}", host.log);
    assert!(place("mark stale.r.run") < place("stage /etc/nginx/extra"));
    assert!(host.machine.marks.is_empty());
    assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
    assert_eq!(starts(&host), before + 1);
}

#[test]
fn what_is_started_with_all_it_watches_in_place_is_not_restarted() {
    let steps = "
- {name: unit, unit: {name: hub.service, content: a}}
- {name: conf, file: {path: /etc/hub, content: b}}
- {name: run, service: {unit: hub.service, watches: [unit, conf]}}";
    let mut host = bare();
    assert!(apply(&mut host, &plan_of(steps)).values().all(is_well));
    assert_eq!(host.machine.units["hub.service"].starts, 1);
    assert!(host.machine.marks.is_empty());
    // Installing starts it on Debian: with what was there before.
    let (host, _) = running();
    assert_eq!(starts(&host), 2);
}

#[test]
fn a_restart_outlives_the_agent() {
    let (mut host, plan) = running();
    host.machine.put("/etc/nginx/site", FakeFile::file("drift"));
    // The agent dies right after the file is in its place.
    let mut probe = host.clone();
    apply(&mut probe, &plan);
    let before = starts(&host);
    for call in 0..(probe.calls - host.calls) {
        let mut host = host.clone();
        host.strike(call, Strike::DieAfter);
        apply(&mut host, &plan);
        assert!(host.is_dead());
        host.revive();
        let outcomes = apply(&mut host, &plan);
        assert!(outcomes.values().all(is_well), "{call}: {outcomes:#?}");
        assert!((1..=2).contains(&(starts(&host) - before)), "{call}: {} starts", starts(&host));
        assert!(host.machine.marks.is_empty(), "{call}");
    }
}

#[test]
fn a_dry_run_tells_of_restarts_and_makes_none() {
    let (mut host, plan) = running();
    host.machine.put("/etc/nginx/site", FakeFile::file("drift"));
    let before = starts(&host);
    let outcomes = dry_run(&mut host, &plan);
    assert_eq!(differences(&outcomes["r/run"]), ["restart:  -> r/site changed"]);
    assert!(matches!(outcomes["r/run"], StepOutcome::Would { .. }));
    assert_eq!(starts(&host), before);
}

#[test]
fn what_can_reload_is_reloaded_and_what_should_not_run_is_left() {
    let steps = SITE.replace("watches:", "reload: true, watches:");
    let mut host = bare();
    let plan = plan_of(&steps);
    apply(&mut host, &plan);
    let reloads = |host: &FakeHost| host.machine.units["nginx.service"].reloads;
    let before = reloads(&host);
    host.machine.put("/etc/nginx/site", FakeFile::file("drift"));
    assert_eq!(differences(&apply(&mut host, &plan)["r/run"]), ["reload:  -> r/site changed"]);
    assert_eq!((starts(&host), reloads(&host)), (1, before + 1));

    let plan = plan_of(&SITE.replace("watches:", "running: false, enabled: false, watches:"));
    apply(&mut host, &plan);
    host.machine.put("/etc/nginx/site", FakeFile::file("drift"));
    apply(&mut host, &plan);
    assert!(!host.machine.units["nginx.service"].active && host.machine.marks.is_empty());
}

#[test]
fn a_restart_that_fails_is_the_services_failure_and_is_tried_again() {
    let (mut host, plan) = running();
    host.machine.put("/etc/nginx/site", FakeFile::file("drift"));
    host.machine.broken_units.insert("nginx.service".into());
    let (error, _) = failure(&apply(&mut host, &plan), "r/run");
    assert!(error.contains("the end of its log"), "{error}");
    host.machine.broken_units.clear();
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert!(host.machine.units["nginx.service"].active && host.machine.marks.is_empty());
}

#[test]
fn what_is_set_back_at_once_has_failed() {
    let plan = plan_of("- {name: c, command: {run: [does-nothing], unless: {exists: /etc/c}}}");
    let mut host = bare();
    host.program("does-nothing", |_, _| Ended::default());
    let (error, hint) = failure(&apply(&mut host, &plan), "r/c");
    assert!(error.contains("it still differs after it was applied: run is ``"), "{error}");
    assert!(hint.contains("something else sets it back"), "{hint}");
}

#[test]
fn a_dry_run_from_nothing_says_what_would_happen_and_what_cannot_be_told() {
    let plan = plan_of(
        "
- {name: docker, package: {install: [docker.io]}}
- {name: dockerd, service: {unit: docker.service}}
- {name: swarm, swarm: {part: leader}}
- {name: net, docker_network: {name: hub}}
- {name: hub, docker_service: {name: hub, image: i, networks: [hub]}}
- {name: secret, file: {path: /etc/s, content: '@{k}', parameters: {k: never-set}}}",
    );
    let outcomes = dry_run(&mut bare(), &plan);
    let told = differences(&outcomes["r/swarm"]);
    assert_eq!(told, ["state:  -> cannot be told before r/dockerd is done"]);
    assert_eq!(differences(&outcomes["r/docker"]), ["docker.io:  -> installed"]);
    // A mistake is no matter of order.
    assert!(matches!(outcomes["r/secret"], StepOutcome::Failed { .. }), "{outcomes:#?}");
}

const KEY: &str = "sk-live-0123456789";

#[test]
fn a_secret_is_in_no_report_whatever_fails() {
    let plan = plan_of(
        "
- {name: conf, file: {path: /etc/conf, mode: '0600', content: \"a=1\\nkey=@{key}\\n\", parameters: {key: github}, validate: [check-conf, '{}']}}
- {name: motd, file: {path: /etc/motd, content: x}}
- {name: cmd, needs: [conf], command: {run: [show-conf], unless: {exists: /never}}}
- {name: token, parameter: {name: worker-token, from: swarm-worker-token}}
- {name: join, swarm: {part: leader, labels: {a: b}}}",
    );
    let mut host = leader();
    for (name, value) in [("github", KEY), ("worker-token", "none")] {
        host.machine.parameters.insert(format!("/lyceum/geo-101/{name}"), value.into());
    }
    host.program("check-conf", |machine, program| Ended {
        code: i32::from(machine.marks.contains("refuse")),
        output: machine.text(&program.argv[1]),
    });
    host.program("show-conf", |machine, _| Ended { code: 1, output: machine.text("/etc/conf") });
    let token = host.machine.swarms.values().next().unwrap().token("worker");
    let mut seen = String::new();
    let mut look = |host: &mut FakeHost, mode| {
        let mut watching = Watching::default();
        let facts = host.machine.facts.clone();
        let reports = converge(&plan, &facts, host, &mut watching, mode);
        seen.push_str(&format!(
            "{reports:?} {} {watching:?}",
            serde_json::to_string(&reports).unwrap()
        ));
        by_outcome(&reports)
    };
    look(&mut host, Mode::DryRun);
    host.machine.marks.insert("refuse".into());
    assert_eq!(look(&mut host, Mode::Apply)[0], "failed", "refused by its program");
    host.machine.marks.remove("refuse");
    let outcomes = look(&mut host, Mode::Apply);
    assert_eq!(outcomes[..1], ["changed"]);
    assert!(host.machine.text("/etc/conf").contains(KEY), "it is where it belongs");
    assert_eq!(host.machine.parameters["/lyceum/geo-101/worker-token"], token);
    host.machine.put("/etc/conf", FakeFile::file(&format!("a=2\nkey={KEY}\n")));
    look(&mut host, Mode::DryRun);
    look(&mut host, Mode::Apply);
    // A host that talks too much.
    host.refuse("stage /etc/conf", Cause::Failed);
    host.machine.take("/etc/conf");
    look(&mut host, Mode::Apply);
    assert!(seen.contains("(not shown)") && seen.contains("show-conf"), "{seen}");
    for secret in [KEY, token.as_str()] {
        assert!(!seen.contains(secret), "{seen}");
    }
    // Neither the plan nor the log has it.
    assert!(!format!("{plan:?}").contains(KEY) && !format!("{:?}", host.log).contains(KEY));
}

fn by_outcome(reports: &[lyceum_core::node::report::StepReport]) -> Vec<&'static str> {
    let word = |outcome: &StepOutcome| match outcome {
        StepOutcome::Unchanged => "unchanged",
        StepOutcome::Changed { .. } => "changed",
        StepOutcome::Would { .. } => "would",
        StepOutcome::Failed { .. } => "failed",
        StepOutcome::Blocked { .. } => "blocked",
    };
    reports.iter().map(|report| word(&report.outcome)).collect()
}

#[test]
fn what_a_program_says_of_a_secret_is_blotted_out() {
    let plan = plan_of(
        "
- {name: conf, file: {path: /etc/conf, content: '@{key}', parameters: {key: github}}}
- {name: cmd, command: {run: [show-conf], unless: {exists: /never}}}",
    );
    let mut host = bare();
    host.machine.parameters.insert("/lyceum/geo-101/github".into(), KEY.into());
    host.program("show-conf", |machine, _| Ended { code: 1, output: machine.text("/etc/conf") });
    let (error, _) = failure(&apply(&mut host, &plan), "r/cmd");
    assert!(error.contains("ended with 1: (confidential)"), "{error}");
}

#[test]
fn a_changed_text_is_shown_as_a_diff_and_a_confidential_one_is_not() {
    let steps = "- {name: a, file: {path: /etc/a, content: \"one\\ntwo\\nthree\\n\"}}";
    let plan = plan_of(steps);
    let mut host = bare();
    host.machine.put("/etc/a", FakeFile::file("one\n2\nthree\n"));
    let told = differences(&dry_run(&mut host, &plan)["r/a"]).join("\n");
    assert!(told.contains("\n one\n-2\n+two\n three\n"), "{told}");
    let plan = plan_of(&steps.replace("path:", "confidential: true, path:"));
    let told = differences(&dry_run(&mut host, &plan)["r/a"]);
    assert_eq!(told, ["content: (not shown) -> (not shown)"]);
}

#[test]
fn a_file_its_program_refuses_never_gets_into_place() {
    let plan =
        plan_of("- {name: a, file: {path: /etc/a, content: new, validate: [nginx, -t, '{}']}}");
    let mut host = bare();
    host.machine.put("/etc/a", FakeFile::file("old"));
    host.program("nginx", |machine, program| Ended {
        code: i32::from(machine.text(&program.argv[2]) == "new"),
        output: "unexpected end of file".into(),
    });
    let (error, hint) = failure(&apply(&mut host, &plan), "r/a");
    assert_eq!(error, "`nginx -t {}` refuses the new /etc/a: unexpected end of file");
    assert!(hint.contains("stays in place"), "{hint}");
    assert_eq!(host.machine.text("/etc/a"), "old");
    assert!(host.machine.at("/etc/a.staged").is_none());
}

#[test]
fn all_packages_are_asked_for_at_once() {
    let steps: String = ["nginx", "curl", "chrony"]
        .iter()
        .map(|name| format!("- {{name: {name}, package: {{install: [{name}]}}}}\n"))
        .collect();
    let plan = plan_of(&steps);
    let mut host = bare();
    apply(&mut host, &plan);
    let before = host.calls;
    apply(&mut host, &plan);
    assert_eq!(host.calls - before, 1);
}

#[test]
fn a_package_too_new_for_the_index_is_found_after_a_refresh() {
    let plan = plan_of("- {name: a, package: {install: [nginx, 'curl=7.88*']}}");
    let mut host = bare();
    host.machine.index_is_old = true;
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert_eq!(host.machine.installed["curl"], "7.88.2");
}

#[test]
fn every_step_is_begun_and_ended_and_takes_its_time() {
    let (mut host, plan) = running();
    host.machine.put("/etc/nginx/site", FakeFile::file("drift"));
    let mut watching = Watching::default();
    let reports = converge(&plan, &facts(), &mut host, &mut watching, Mode::Apply);
    assert_eq!(watching.events[..2], ["begin r/nginx", "end r/nginx"]);
    assert_eq!(watching.events[watching.events.len() - 2..], ["begin r/run", "end r/run"]);
    assert!(reports.iter().all(|report| report.took_ms >= 1));
    let kinds: Vec<&str> = reports.iter().map(|report| report.kind.as_str()).collect();
    assert_eq!(kinds, ["package", "file", "file", "service", "file"]);
}

/// Sixty steps as a worker has them.
fn sixty() -> NodePlan {
    let mut steps = String::from("steps:\n  - {name: nginx, package: {install: [nginx, curl]}}\n");
    for number in 0..20 {
        steps.push_str(&format!(
            "  - {{name: dir-{number}, directory: {{path: /srv/d{number}}}}}\n  - {{name: \
             file-{number}, file: {{path: /srv/d{number}/f, template: conf}}}}\n  - {{name: \
             limit-{number}, sysctl: {{values: {{vm.swappiness-{number}: '{number}'}}}}}}\n"
        ));
    }
    let template = "{% for n in range(100) %}\nline {{ n }} {{ node.hostname }}\n{% endfor %}\n";
    planned(&[role("r", &steps, &[("templates/conf", template)])]).unwrap()
}

#[test]
fn a_run_that_changes_nothing_costs_little() {
    let mut host = bare();
    for number in 0..20 {
        host.machine.sysctls.insert(format!("vm.swappiness-{number}"), "0".into());
    }
    let plan = sixty();
    assert!(apply(&mut host, &plan).values().all(is_well));
    let begun = Instant::now();
    for _ in 0..5 {
        let plan = sixty();
        let reports = converged(&mut host, &plan, Mode::Apply);
        assert!(reports.iter().all(|report| report.outcome == StepOutcome::Unchanged));
    }
    let each = begun.elapsed() / 5;
    println!("planning and converging 61 steps: {each:?}");
    // Unoptimised, on a loaded machine, with the reading of the role's YAML.
    assert!(each.as_millis() < 1_500, "{each:?}");
}
