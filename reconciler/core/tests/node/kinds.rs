//! Every kind of step: it converges, does nothing the second time, is repaired
//! after any damage, and a dry run of it changes nothing.

use std::collections::BTreeSet;

use lyceum_core::node::converge::Mode;
use lyceum_core::node::host::FileKind;
use lyceum_core::node::report::StepOutcome;
use lyceum_core::node::step::STEP_KINDS;
use lyceum_testkit::{FakeDocker, FakeFile, FakeHost, FakePackage, FakeSwarm, Machine, converged};
use serde_json::json;

use super::{apply, bare, dry_run, is_well, leader, plan_with, with_docker};

/// Something done to a machine behind everybody's back, with its name.
type Damage = (&'static str, fn(&mut Machine));

/// A kind's life.
struct Life {
    kind: &'static str,
    host: FakeHost,
    steps: &'static str,
    damages: Vec<Damage>,
    holds: fn(&Machine) -> bool,
}

const KEY: (&str, &str) = ("files/key.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");

fn live(life: Life) {
    let Life { kind, mut host, steps, damages, holds } = life;
    let plan = plan_with(steps, &[KEY, ("templates/unit", "[Service]\nExecStart=/bin/true\n")]);
    let would = dry_run(&mut host, &plan);
    let some = would.values().any(|outcome| matches!(outcome, StepOutcome::Would { .. }));
    assert!(some, "{kind}: {would:#?}");
    assert!(!holds(&host.machine), "{kind}: nothing is left to do");

    settled(kind, "from nothing", &mut host, &plan, holds);
    for (name, damage) in damages {
        damage(&mut host.machine);
        assert!(!holds(&host.machine), "{kind}: {name} is no damage");
        let would = dry_run(&mut host, &plan);
        let some = would.values().any(|outcome| matches!(outcome, StepOutcome::Would { .. }));
        assert!(some, "{kind}: {name} is not noticed: {would:#?}");
        settled(kind, name, &mut host, &plan, holds);
    }
}

fn settled(
    kind: &str,
    what: &str,
    host: &mut FakeHost,
    plan: &lyceum_core::node::plan::NodePlan,
    holds: fn(&Machine) -> bool,
) {
    let outcomes = apply(host, plan);
    assert!(outcomes.values().all(is_well), "{kind}: {what}: {outcomes:#?}");
    assert!(holds(&host.machine), "{kind}: {what}: {outcomes:#?}");
    let log = host.log.len();
    let again = converged(host, plan, Mode::Apply);
    let unchanged = again.iter().all(|report| report.outcome == StepOutcome::Unchanged);
    assert!(unchanged, "{kind}: {what}: a second run finds {again:#?}");
    assert_eq!(host.log.len(), log, "{kind}: {what}: a second run does {:?}", &host.log[log..]);
}

fn text_is(machine: &Machine, path: &str, text: &str) -> bool {
    machine.at(path).is_some_and(|file| file.kind == FileKind::File) && machine.text(path) == text
}

fn packages() -> Life {
    let mut host = bare();
    host.machine.installed.insert("telnet".into(), "0.17".into());
    let list = "/etc/apt/sources.list.d/extra.sources";
    let extra = FakePackage {
        versions: vec!["1.0".into()],
        behind: Some(list.into()),
        ..FakePackage::default()
    };
    host.machine.available.insert("extra".into(), extra);
    host.machine.index_is_old = true;
    Life {
        kind: "package",
        host,
        steps: "
- {name: own, package: {install: [nginx, curl=7.88.1], remove: [telnet]}}
- name: extra
  package:
    install: [extra]
    repository: {name: extra, uri: 'https://deb.example.edu', suite: stable, components: [main], key: key.asc}",
        damages: vec![
            ("removed", |it| drop(it.installed.remove("nginx"))),
            ("upgraded", |it| drop(it.installed.insert("curl".into(), "7.88.2".into()))),
            ("brought back", |it| drop(it.installed.insert("telnet".into(), "0.17".into()))),
            ("key altered", |it| it.put("/etc/apt/keyrings/extra.asc", FakeFile::file("other"))),
            ("list removed", |it| it.take("/etc/apt/sources.list.d/extra.sources")),
        ],
        holds: |it| {
            it.installed.contains_key("nginx")
                && it.installed.get("curl").is_some_and(|version| version == "7.88.1")
                && it.installed.contains_key("extra")
                && !it.installed.contains_key("telnet")
                && text_is(it, "/etc/apt/keyrings/extra.asc", KEY.1)
                && it.text("/etc/apt/sources.list.d/extra.sources")
                    == "# Written by Lyceum.\nTypes: deb\nURIs: https://deb.example.edu\nSuites: \
                        stable\nComponents: main\nSigned-By: /etc/apt/keyrings/extra.asc\n"
        },
    }
}

fn files() -> Life {
    let mut host = bare();
    host.machine.put("/etc/old.conf", FakeFile::file("old"));
    Life {
        kind: "file",
        host,
        steps: "
- {name: motd, file: {path: /etc/deep/er/motd, content: \"{{ node.cluster }}\\n\", group: www-data, mode: '0640'}}
- {name: old, file: {path: /etc/old.conf, absent: true}}",
        damages: vec![
            ("altered", |it| it.put("/etc/deep/er/motd", FakeFile::file("x"))),
            ("emptied", |it| it.put("/etc/deep/er/motd", FakeFile::file(""))),
            ("removed", |it| it.take("/etc/deep")),
            ("a link instead", |it| it.put("/etc/deep/er/motd", FakeFile::symlink("/etc/passwd"))),
            ("mode", |it| it.files.get_mut("/etc/deep/er/motd").unwrap().access.mode = 0o666),
            ("owner", |it| {
                it.files.get_mut("/etc/deep/er/motd").unwrap().access.owner = "www-data".into();
            }),
            ("brought back", |it| it.put("/etc/old.conf", FakeFile::file("old"))),
        ],
        holds: |it| {
            let access = it.at("/etc/deep/er/motd").map(|file| file.access.clone());
            text_is(it, "/etc/deep/er/motd", "geo-101\n")
                && access.is_some_and(|it| (it.owner, it.group, it.mode) == ("root".into(), "www-data".into(), 0o640))
                && it.at("/etc/old.conf").is_none()
        },
    }
}

fn directories() -> Life {
    let mut host = bare();
    host.machine.put("/srv/old/file", FakeFile::file("x"));
    Life {
        kind: "directory",
        host,
        steps: "
- {name: data, directory: {path: /srv/a/b, owner: '33', group: www-data, mode: '0750'}}
- {name: old, directory: {path: /srv/old, absent: true}}",
        damages: vec![
            ("removed", |it| it.take("/srv/a")),
            ("mode", |it| it.files.get_mut("/srv/a/b").unwrap().access.mode = 0o777),
            ("owner", |it| it.files.get_mut("/srv/a/b").unwrap().access.owner = "root".into()),
            ("brought back", |it| it.put("/srv/old/file", FakeFile::file("x"))),
        ],
        holds: |it| {
            let access = it.at("/srv/a/b").map(|file| file.access.clone());
            // A number is the user that has it.
            let owner = |name: &str| name == "33" || name == "www-data";
            access.is_some_and(|it| owner(&it.owner) && it.group == "www-data" && it.mode == 0o750)
                && it.at("/srv/old").is_none()
        },
    }
}

fn symlinks() -> Life {
    let mut host = bare();
    host.machine.put("/etc/old", FakeFile::symlink("/x"));
    Life {
        kind: "symlink",
        host,
        steps: "
- {name: site, symlink: {path: /etc/nginx/enabled/hub, target: ../available/hub}}
- {name: old, symlink: {path: /etc/old, absent: true}}",
        damages: vec![
            ("elsewhere", |it| it.put("/etc/nginx/enabled/hub", FakeFile::symlink("/x"))),
            ("a file", |it| it.put("/etc/nginx/enabled/hub", FakeFile::file("x"))),
            ("removed", |it| it.take("/etc/nginx")),
            ("brought back", |it| it.put("/etc/old", FakeFile::symlink("/x"))),
        ],
        holds: |it| {
            let kind = it.at("/etc/nginx/enabled/hub").map(|file| file.kind.clone());
            kind == Some(FileKind::Symlink("../available/hub".into()))
                && it.at("/etc/old").is_none()
        },
    }
}

fn accounts() -> Life {
    let mut host = bare();
    host.machine.groups.insert("games".into(), 60);
    Life {
        kind: "user",
        host,
        steps: "
- {name: jovyan, user: {name: jovyan, uid: 1000, group: users, groups: [docker], home: /srv/homes, shell: /bin/bash}}
- {name: users, group: {name: users, gid: 100}}
- {name: docker, group: {name: docker, system: true}}
- {name: games, group: {name: games, absent: true}}
- {name: web, user: {name: www-data, absent: true}}",
        damages: vec![
            ("removed", |it| drop(it.users.remove("jovyan"))),
            ("renumbered", |it| it.users.get_mut("jovyan").unwrap().uid = 1001),
            ("another shell", |it| it.users.get_mut("jovyan").unwrap().shell = "/bin/sh".into()),
            ("no groups", |it| it.users.get_mut("jovyan").unwrap().groups.clear()),
            ("group renumbered", |it| it.groups.extend([("users".into(), 101)])),
            ("brought back", |it| it.groups.extend([("games".into(), 60)])),
        ],
        holds: |it| {
            let user = it.users.get("jovyan").cloned();
            let is = |user: lyceum_core::node::host::UserEntry| {
                user.uid == 1000
                    && user.group == "users"
                    && user.groups.contains(&"docker".to_string())
                    && user.home == "/srv/homes"
                    && user.shell == "/bin/bash"
            };
            user.is_some_and(is)
                && it.groups.get("users") == Some(&100)
                && it.groups.contains_key("docker")
                && !it.groups.contains_key("games")
                && !it.users.contains_key("www-data")
        },
    }
}

fn services() -> Life {
    Life {
        kind: "service",
        host: bare(),
        steps: "
- {name: packages, package: {install: [nginx, chrony]}}
- {name: nginx, service: {unit: nginx.service}}
- {name: chrony, service: {unit: chrony.service, running: false, enabled: false}}",
        damages: vec![
            ("stopped", |it| it.units.get_mut("nginx.service").unwrap().active = false),
            ("disabled", |it| it.units.get_mut("nginx.service").unwrap().enabled = false),
            ("started", |it| it.units.get_mut("chrony.service").unwrap().active = true),
            ("enabled", |it| it.units.get_mut("chrony.service").unwrap().enabled = true),
        ],
        holds: |it| {
            let is = |name: &str, on: bool| {
                it.units.get(name).is_some_and(|unit| unit.active == on && unit.enabled == on)
            };
            is("nginx.service", true) && is("chrony.service", false)
        },
    }
}

fn units() -> Life {
    let mut host = bare();
    host.machine.put("/etc/systemd/system/old.service", FakeFile::file("[Service]\n"));
    Life {
        kind: "unit",
        host,
        steps: "
- {name: hub, unit: {name: hub.service, template: unit}}
- {name: limits, unit: {name: hub.service.d/limits.conf, content: \"[Service]\\nMemoryMax=1G\\n\"}}
- {name: old, unit: {name: old.service, absent: true}}
- {name: run, service: {unit: hub.service}}",
        damages: vec![
            ("altered", |it| it.put("/etc/systemd/system/hub.service", FakeFile::file("x"))),
            ("drop-in removed", |it| it.take("/etc/systemd/system/hub.service.d")),
            ("written and not read", |it| {
                it.units.get_mut("hub.service").unwrap().read = "older".into();
            }),
            ("brought back", |it| it.put("/etc/systemd/system/old.service", FakeFile::file("x"))),
        ],
        holds: |it| {
            let text = "[Service]\nExecStart=/bin/true\n[Service]\nMemoryMax=1G\n";
            it.units.get("hub.service").is_some_and(|unit| unit.read == text && unit.active)
                && it.text("/etc/systemd/system/hub.service.d/limits.conf").contains("1G")
                && it.text("/etc/systemd/system/hub.service").contains("/bin/true")
                && it.at("/etc/systemd/system/old.service").is_none()
        },
    }
}

fn mounts() -> Life {
    let mut host = bare();
    host.machine.devices.insert("/dev/sdf".into(), ("/dev/nvme1n1".into(), String::new()));
    Life {
        kind: "mount",
        host,
        steps: "
- {name: homes, mount: {path: /srv/homes, type: efs, source: 'fs-0123:/homes'}}
- {name: data, mount: {path: /srv/hub-data, type: volume, source: /dev/sdf, format: true}}
- {name: maps, mount: {path: /srv/maps, type: nfs4, source: 'nas:/maps', options: [ro]}}",
        damages: vec![
            ("taken away", |it| drop(it.mounts.remove("/srv/homes"))),
            ("another is there", |it| {
                it.mounts.get_mut("/srv/homes").unwrap().source = "fs-9.efs.x:/homes".into();
            }),
            ("another type", |it| {
                it.mounts.get_mut("/srv/homes").unwrap().fs_type = "tmpfs".into()
            }),
            ("writable", |it| {
                it.mounts.get_mut("/srv/maps").unwrap().options.retain(|it| it != "ro")
            }),
            ("not at boot", |it| it.units.get_mut("srv-homes.mount").unwrap().enabled = false),
            ("unit altered", |it| {
                it.put("/etc/systemd/system/srv-homes.mount", FakeFile::file("x"));
            }),
            ("guard removed", |it| {
                it.take("/etc/systemd/system/docker.service.d/lyceum-srv-homes.conf");
            }),
        ],
        holds: |it| {
            let is = |path: &str, source: &str, fs_type: &str, option: &str| {
                it.mounts.get(path).is_some_and(|mount| {
                    (mount.source.as_str(), mount.fs_type.as_str()) == (source, fs_type)
                        && mount.options.iter().any(|it| it == option)
                })
            };
            let unit = it.text("/etc/systemd/system/srv-homes.mount");
            let volume = it.text("/etc/systemd/system/srv-hub\\x2ddata.mount");
            is("/srv/homes", "fs-0123.efs.eu-central-1.amazonaws.com:/homes", "nfs4", "noresvport")
                && is("/srv/hub-data", "/dev/nvme1n1", "ext4", "nofail")
                && is("/srv/maps", "nas:/maps", "nfs4", "ro")
                && unit.contains(
                    "Options=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,\
                     noresvport,_netdev\n",
                )
                && unit.contains("Before=docker.service\n")
                && volume.contains("What=/dev/disk/by-uuid/uuid-of-nvme1n1\n")
                && it.units.get("srv-homes.mount").is_some_and(|unit| unit.enabled)
                && it
                    .text("/etc/systemd/system/docker.service.d/lyceum-srv-homes.conf")
                    .contains("After=srv-homes.mount\nAssertPathIsMountPoint=/srv/homes\n")
        },
    }
}

fn sysctls() -> Life {
    Life {
        kind: "sysctl",
        host: bare(),
        steps: "
- {name: net, sysctl: {values: {net.ipv4.ip_forward: '1', net.ipv4.tcp_rmem: '4096 87380 100'}}}",
        damages: vec![
            ("set back", |it| drop(it.sysctls.insert("net.ipv4.ip_forward".into(), "0".into()))),
            ("not at boot", |it| it.take("/etc/sysctl.d/90-lyceum-r-net.conf")),
        ],
        holds: |it| {
            it.sysctls["net.ipv4.ip_forward"] == "1"
                && it.sysctls["net.ipv4.tcp_rmem"] == "4096\t87380\t100"
                && it
                    .text("/etc/sysctl.d/90-lyceum-r-net.conf")
                    .contains("net.ipv4.ip_forward = 1\n")
        },
    }
}

fn modules() -> Life {
    Life {
        kind: "kernel_module",
        host: bare(),
        steps: "
- {name: bridge, kernel_module: {name: br_netfilter}}
- {name: old, kernel_module: {name: no_such_module, optional: true}}",
        damages: vec![
            ("unloaded", |it| it.modules.clear()),
            ("not at boot", |it| it.take("/etc/modules-load.d/lyceum-br_netfilter.conf")),
            ("another kernel", |it| {
                it.sysctls.insert("kernel.osrelease".into(), "6.12".into());
                it.put(
                    "/etc/modules-load.d/lyceum-no_such_module.conf",
                    FakeFile::file("# Written by Lyceum.\n# no_such_module is not in 6.1\n"),
                );
            }),
        ],
        holds: |it| {
            let release = it.sysctls.get("kernel.osrelease").cloned().unwrap_or_default();
            let tried = format!("# no_such_module is not in {release}\n");
            it.modules.contains("br_netfilter")
                && it.text("/etc/modules-load.d/lyceum-no_such_module.conf").ends_with(&tried)
                && it
                    .text("/etc/modules-load.d/lyceum-br_netfilter.conf")
                    .contains("br_netfilter\n")
        },
    }
}

fn swarms() -> Life {
    let mut host = with_docker();
    let swarm = FakeSwarm::new("certificate", "s3cr3t");
    host.machine.parameters.insert("/lyceum/geo-101/worker-token".into(), swarm.token("worker"));
    host.machine.swarms.insert("10.20.0.10".into(), swarm);
    Life {
        kind: "swarm",
        host,
        steps: "
- {name: swarm, swarm: {part: worker, join: '{{ node.hub }}:2377', token: worker-token, availability: pause}}",
        damages: vec![
            ("out of it", |it| it.docker.swarm.state = "inactive".into()),
            ("in error", |it| it.docker.swarm.state = "error".into()),
            ("with another manager", |it| it.docker.swarm.managers = vec!["10.9.9.9:2377".into()]),
            ("its leader began another", |it| {
                let other = FakeSwarm::new("another certificate", "0ther");
                let name = "/lyceum/geo-101/worker-token";
                it.parameters.insert(name.into(), other.token("worker"));
                it.swarms.insert("10.20.0.10".into(), other);
            }),
        ],
        holds: |it| {
            let leader = &it.swarms["10.20.0.10"];
            let own = leader.members.iter().find(|member| member.id == it.docker.swarm.node_id);
            it.docker.swarm.state == "active"
                && it.docker.swarm.managers == ["10.20.0.10:2377"]
                && own.is_some_and(|it| (it.role.as_str(), it.availability.as_str()) == ("worker", "pause"))
        },
    }
}

fn networks() -> Life {
    Life {
        kind: "docker_network",
        host: leader(),
        steps: "
- {name: hub, docker_network: {name: hub, subnet: 10.40.0.0/20, encrypted: true, labels: {a: b}}}
- {name: local, docker_network: {name: local, driver: bridge, internal: true}}",
        damages: vec![
            ("removed", |it| it.docker.networks.clear()),
            ("another range", |it| {
                let network = it.docker.networks.values_mut().find(|it| it["Name"] == "hub");
                network.unwrap()["IPAM"]["Config"][0]["Subnet"] = json!("10.1.0.0/24");
            }),
            ("not encrypted", |it| {
                let network = it.docker.networks.values_mut().find(|it| it["Name"] == "hub");
                network.unwrap()["Options"] = json!({});
            }),
        ],
        holds: |it| {
            let named = |name: &str| it.docker.networks.values().find(|it| it["Name"] == name);
            named("hub").is_some_and(|it| {
                it["IPAM"]["Config"][0]["Subnet"] == "10.40.0.0/20"
                    && it["Attachable"] == true
                    && it["Options"]["encrypted"] == ""
                    && it["Labels"]["a"] == "b"
            }) && named("local").is_some_and(|it| it["Internal"] == true)
        },
    }
}

fn images() -> Life {
    let mut host = with_docker();
    let digest = FakeDocker::digest("notebook");
    host.machine.docker.registry.insert("quay.io/a/notebook:1".into(), digest.clone());
    host.machine.docker.registry.insert("quay.io/a/proxy:2".into(), FakeDocker::digest("proxy"));
    host.machine.parameters.insert("/lyceum/geo-101/notebook".into(), "none".into());
    let proxy = format!("quay.io/a/proxy:2 {}", FakeDocker::digest("proxy"));
    host.machine.parameters.insert("/lyceum/geo-101/proxy".into(), proxy);
    Life {
        kind: "docker_image",
        host,
        steps: "
- {name: notebook, docker_image: {image: 'quay.io/a/notebook:1', pin: notebook, publish: true}}
- {name: proxy, docker_image: {image: 'quay.io/a/proxy:2', pin: proxy}}",
        damages: vec![
            ("pruned", |it| it.docker.images.clear()),
            ("published for another", |it| {
                let other = format!("quay.io/a/notebook:0 {}", FakeDocker::digest("x"));
                it.parameters.insert("/lyceum/geo-101/notebook".into(), other);
            }),
        ],
        holds: |it| {
            let (notebook, proxy) = (FakeDocker::digest("notebook"), FakeDocker::digest("proxy"));
            let published = it.parameters["/lyceum/geo-101/notebook"].lines().next();
            published == Some(&format!("quay.io/a/notebook:1 {notebook}"))
                && it.docker.images.contains(&format!("quay.io/a/notebook@{notebook}"))
                && it.docker.images.contains(&format!("quay.io/a/proxy@{proxy}"))
        },
    }
}

fn docker_services() -> Life {
    Life {
        kind: "docker_service",
        host: leader(),
        steps: "
- {name: net, docker_network: {name: hub}}
- name: hub
  docker_service:
    name: hub
    image: 'quay.io/a/hub:1'
    args: [jupyterhub, -f, /etc/hub.py]
    env: {A: '1', B: ''}
    user: '1000'
    mounts: [{source: /srv/hub, target: /srv, readOnly: true}, {source: /etc/hub, target: /etc/hub}]
    networks: [hub]
    aliases: [hub, api]
    ports: [{target: 8000, published: 8000}]
    constraints: ['node.role == manager']
    memory: 512M
    cpus: '0.5'
    labels: {role: hub}",
        damages: vec![
            ("removed", |it| it.docker.services.clear()),
            ("image", |it| {
                let image = "/TaskTemplate/ContainerSpec/Image";
                it.docker.change_service("hub", |it| *it.pointer_mut(image).unwrap() = json!("x"));
            }),
            ("environment", |it| {
                let env = "/TaskTemplate/ContainerSpec/Env";
                it.docker.change_service("hub", |it| {
                    it.pointer_mut(env).unwrap().as_array_mut().unwrap().push(json!("C=3"));
                });
            }),
            ("mounts", |it| {
                it.docker.change_service("hub", |it| {
                    it["TaskTemplate"]["ContainerSpec"]["Mounts"].as_array_mut().unwrap().pop();
                });
            }),
            ("ports", |it| {
                it.docker.change_service("hub", |it| {
                    it["EndpointSpec"]["Ports"][0]["PublishedPort"] = json!(80);
                });
            }),
            ("scaled", |it| {
                it.docker
                    .change_service("hub", |it| it["Mode"]["Replicated"]["Replicas"] = json!(0));
            }),
            ("limits", |it| {
                it.docker.change_service("hub", |it| {
                    it["TaskTemplate"]["Resources"]["Limits"]["Pids"] = json!(100);
                });
            }),
            ("a field no role has", |it| {
                it.docker.change_service("hub", |it| {
                    it["TaskTemplate"]["ContainerSpec"]["ReadOnly"] = json!(true);
                });
            }),
        ],
        holds: |it| {
            let spec = it.docker.spec("hub");
            let container = &spec["TaskTemplate"]["ContainerSpec"];
            container["Image"] == "quay.io/a/hub:1"
                && container["Env"] == json!(["A=1", "B="])
                && container["Mounts"].as_array().is_some_and(|it| it.len() == 2)
                && container["ReadOnly"].is_null()
                && spec["EndpointSpec"]["Ports"][0]["PublishedPort"] == 8000
                && spec["EndpointSpec"]["Mode"] == "dnsrr"
                && spec["Mode"]["Replicated"]["Replicas"] == 1
                && spec["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"] == 512 << 20
                && spec["TaskTemplate"]["Resources"]["Limits"]["NanoCPUs"] == 500_000_000
                && spec["TaskTemplate"]["Resources"]["Limits"]["Pids"].is_null()
        },
    }
}

fn containers() -> Life {
    let mut host = with_docker();
    host.machine.docker.registry.insert("quay.io/a/ship:1".into(), FakeDocker::digest("ship"));
    Life {
        kind: "docker_container",
        host,
        steps: "
- name: ship
  docker_container:
    name: ship
    image: 'quay.io/a/ship:1'
    command: [ship, --all]
    env: {A: '1'}
    user: nobody
    mounts: [{source: /var/log, target: /logs, readOnly: true}]
    ports: [{target: 53, published: 5353, protocol: udp}]
    memory: 64M",
        damages: vec![
            ("removed", |it| it.docker.containers.clear()),
            ("stopped", |it| {
                let container = it.docker.containers.values_mut().next().unwrap();
                container["State"]["Running"] = json!(false);
            }),
            ("updated in place", |it| {
                let container = it.docker.containers.values_mut().next().unwrap();
                container["HostConfig"]["Memory"] = json!(0);
            }),
            ("somebody else's of that name", |it| {
                let container = it.docker.containers.values_mut().next().unwrap();
                container["Config"]["Labels"] = json!({});
                container["Config"]["Env"] = json!([]);
            }),
        ],
        holds: |it| {
            let ship = it.docker.named("ship");
            ship["State"]["Running"] == true
                && ship["Config"]["Cmd"] == json!(["ship", "--all"])
                && ship["Config"]["Env"].as_array().is_some_and(|it| it.contains(&json!("A=1")))
                && ship["HostConfig"]["Memory"] == 64 << 20
                && ship["HostConfig"]["PortBindings"]["53/udp"][0]["HostPort"] == "5353"
        },
    }
}

fn commands() -> Life {
    let mut host = bare();
    host.program("make-key", |machine, _| {
        machine.put("/etc/key", FakeFile::file("key"));
        machine.put("/etc/key.copy", FakeFile::file("key"));
        lyceum_core::node::host::Ended::default()
    });
    host.program("key-is-good", |machine, _| lyceum_core::node::host::Ended {
        code: i32::from(machine.text("/etc/key") != "key"),
        output: String::new(),
    });
    Life {
        kind: "command",
        host,
        steps: "
- name: key
  command:
    run: [make-key, --strong]
    unless: {exists: /etc/key, succeeds: [key-is-good], same: [/etc/key, /etc/key.copy]}",
        damages: vec![
            ("gone", |it| it.take("/etc/key")),
            ("bad", |it| it.put("/etc/key", FakeFile::file("bad"))),
            ("not the same", |it| it.put("/etc/key.copy", FakeFile::file("kex"))),
        ],
        holds: |it| it.text("/etc/key") == "key" && it.text("/etc/key.copy") == "key",
    }
}

fn timers() -> Life {
    let mut host = bare();
    host.machine.put("/etc/systemd/system/old.timer", FakeFile::file("[Timer]\n"));
    host.machine.put("/etc/systemd/system/old.service", FakeFile::file("[Service]\n"));
    Life {
        kind: "timer",
        host,
        steps: "
- {name: prune, timer: {name: prune, schedule: daily, run: [docker, prune, '--filter=a b%c'], jitterSeconds: 60}}
- {name: old, timer: {name: old, absent: true}}",
        damages: vec![
            ("stopped", |it| it.units.get_mut("prune.timer").unwrap().active = false),
            ("disabled", |it| it.units.get_mut("prune.timer").unwrap().enabled = false),
            ("altered", |it| it.put("/etc/systemd/system/prune.service", FakeFile::file("x"))),
            ("brought back", |it| it.put("/etc/systemd/system/old.timer", FakeFile::file("x"))),
        ],
        holds: |it| {
            let timer = it.text("/etc/systemd/system/prune.timer");
            it.units.get("prune.timer").is_some_and(|unit| unit.active && unit.enabled)
                && timer.contains("OnCalendar=daily\nRandomizedDelaySec=60\n")
                && it
                    .text("/etc/systemd/system/prune.service")
                    .contains("ExecStart=\"docker\" \"prune\" \"--filter=a b%%c\"\n")
                && it.at("/etc/systemd/system/old.timer").is_none()
        },
    }
}

fn parameters() -> Life {
    let mut host = leader();
    for name in ["worker-token", "manager-token"] {
        host.machine.parameters.insert(format!("/lyceum/geo-101/{name}"), "none".into());
    }
    Life {
        kind: "parameter",
        host,
        steps: "
- {name: worker, parameter: {name: worker-token, from: swarm-worker-token}}
- {name: manager, parameter: {name: manager-token, from: swarm-manager-token}}",
        damages: vec![
            ("lost", |it| {
                it.parameters.insert("/lyceum/geo-101/worker-token".into(), "none".into());
            }),
            ("rotated", |it| it.swarms.values_mut().next().unwrap().secret = "r0tated".into()),
        ],
        holds: |it| {
            let swarm = it.swarms.values().next().unwrap();
            ["worker", "manager"].into_iter().all(|role| {
                it.parameters[&format!("/lyceum/geo-101/{role}-token")] == swarm.token(role)
            })
        },
    }
}

#[test]
fn every_kind_converges_does_nothing_twice_and_is_repaired() {
    let lives = [
        packages(),
        files(),
        directories(),
        symlinks(),
        accounts(),
        services(),
        units(),
        mounts(),
        sysctls(),
        modules(),
        swarms(),
        networks(),
        images(),
        docker_services(),
        containers(),
        commands(),
        timers(),
        parameters(),
    ];
    let mut lived: BTreeSet<&str> = lives.iter().map(|life| life.kind).collect();
    // Users and groups live together.
    lived.insert("group");
    assert_eq!(lived, STEP_KINDS.iter().copied().collect());
    for life in lives {
        live(life);
    }
}
