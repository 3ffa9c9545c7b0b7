//! Bad input: every kind of step says clearly what is wrong and what to do.

use std::collections::BTreeSet;

use lyceum_core::node::host::{Cause, FileKind};
use lyceum_core::node::report::StepOutcome;
use lyceum_core::node::step::STEP_KINDS;
use lyceum_testkit::{FakeFile, FakeHost};

use super::{apply, failure, leader, plan_with};

fn node() -> FakeHost {
    let mut host = leader();
    host.machine.put("/srv/dir/file", FakeFile::file("x"));
    host.machine.put("/srv/link", FakeFile::symlink("/srv/dir"));
    let socket = FakeFile { kind: FileKind::Other, ..FakeFile::file("") };
    host.machine.put("/srv/socket", socket);
    host.machine.devices.insert("/dev/sdf".into(), ("/dev/nvme1n1".into(), String::new()));
    let unknown = "something that blkid does not know".to_string();
    host.machine.devices.insert("/dev/sdg".into(), ("/dev/nvme2n1".into(), unknown));
    host.refuse("put_user dead", Cause::Failed);
    host
}

const WRONG: &[(&str, &str, &str, &str)] = &[
    ("package", "install: [nothing-of-that-name]", "Unable to locate package", "check the name"),
    ("package", "install: ['curl=1.0']", "Version 1.0 for curl was not found", "check the name"),
    (
        "package",
        "repository: {name: x, uri: u, key: empty}",
        "comes without its key",
        "change the role",
    ),
    ("file", "path: /srv/dir, content: x", "a directory stands at /srv/dir", "remove it by hand"),
    ("file", "path: /srv/socket, content: x", "a device or socket stands at", "remove it by hand"),
    ("file", "path: /srv/dir, absent: true", "a directory stands at /srv/dir", "remove it by hand"),
    (
        "file",
        "path: /srv/a, content: x, owner: nobody-here",
        "no user nobody-here",
        "check the name",
    ),
    (
        "file",
        "path: /srv/a, content: '@{k}', parameters: {k: github}",
        "the parameter /lyceum/geo-101/github has no value",
        "lyceum secret set",
    ),
    ("file", "path: /srv/dir/file/a, content: x", "no such directory around it", "check the name"),
    ("file", "path: /srv/a, content: x, mode: '9'", "`9` is no mode", "change the role"),
    ("directory", "path: /srv/link", "a symbolic link to /srv/dir stands at", "remove it by hand"),
    ("directory", "path: /srv/socket", "a file stands at", "remove it by hand"),
    ("directory", "path: /etc, absent: true", "is a directory of the system", "name what is to go"),
    ("symlink", "path: /srv/dir, target: x", "a directory stands at /srv/dir", "remove it by hand"),
    ("symlink", "path: /srv/a", "no target is given", "change the role"),
    ("user", "name: ada, group: none-such", "no group none-such", "check the name"),
    ("user", "name: dead", "put_user dead: injected", "see the message"),
    ("service", "unit: no.service", "systemd knows no unit no.service", "install the package"),
    (
        "mount",
        "path: /srv/m, type: volume, source: /dev/sdz",
        "no volume is attached as /dev/sdz",
        "volumes of the instance",
    ),
    ("mount", "path: /srv/m, type: volume, source: /dev/sdf", "is blank", "format: true"),
    (
        "mount",
        "path: /srv/m, type: volume, source: /dev/sdg, format: true",
        "the volume /dev/sdg holds something that blkid does not know",
        "see whose data it is",
    ),
    (
        "mount",
        "path: /srv/dir, type: nfs4, source: 'n:/a'",
        "holds 1 entries: file",
        "would hide them",
    ),
    (
        "mount",
        "path: /srv/link, type: nfs4, source: 'n:/a'",
        "a symbolic link stands at",
        "remove it by hand",
    ),
    (
        "mount",
        "path: /srv/m, type: efs, source: fs-1, options: [tls]",
        "needs the mount helper",
        "amazon-efs-utils",
    ),
    ("sysctl", "values: {net.no: '1'}", "the kernel has no parameter net.no", "kernel_module"),
    ("kernel_module", "name: no_such", "Module no_such not found", "check the name"),
    ("swarm", "part: worker", "`join` is needed", "change the role"),
    ("swarm", "part: worker, join: 'a:1'", "`token` is needed", "change the role"),
    ("docker_image", "image: 'q/a:1'", "has no digest and no `pin`", "a tag means another image"),
    ("docker_image", "image: 'q/a:1', pin: p, publish: true", "manifest unknown", "check the name"),
    ("docker_service", "name: a", "no image is given", "change the role"),
    (
        "docker_service",
        "name: a, image: i, networks: [none]",
        "Docker has no network none",
        "docker_network",
    ),
    (
        "docker_service",
        "name: a, image: i, memory: much",
        "`much` is no amount of memory",
        "change the role",
    ),
    ("docker_container", "name: a, image: i", "manifest unknown", "check the name"),
    (
        "docker_container",
        "name: a, image: i, cpus: many",
        "is no number of processors",
        "change the role",
    ),
    (
        "command",
        "run: [no-such-program], unless: {exists: /x}",
        "run no-such-program: No such file",
        "check the name",
    ),
    ("command", "run: [x], unless: {}", "`unless` needs", "change the role"),
    ("timer", "name: t, run: [x]", "needs `schedule` and `run`", "change the role"),
    (
        "parameter",
        "name: unseeded, from: swarm-worker-token",
        "ParameterNotFound",
        "check the name",
    ),
];

#[test]
fn bad_input_of_every_kind_gives_a_clear_message() {
    let mut seen = BTreeSet::new();
    for (kind, fields, error, hint) in WRONG {
        let mut host = node();
        if *kind == "swarm" {
            host.machine.leave();
        }
        let steps = format!(
            "- {{name: it, {kind}: {{{fields}}}}}\n- {{name: other, group: {{name: staff}}}}"
        );
        let plan = plan_with(&steps, &[("files/empty", " ")]);
        let outcomes = apply(&mut host, &plan);
        let (found, way) = failure(&outcomes, "r/it");
        assert!(found.contains(error), "{kind} {fields}: {found}");
        assert!(way.contains(hint), "{kind} {fields}: {way}");
        assert!(
            matches!(outcomes["r/other"], StepOutcome::Changed { .. }) || *kind == "mount",
            "{kind}"
        );
        seen.insert(*kind);
    }
    // These three cannot be wrong in themselves: a name and a number, a text,
    // and what Docker itself refuses, below.
    let rest = BTreeSet::from(["group", "unit", "docker_network"]);
    assert_eq!(
        seen.union(&rest).copied().collect::<BTreeSet<_>>(),
        STEP_KINDS.iter().copied().collect()
    );
}

#[test]
fn what_the_machine_refuses_is_said_in_its_words() {
    for (kind, fields, call) in [
        ("group", "name: staff, gid: 7", "put_group"),
        ("unit", "name: a.service, content: x", "reload_units"),
        ("docker_network", "name: a", "create_network"),
    ] {
        let mut host = node();
        host.refuse(call, Cause::Denied);
        let plan = plan_with(&format!("- {{name: it, {kind}: {{{fields}}}}}"), &[]);
        let (error, hint) = failure(&apply(&mut host, &plan), "r/it");
        assert!(error.contains(call) && hint.contains("lacks the right"), "{error} {hint}");
    }
}
