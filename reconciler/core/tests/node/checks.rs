//! Checks: they hold, they do not and say what was seen, they change nothing.

use lyceum_core::node::converge::check;
use lyceum_core::node::host::{Cause, Ended};
use lyceum_core::node::report::CheckReport;
use lyceum_testkit::{FakeDocker, FakeFile, FakeHost, planned, role};

use super::{apply, leader, plan_of};

/// What a check reports.
fn look(host: &mut FakeHost, probe: &str) -> CheckReport {
    let spec = format!("checks:\n  - {{name: it, {probe}}}\n");
    let plan = planned(&[role("r", &spec, &[])]).unwrap();
    let log = host.log.len();
    let report = check(&plan, host).remove(0);
    assert_eq!(host.log.len(), log, "a check changes nothing");
    assert_eq!(report.id, "r/it");
    assert_eq!(report.holds, report.seen.is_empty());
    report
}

fn node() -> FakeHost {
    let mut host = leader();
    let plan = plan_of(
        "
- {name: file, file: {path: /etc/a, content: hello, mode: '0640'}}
- {name: homes, mount: {path: /srv/homes, type: efs, source: fs-0123}}
- {name: nginx, package: {install: [nginx]}}
- {name: hub, docker_service: {name: hub, image: 'q/hub:1', replicas: 2}}",
    );
    apply(&mut host, &plan);
    host.machine.docker.images.insert("q/hub:1".into());
    host.machine.docker.registry.insert("q/hub:1".into(), FakeDocker::digest("hub"));
    host.machine.listening.insert(("127.0.0.1".into(), 443));
    host.machine.pages.insert("https://127.0.0.1/hub".into(), (200, "JupyterHub".into()));
    host.program("ok", |machine, _| Ended {
        code: i32::from(machine.marks.contains("bad")),
        output: "first\nall is well\n".into(),
    });
    host
}

#[test]
fn checks_hold_on_a_node_that_is_well() {
    let mut host = node();
    for probe in [
        "port: {port: 443}",
        "http: {url: 'https://127.0.0.1/hub', contains: Jupyter}",
        "command: {run: [ok, a], contains: well}",
        "file: {path: /etc/a, mode: '0640', contains: ell}",
        "mount: {path: /srv/homes, type: efs}",
        "service: {unit: nginx.service}",
        "docker_service: {name: hub}",
        "swarm: {manager: true}",
    ] {
        let report = look(&mut host, probe);
        assert!(report.holds, "{probe}: {}", report.seen);
    }
}

#[test]
fn what_was_seen_instead_is_said() {
    let mut host = node();
    host.machine.marks.insert("bad".into());
    host.machine.units.get_mut("nginx.service").unwrap().active = false;
    host.machine.docker.images.clear();
    host.machine.put("/srv/x", FakeFile::directory());
    for (probe, seen) in [
        ("port: {port: 80}", "nobody listens on 127.0.0.1 port 80"),
        (
            "http: {url: 'https://127.0.0.1/hub', status: 302}",
            "https://127.0.0.1/hub answers 200, not 302",
        ),
        (
            "http: {url: 'https://127.0.0.1/hub', contains: Moodle}",
            "the answer of https://127.0.0.1/hub does not hold `Moodle`",
        ),
        ("http: {url: 'http://gone/'}", "http_get http://gone/: connection refused"),
        ("command: {run: [ok]}", "`ok` ended with 1, not 0: all is well"),
        ("command: {run: [ok], code: 1, contains: ill}", "the output of `ok` does not hold `ill`"),
        ("command: {run: [none]}", "run none: No such file or directory"),
        ("file: {path: /etc/b}", "nothing is at /etc/b"),
        ("file: {path: /etc/a, mode: '0644'}", "/etc/a has mode 0640, not 0644"),
        ("file: {path: /etc/a, contains: bye}", "/etc/a does not hold `bye`"),
        ("file: {path: /etc, contains: bye}", "/etc is no file"),
        ("mount: {path: /srv/x, type: nfs4}", "nothing is mounted at /srv/x"),
        ("mount: {path: /srv/homes, type: volume}", "/srv/homes is a mount of type nfs4"),
        ("service: {unit: nginx.service}", "nginx.service is inactive"),
        ("service: {unit: no.service}", "systemd knows no unit no.service"),
        ("docker_service: {name: hub}", "0 of 2 tasks of hub run"),
        ("docker_service: {name: no}", "the swarm has no service no"),
        ("swarm: {}", "the node is a manager, not a worker"),
    ] {
        assert_eq!(look(&mut host, probe).seen, seen);
    }
    host.refuse("unit ", Cause::Timeout);
    assert!(!look(&mut host, "service: {unit: nginx.service}").holds);
}
