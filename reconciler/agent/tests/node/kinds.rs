//! Every kind of step on a real node: converges, changes nothing the second
//! time, is repaired after damage, and says clearly what is wrong with bad
//! input, which stops nothing else.

use std::time::{Duration, Instant};

use lyceum_core::node::report::StepOutcome;
use lyceum_core::node::step::STEP_KINDS;

use super::kit::{Ran, Real, push_image};

/// Until a service's tasks run.
const SETTLED: Duration = Duration::from_secs(60);
const IMAGE: &str = "quay.io/lyceum/agent-test:1";

/// A kind of step on trial. The step under trial is named `it`.
struct Case {
    kind: &'static str,
    /// `steps:` and perhaps `checks:`.
    role: String,
    /// Sets it back, in shell.
    damage: &'static str,
    /// Holds once it is as it should be, in shell.
    holds: &'static str,
    /// Steps of which `it` cannot be.
    bad: &'static str,
    /// What is said of it then.
    says: &'static str,
}

#[test]
fn every_kind_of_step_converges_stays_is_repaired_and_fails_clearly() {
    let real = Real::open("agent-kinds");
    let digest = push_image(&real.ground, IMAGE, "one");
    let cases = cases(real.address(), &digest);
    let tried: Vec<&str> = cases.iter().map(|case| case.kind).collect();
    let missing: Vec<_> = STEP_KINDS.iter().filter(|kind| !tried.contains(kind)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            eprintln!("{}", case.kind);
            case.go(&real).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    real.close();
}

impl Case {
    fn go(&self, real: &Real) -> Result<(), String> {
        let told = |when: &str, ran: &Ran| format!("{} {when}: {}", self.kind, ran.text());
        let expect = |holds: bool, when: &str, ran: &Ran| {
            if holds { Ok(()) } else { Err(told(when, ran)) }
        };
        let dry = real.run(&self.role, &["once", "--dry-run"]);
        expect(dry.code == Some(5) && dry.changed().contains(&"try/it"), "dry run", &dry)?;
        let first = real.converge(&self.role);
        let changed = first.changed().contains(&"try/it") && first.report.converged();
        expect(changed, "first run", &first)?;
        self.settles(real).map_err(|ran| told("first run", &ran))?;
        let held = |when: &str| {
            let output = real.node.shell(self.holds);
            output.map(drop).map_err(|error| format!("{} {when}: {error}", self.kind))
        };
        held("after the first run")?;
        let second = real.converge(&self.role);
        expect(second.code == Some(0) && second.changed().is_empty(), "second run", &second)?;
        let damaged = real.node.shell(self.damage);
        damaged.map_err(|error| format!("{}: {error}", self.kind))?;
        let third = real.converge(&self.role);
        let repaired = third.changed().contains(&"try/it") && third.report.converged();
        expect(repaired, "after damage", &third)?;
        self.settles(real).map_err(|ran| told("after damage", &ran))?;
        held("after the damage was repaired")?;
        let fourth = real.converge(&self.role);
        expect(fourth.changed().is_empty(), "after the repair", &fourth)?;
        self.fails_clearly(real)
    }

    /// Checks may hold a moment later: a service's tasks have to start.
    // What ran is shown whole where it did not settle.
    #[allow(clippy::result_large_err)]
    fn settles(&self, real: &Real) -> Result<(), Ran> {
        let began = Instant::now();
        loop {
            let ran = real.run(&self.role, &["check"]);
            if ran.code == Some(0) {
                return Ok(());
            }
            if began.elapsed() > SETTLED {
                return Err(ran);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// A step beside it is done all the same; nothing comes after a mount that
    /// is not there, so there it stands before.
    fn fails_clearly(&self, real: &Real) -> Result<(), String> {
        let unrelated = "- {name: unrelated, file: {path: /etc/unrelated, content: x}}";
        let bad = if self.kind == "mount" {
            self.bad.replacen("steps:", &format!("steps:\n{unrelated}"), 1)
        } else {
            format!("{}\n{unrelated}", self.bad)
        };
        let ran = real.converge(&bad);
        let said = match ran.step("it") {
            Some(StepOutcome::Failed { error, hint, .. }) => {
                error.contains(self.says) && !hint.is_empty()
            }
            _ => false,
        };
        let done = matches!(ran.step("unrelated"), Some(StepOutcome::Changed { .. }));
        real.shell("rm -f /etc/unrelated");
        if said && done && ran.code == Some(3) {
            return Ok(());
        }
        Err(format!("{} on bad input does not say `{}`: {}", self.kind, self.says, ran.text()))
    }
}

fn cases(address: &str, digest: &str) -> Vec<Case> {
    let mut cases = of_the_system();
    cases.extend(of_mounts());
    cases.extend(of_docker(address, digest));
    cases
}

fn of_the_system() -> Vec<Case> {
    vec![
        Case {
            kind: "package",
            role: "steps:\n- {name: it, package: {install: [lyceum-sample=1.0, tree]}}".into(),
            damage: "apt-get -qq remove tree; apt-get -qq install lyceum-sample=1.1",
            holds: "tree --version; grep -qx 1.0 /usr/share/lyceum-sample/version",
            bad: "steps:\n- {name: it, package: {install: [no-such-package]}}",
            says: "no-such-package",
        },
        Case {
            kind: "group",
            role: "steps:\n- {name: it, group: {name: people, gid: 4242}}".into(),
            damage: "groupmod -g 4243 people",
            holds: "getent group people | grep -q :4242:",
            bad: "steps:\n- {name: it, group: {name: others, gid: 0}}",
            says: "groupadd",
        },
        Case {
            kind: "user",
            role: "steps:\n- name: it\n  user: {name: ada, uid: 4300, groups: [audio], \
                   home: /home/ada, shell: /bin/bash}"
                .into(),
            damage: "usermod -s /bin/false -G '' ada",
            holds: "id ada | grep -q 'uid=4300.*audio'; getent passwd ada | grep -q /bin/bash; \
                    test -d /home/ada",
            bad: "steps:\n- {name: it, user: {name: bob, group: no-such-group}}",
            says: "no-such-group",
        },
        Case {
            kind: "directory",
            role: "steps:\n- {name: it, directory: {path: /srv/a/b, mode: '0750', owner: daemon}}"
                .into(),
            damage: "chmod 0777 /srv/a/b; chown root /srv/a/b",
            holds: "test \"$(stat -c '%a %U' /srv/a/b)\" = '750 daemon'",
            bad: "steps:\n- {name: it, directory: {path: /srv/c, owner: no-such-user}}",
            says: "no-such-user",
        },
        Case {
            kind: "file",
            role: "steps:\n- name: it\n  file: {path: /etc/try.conf, content: \"a = 1\\n\", \
                   mode: '0640', group: adm, validate: [grep, a, '{}']}"
                .into(),
            damage: "echo broken > /etc/try.conf; chmod 0666 /etc/try.conf",
            holds: "test \"$(stat -c '%a %G' /etc/try.conf)\" = '640 adm'; \
                    grep -qx 'a = 1' /etc/try.conf; ! ls -A /etc | grep -q lyceum-new",
            bad: "steps:\n- name: it\n  file: {path: /etc/try.conf, content: b, \
                  validate: [grep, a, '{}']}",
            says: "grep",
        },
        Case {
            kind: "symlink",
            role: "steps:\n- {name: it, symlink: {path: /etc/try.link, target: hostname}}".into(),
            damage: "ln -sfn passwd /etc/try.link",
            holds: "test \"$(readlink /etc/try.link)\" = hostname",
            bad: "steps:\n- {name: it, symlink: {path: /proc/no/link, target: x}}",
            says: "/proc/no",
        },
        Case {
            kind: "unit",
            role: unit("/bin/sleep infinity"),
            damage: "echo '[Service]' > /etc/systemd/system/try.service",
            holds: "systemctl cat try.service | grep -q 'ExecStart=/bin/sleep infinity'; \
                    test \"$(systemctl show -P NeedDaemonReload try.service)\" = no",
            bad: "steps:\n- {name: odd, command: {run: [touch, /etc/systemd/system/odd.service.d], \
                  unless: {exists: /etc/systemd/system/odd.service.d}}}\n\
                  - {name: it, unit: {name: odd.service.d/a.conf, content: x}, needs: [odd]}",
            says: "odd.service.d",
        },
        Case {
            kind: "service",
            role: "steps:\n- name: unit\n  unit:\n    name: try.service\n    content: |\n      \
                   [Service]\n      ExecStart=/bin/sleep infinity\n      [Install]\n      \
                   WantedBy=multi-user.target\n- {name: it, service: {unit: try.service}}"
                .into(),
            damage: "systemctl stop try.service; systemctl disable -q try.service",
            holds: "systemctl is-active -q try.service; systemctl is-enabled -q try.service",
            bad: "steps:\n- name: unit\n  unit:\n    name: bad.service\n    content: |\n      \
                  [Service]\n      ExecStart=/bin/sh -c 'echo out of luck; exit 1'\n      [Install]\n      \
                  WantedBy=multi-user.target\n- {name: it, service: {unit: bad.service}}",
            says: "out of luck",
        },
        Case {
            kind: "sysctl",
            role: "steps:\n- {name: it, sysctl: {values: {net.ipv4.ip_local_port_range: \
                   '20000 60000'}}}"
                .into(),
            damage: "echo '30000 40000' > /proc/sys/net/ipv4/ip_local_port_range",
            holds: "test \"$(sysctl -n net.ipv4.ip_local_port_range | tr '\\t' ' ')\" = '20000 60000'",
            bad: "steps:\n- {name: it, sysctl: {values: {net.ipv4.no_such: '1'}}}",
            says: "net.ipv4.no_such",
        },
        Case {
            kind: "kernel_module",
            role: "steps:\n- {name: it, kernel_module: {name: overlay, optional: true}}".into(),
            damage: "rm -f /etc/modules-load.d/*overlay*",
            holds: "grep -rqx overlay /etc/modules-load.d",
            bad: "steps:\n- {name: it, kernel_module: {name: no_such_module}}",
            says: "no_such_module",
        },
        Case {
            kind: "command",
            role: "steps:\n- {name: it, command: {run: [touch, /srv/done], unless: {exists: \
                   /srv/done}}}"
                .into(),
            damage: "rm /srv/done",
            holds: "test -e /srv/done",
            bad: "steps:\n- {name: it, command: {run: [sh, -c, 'echo no luck; exit 7'], unless: \
                  {exists: /srv/never}}}",
            says: "no luck",
        },
        Case {
            kind: "timer",
            role: "steps:\n- {name: it, timer: {name: tick, schedule: daily, run: [/bin/true]}}"
                .into(),
            damage: "systemctl stop tick.timer; rm /etc/systemd/system/tick.service",
            holds: "systemctl is-active -q tick.timer; systemctl is-enabled -q tick.timer; \
                    systemctl start tick.service",
            bad: "steps:\n- {name: it, timer: {name: bad, schedule: never ever, run: [/bin/true]}}",
            says: "never ever",
        },
    ]
}

fn unit(program: &str) -> String {
    format!(
        "steps:\n- name: it\n  unit:\n    name: try.service\n    content: |\n      [Service]\n      \
         ExecStart={program}\n      [Install]\n      WantedBy=multi-user.target"
    )
}

fn of_mounts() -> Vec<Case> {
    vec![Case {
        kind: "mount",
        role: "steps:\n- {name: it, mount: {path: /srv/shared, type: efs, source: fs-1}}\n\
               - {name: data, mount: {path: /srv/data, type: volume, source: /dev/sdf, format: true}}\n\
               - {name: inside, file: {path: /srv/shared/mine, content: kept}}"
            .into(),
        damage: "umount /srv/shared",
        holds: "mountpoint -q /srv/shared; mountpoint -q /srv/data; \
                test \"$(findmnt -no FSTYPE /srv/data)\" = ext4; grep -qx kept /srv/shared/mine",
        bad: "steps:\n- {name: it, mount: {path: /srv/lost, type: nfs4, source: 'fs-none.efs.us-east-1.amazonaws.com:/'}}",
        says: "/srv/lost",
    }]
}

fn of_docker(address: &str, digest: &str) -> Vec<Case> {
    let pinned = format!("{}@{digest}", IMAGE.trim_end_matches(":1"));
    vec![
        Case {
            kind: "swarm",
            role: format!(
                "steps:\n- {{name: it, swarm: {{part: leader, address: {address}, \
                           labels: {{part: hub}}}}}}"
            ),
            damage: "docker swarm leave --force",
            holds: "test \"$(docker info -f '{{.Swarm.ControlAvailable}}')\" = true; \
                    docker node inspect self -f '{{.Spec.Labels.part}}' | grep -qx hub",
            bad: "steps:\n- {name: it, swarm: {part: leader, address: 192.0.2.1}}",
            says: "192.0.2.1",
        },
        Case {
            kind: "parameter",
            role: format!(
                "steps:\n- {{name: swarm, swarm: {{part: leader, address: {address}}}}}\n\
                           - {{name: it, parameter: {{name: swarm-join-token, from: swarm-worker-token}}}}"
            ),
            damage: "echo '{\"/lyceum/try/swarm-join-token\": stale}' > /parameters.yaml",
            holds: "grep -q \"$(docker swarm join-token -q worker)\" /parameters.yaml",
            bad: "steps:\n- {name: swarm, swarm: {part: none}}\n\
                  - {name: it, parameter: {name: other-token, from: swarm-worker-token}}",
            says: "swarm manager",
        },
        Case {
            kind: "docker_network",
            role: format!(
                "steps:\n- {{name: swarm, swarm: {{part: leader, address: {address}}}}}\n\
                           - {{name: it, docker_network: {{name: hubnet, subnet: 10.250.0.0/24}}}}"
            ),
            damage: "docker network rm hubnet; docker network create -d bridge hubnet",
            holds: "docker network inspect hubnet -f '{{.Driver}} {{(index .IPAM.Config 0).Subnet}}' \
                    | grep -qx 'overlay 10.250.0.0/24'",
            bad: "steps:\n- {name: it, docker_network: {name: bad, subnet: nonsense}}",
            says: "nonsense",
        },
        Case {
            kind: "docker_image",
            role: format!("steps:\n- {{name: it, docker_image: {{image: '{pinned}'}}}}"),
            damage: "docker rmi -f $(docker images -q) >/dev/null",
            holds: "test -n \"$(docker images -q)\"",
            bad: "steps:\n- {name: it, docker_image: {image: 'quay.io/lyceum/none@sha256:\
                  0000000000000000000000000000000000000000000000000000000000000000'}}",
            says: "quay.io/lyceum/none",
        },
        Case {
            kind: "docker_service",
            role: format!(
                "steps:\n- {{name: swarm, swarm: {{part: leader, address: {address}}}}}\n\
                           - {{name: net, docker_network: {{name: hubnet, subnet: 10.250.0.0/24}}}}\n\
                           - name: it\n  docker_service: {{name: sleeper, image: '{pinned}', env: {{A: '1'}}, \
                             networks: [hubnet], mounts: [{{source: /etc, target: /host, readOnly: true}}], \
                             ports: [{{target: 80, published: 8088}}], memory: 64M}}\n\
                           checks:\n- {{name: up, docker_service: {{name: sleeper}}}}"
            ),
            damage: "docker service update -q -d --env-add A=2 --limit-memory 32M sleeper >/dev/null",
            holds: "docker service inspect sleeper | grep -c '\"A=1\"'; \
                    docker service inspect sleeper | grep -c '\"MemoryBytes\": 67108864'",
            bad: "steps:\n- {name: it, docker_service: {name: bad, image: 'quay.io/lyceum/a@sha256:\
                  0000000000000000000000000000000000000000000000000000000000000000', \
                  networks: [no-such-net]}}",
            says: "no-such-net",
        },
        Case {
            kind: "docker_container",
            role: format!(
                "steps:\n- {{name: image, docker_image: {{image: '{pinned}'}}}}\n\
                           - {{name: it, docker_container: {{name: lone, image: '{pinned}', env: {{B: '1'}}, \
                             ports: [{{target: 81, published: 8089}}]}}}}"
            ),
            damage: "docker stop -t 0 lone >/dev/null",
            holds: "test \"$(docker inspect -f '{{.State.Running}}' lone)\" = true; \
                    docker inspect lone | grep -c '\"B=1\"'",
            bad: "steps:\n- {name: it, docker_container: {name: bad, image: 'quay.io/lyceum/a@sha256:\
                  0000000000000000000000000000000000000000000000000000000000000000'}}",
            says: "quay.io/lyceum/a",
        },
    ]
}
