//! Which steps a node has, in which order, and what waits for what.

use std::collections::{BTreeMap, BTreeSet};

use lyceum_core::node::bundle::Bundle;
use lyceum_core::node::plan::{NodePlan, node_plan};
use lyceum_core::node::step::Action;
use lyceum_testkit::{bundle, facts, planned, role, target};
use serde_json::json;

use super::{plan_error, plan_of};

fn ids(plan: &NodePlan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

fn needs<'a>(plan: &'a NodePlan, id: &str) -> BTreeSet<&'a str> {
    let step = plan.steps.iter().find(|step| step.id == id).unwrap();
    step.needs.iter().map(String::as_str).collect()
}

const TOUCH: &str = "steps:\n  - {name: touch, file: {path: '/etc/NAME', content: x}}\n";

fn touching(name: &str, includes: &str) -> lyceum_core::node::bundle::Role {
    role(name, &format!("includes: [{includes}]\n{}", TOUCH.replace("NAME", name)), &[])
}

#[test]
fn what_a_role_includes_comes_before_it_and_once() {
    let roles = [
        touching("base", ""),
        touching("docker", "base"),
        touching("nfs", "base"),
        touching("worker", "docker, nfs"),
    ];
    let plan = node_plan(&bundle(&roles), &target(&["worker", "base"]), &facts()).unwrap();
    assert_eq!(ids(&plan), ["base/touch", "docker/touch", "nfs/touch", "worker/touch"]);
}

#[test]
fn roles_that_are_missing_or_include_themselves_make_no_plan() {
    let roles = [touching("a", "b"), touching("b", "a"), touching("c", "d")];
    let error =
        |name| node_plan(&bundle(&roles), &target(&[name]), &facts()).unwrap_err().to_string();
    assert_eq!(error("a"), "a: it includes itself, by a, b");
    assert_eq!(error("c"), "d: the bundle has no such role");
    assert_eq!(
        node_plan(&Bundle::default(), &target(&["x"]), &facts()).unwrap_err().to_string(),
        "x: the bundle has no such role"
    );
}

#[test]
fn a_cluster_sets_attributes_over_their_defaults_and_each_role_sees_its_own() {
    let spec = |default: &str| {
        format!(
            "attributes:\n  port: {{type: integer, description: d{default}}}\nsteps:\n  - {{name: p, \
             file: {{path: '/etc/{{{{ attributes.port }}}}', content: x}}}}\n"
        )
    };
    let roles = [role("a", &spec(", default: 1"), &[]), role("b", &spec(", default: 2"), &[])];
    let mut told = target(&["a", "b"]);
    let set = BTreeMap::from([("port".to_string(), json!(7))]);
    told.attributes.insert("b".into(), set);
    let plan = node_plan(&bundle(&roles), &told, &facts()).unwrap();
    let paths: Vec<String> = plan.steps.iter().flat_map(|step| step.action.step().owns()).collect();
    assert_eq!(paths, ["/etc/1", "/etc/7"]);

    let error = planned(&[role("a", &spec(""), &[])]).unwrap_err().to_string();
    assert!(error.contains("`attributes.port` is not defined"), "{error}");
}

#[test]
fn a_step_is_left_out_where_its_condition_does_not_hold() {
    let plan = plan_of(
        "
- {name: here, when: node.group == 'workers', file: {path: /a, content: x}}
- {name: there, when: node.group == 'hub', file: {path: /a, content: y}}
- {name: after, needs: [there], file: {path: /b, content: x}}",
    );
    assert_eq!(ids(&plan), ["r/here", "r/after"]);
    assert_eq!(needs(&plan, "r/after"), BTreeSet::new());
}

#[test]
fn a_step_with_each_is_made_for_every_entry() {
    let plan = plan_of(
        "
- name: dirs
  each: cluster.spec.storage.shared
  directory: {path: '{{ item.path }}', mode: '0755'}
- {name: marks, each: \"['a', 'b']\", file: {path: '/etc/{{ item }}.{{ node.group }}', content: '{{ item }}'}}
- {name: all, needs: [marks], command: {run: [x], unless: {exists: /x}}}
- {name: none, each: '[]', file: {path: /never, content: x}}",
    );
    assert_eq!(ids(&plan), ["r/dirs[0]", "r/dirs[1]", "r/marks[0]", "r/marks[1]", "r/all"]);
    let paths: Vec<String> = plan.steps.iter().flat_map(|step| step.action.step().owns()).collect();
    let expected = ["/srv/shared/maps", "/srv/shared/dems", "/etc/a.workers", "/etc/b.workers"];
    assert_eq!(paths, expected);
    assert_eq!(needs(&plan, "r/all"), BTreeSet::from(["r/marks[0]", "r/marks[1]"]));
    let error = plan_error("- {name: x, each: cluster.spec.domain, file: {path: /a, content: x}}");
    assert_eq!(error, "r/x: each: `cluster.spec.domain` gives no list but a string");
    let error =
        plan_error("- {name: x, each: range(500), file: {path: '/{{ item }}', content: x}}");
    assert!(error.contains("more than 200 entries"), "{error}");
}

#[test]
fn two_steps_that_say_what_one_thing_is_make_no_plan() {
    for (steps, expected) in [
        (
            "- {name: a, file: {path: /x, content: a}}\n- {name: b, directory: {path: /x/}}",
            "r/b: `/x` belongs to r/a already",
        ),
        (
            "- {name: a, each: '[1, 2]', file: {path: /x, content: a}}",
            "r/a[1]: `/x` belongs to r/a[0] already",
        ),
        (
            "- {name: a, unit: {name: x.service, content: a}}\n- {name: b, file: {path: /etc/systemd/system/x.service, content: b}}",
            "r/b: `/etc/systemd/system/x.service` belongs to r/a already",
        ),
        (
            "- {name: a, timer: {name: x, schedule: daily, run: [a]}}\n- {name: b, unit: {name: x.timer, content: b}}",
            "r/b: `/etc/systemd/system/x.timer` belongs to r/a already",
        ),
        (
            "- {name: a, sysctl: {values: {vm.swappiness: '1'}}}\n- {name: b, sysctl: {values: {vm.swappiness: '2'}}}",
            "r/b: `/proc/sys/vm/swappiness` belongs to r/a already",
        ),
        (
            "- {name: a, user: {name: u}}\n- {name: b, user: {name: u, uid: 7}}",
            "r/b: `user u` belongs to r/a already",
        ),
        (
            "- {name: a, service: {unit: x.service}}\n- {name: b, service: {unit: x.service, running: false}}",
            "r/b: `unit x.service` belongs to r/a already",
        ),
        (
            "- {name: a, docker_service: {name: s, image: i}}\n- {name: b, docker_service: {name: s, image: j}}",
            "r/b: `service s` belongs to r/a already",
        ),
    ] {
        assert_eq!(plan_error(steps), expected);
    }
    for (steps, expected) in [
        ("install: [curl=1]", "r/b: r/a wants the package curl 2, not 1"),
        ("remove: [curl]", "r/b: r/a wants the package curl 2, not absent"),
    ] {
        let steps = format!(
            "- {{name: a, package: {{install: [curl=2]}}}}\n- {{name: b, package: {{{steps}}}}}"
        );
        assert_eq!(plan_error(&steps), expected);
    }
    let two = [touching("a", ""), role("b", &TOUCH.replace("NAME", "a"), &[])];
    assert_eq!(
        planned(&two).unwrap_err().to_string(),
        "b/touch: `/etc/a` belongs to a/touch already"
    );
    // Several mounts and pulls are several things, and a package may be wanted twice.
    plan_of("- {name: a, package: {install: [curl]}}\n- {name: b, package: {install: [curl=2]}}");
    plan_of(
        "
- {name: a, mount: {path: /a, type: nfs4, source: 'n:/a'}}
- {name: b, mount: {path: /b, type: nfs4, source: 'n:/b'}}
- {name: c, docker_image: {image: i, pin: p}}
- {name: d, docker_image: {image: i, pin: p}}",
    );
}

#[test]
fn what_is_written_wrong_makes_no_plan() {
    for (steps, expected) in [
        (
            "- {name: a, needs: [b], file: {path: /x, content: a}}",
            "r/a: needs: no role of this node has a step `r/b`",
        ),
        (
            "- {name: a, needs: [q/b], file: {path: /x, content: a}}",
            "r/a: needs: no role of this node has a step `q/b`",
        ),
        (
            "- {name: a, service: {unit: x.service, watches: [b]}}",
            "r/a: watches: no role of this node has a step `r/b`",
        ),
        ("- {name: a, needs: [a], file: {path: /x, content: a}}", "r/a: it waits for itself"),
        (
            "- {name: a, needs: [b], file: {path: /x, content: a}}\n- {name: b, needs: [a], file: {path: /y, content: a}}",
            "r/a: steps wait for each other: r/a, r/b",
        ),
        (
            "- {name: a, file: {path: /x/../y, content: a}}",
            "r/a: `/x/../y` is no plain absolute path",
        ),
        (
            "- {name: a, file: {path: '{{ node.os }}', content: a}}",
            "r/a: `debian-12` is no plain absolute path",
        ),
        ("- {name: a, file: {path: /x, template: t}}", "r/a: its role has no `templates/t`"),
        ("- {name: a, file: {path: /x, file: t}}", "r/a: its role has no `files/t`"),
        ("- {name: a, file: {path: /x}}", "r/a: it needs exactly one of content, template, file"),
        (
            "- {name: a, file: {path: /x, content: a, template: b}}",
            "r/a: it needs exactly one of content, template, file",
        ),
        (
            "- {name: a, file: {path: /x, content: a, absent: true}}",
            "r/a: what is absent has none of content, template, file",
        ),
        ("- {name: a, unit: {name: x.service}}", "r/a: it needs exactly one of content, template"),
        (
            "- {name: a, package: {repository: {name: x, uri: u, key: k}}}",
            "r/a: its role has no `files/k`",
        ),
        (
            "- {name: a, unit: {name: '{{ cluster.spec.storage.shared[0].path }}', content: x}}",
            "r/a: unit.name: `/srv/shared/maps` is no name",
        ),
        (
            "- {name: a, docker_service: {name: \"{{ 'a b' }}\", image: i}}",
            "r/a: docker_service.name: `a b` is no name",
        ),
        ("- {name: a}", "r/a: it has to name exactly one kind of step"),
        (
            "- {name: a, group: {name: x}, user: {name: x}}",
            "r/a: it has to name exactly one kind of step",
        ),
        (
            "- {name: a, group: {name: x}}\n- {name: a, group: {name: y}}",
            "r/a: its role has two steps of this name",
        ),
    ] {
        assert_eq!(plan_error(steps), expected);
    }
}

#[test]
fn steps_wait_for_what_they_stand_on_without_saying_so() {
    let plan = plan_of(
        "
- {name: page, file: {path: /srv/www/a/index.html, content: x, owner: web}}
- {name: www, directory: {path: /srv/www, owner: web, group: staff}}
- {name: web, user: {name: web, group: staff}}
- {name: staff, group: {name: staff}}
- {name: run, service: {unit: hub.service}}
- {name: limits, unit: {name: hub.service.d/a.conf, content: x}}
- {name: hub, unit: {name: hub.service, content: x}}
- {name: job, timer: {name: job, schedule: daily, run: [x], user: web}}",
    );
    assert_eq!(needs(&plan, "r/page"), BTreeSet::from(["r/www", "r/web"]));
    assert_eq!(needs(&plan, "r/www"), BTreeSet::from(["r/web", "r/staff"]));
    assert_eq!(needs(&plan, "r/web"), BTreeSet::from(["r/staff"]));
    assert_eq!(needs(&plan, "r/run"), BTreeSet::from(["r/hub"]));
    assert_eq!(needs(&plan, "r/job"), BTreeSet::from(["r/web"]));
    let order = ["r/staff", "r/web", "r/www", "r/page", "r/limits", "r/hub", "r/run", "r/job"];
    assert_eq!(ids(&plan), order);
}

#[test]
fn what_works_through_docker_waits_for_docker_its_swarm_networks_and_images() {
    let plan = plan_of(
        "
- {name: hub, docker_service: {name: hub, image: 'i:1', pin: i, networks: [net], mounts: [{source: /srv/hub, target: /srv}]}}
- {name: conf, file: {path: /srv/hub/etc/hub.py, content: x}}
- {name: token, parameter: {name: t, from: swarm-worker-token}}
- {name: image, docker_image: {image: 'i:1', pin: i, publish: true}}
- {name: net, docker_network: {name: net}}
- {name: swarm, swarm: {part: leader}}
- {name: ship, docker_container: {name: ship, image: 'i:1', pin: i}}
- {name: dockerd, service: {unit: docker.service}}
- {name: homes, mount: {path: /srv/homes, type: nfs4, source: 'n:/h'}}",
    );
    let docker = "r/dockerd";
    let on_top = |more: &[&'static str]| {
        let mut all = BTreeSet::from([docker]);
        all.extend(more);
        all
    };
    assert_eq!(needs(&plan, docker), BTreeSet::from(["r/homes"]));
    assert_eq!(needs(&plan, "r/swarm"), on_top(&[]));
    assert_eq!(needs(&plan, "r/net"), on_top(&["r/swarm"]));
    assert_eq!(needs(&plan, "r/token"), on_top(&["r/swarm"]));
    assert_eq!(needs(&plan, "r/image"), on_top(&[]));
    assert_eq!(needs(&plan, "r/ship"), on_top(&["r/image"]));
    assert_eq!(needs(&plan, "r/hub"), on_top(&["r/image", "r/net", "r/swarm"]));
}

#[test]
fn what_is_used_waits_for_what_earlier_steps_put_into_it() {
    let plan = plan_of(
        "
- {name: conf, file: {path: /srv/hub/etc/hub.py, content: x}}
- {name: hub, docker_service: {name: hub, image: i, mounts: [{source: /srv/hub, target: /srv}]}}
- {name: late, file: {path: /srv/hub/etc/late.py, content: x}}",
    );
    assert_eq!(needs(&plan, "r/hub"), BTreeSet::from(["r/conf"]));
}

#[test]
fn everything_after_a_mount_waits_for_it_and_nothing_before_does() {
    let plan = plan_of(
        "
- {name: before, file: {path: /etc/before, content: x}}
- {name: homes, mount: {path: /srv/homes, type: nfs4, source: 'n:/h'}}
- {name: after, file: {path: /etc/after, content: x}}
- {name: point, directory: {path: /srv, mode: '0755'}}",
    );
    assert_eq!(ids(&plan), ["r/before", "r/point", "r/homes", "r/after"]);
    assert_eq!(needs(&plan, "r/after"), BTreeSet::from(["r/homes"]));
    assert_eq!(needs(&plan, "r/before"), BTreeSet::new());
    assert_eq!(needs(&plan, "r/homes"), BTreeSet::from(["r/point"]));
}

#[test]
fn checks_are_rendered_like_steps() {
    let spec = "checks:\n  - {name: up, http: {url: 'https://{{ cluster.spec.domain }}/hub'}}\n  - \
                {name: hub, when: node.group == 'hub', port: {port: 8000}}\n";
    let plan = planned(&[role("r", spec, &[])]).unwrap();
    assert_eq!(plan.checks.len(), 1);
    let text = serde_json::to_string(&plan.checks[0].probe).unwrap();
    assert!(text.contains("https://hub.example.edu/hub"), "{text}");
    let error = planned(&[role("r", "checks:\n  - {name: up}\n", &[])]).unwrap_err().to_string();
    assert_eq!(error, "r/up: it has to name exactly one kind of check");
}

#[test]
fn a_parameter_stays_a_reference() {
    let plan = plan_of(
        "- {name: a, file: {path: /a, content: 'k=@{key}', parameters: {key: 'ssm:/x/y'}}}",
    );
    let Action::File(file) = &plan.steps[0].action else { panic!("no file") };
    assert_eq!(file.content.as_deref(), Some("k=@{key}"));
    assert_eq!(file.parameters["key"], "ssm:/x/y");
}
