//! A node is a machine: it knows itself, installs packages, survives a power cut.

use std::time::Duration;

use crate::kit::{Cloud, metadata};

#[test]
fn a_node_is_a_machine_with_an_identity_of_its_own() {
    let mut cloud = Cloud::open("machine");
    let mut specs = [cloud.spec("first", 1), cloud.spec("second", 2)];
    specs[0].memory_mib = Some(2_048);
    specs[0].environment.insert("AWS_ENDPOINT_URL".to_owned(), "http://10.0.0.1:4566".to_owned());
    let nodes = [cloud.node(&specs[0]), cloud.node(&specs[1])];
    for (node, spec) in nodes.iter().zip(&specs) {
        assert_eq!(metadata(node, "meta-data/instance-id"), spec.identity.instance_id);
        assert_eq!(metadata(node, "meta-data/local-ipv4"), spec.address.to_string());
        assert_eq!(metadata(node, "meta-data/iam/security-credentials/"), "node");
        assert_eq!(node.succeed(&["hostname"]).unwrap(), spec.name);
        assert_eq!(node.address().unwrap(), Some(spec.address));
    }
    cloud.done("metadata");

    let [first, second] = &nodes;
    let memory = first.succeed(&["docker", "info", "--format", "{{.MemTotal}}"]).unwrap();
    assert_eq!(memory, (2_048_u64 * 1_024 * 1_024).to_string());
    // systemd runs the node, and finds nothing wrong with it.
    first.shell("systemctl is-system-running --wait || { systemctl --failed; false; }").unwrap();
    assert_eq!(first.succeed(&["cat", "/proc/1/comm"]).unwrap(), "systemd");
    first
        .shell(". /etc/lyceum/environment; test $AWS_ENDPOINT_URL = http://10.0.0.1:4566")
        .unwrap();
    second.shell("test -z \"$(cat /etc/lyceum/environment)\"").unwrap();

    // Its packages come from a repository of its own.
    second.shell("apt-get -qq update && apt-get -qq install -y lyceum-sample=1.0").unwrap();
    assert_eq!(second.read("/usr/share/lyceum-sample/version").unwrap(), "1.0");
    second.shell("apt-get -qq install -y lyceum-sample tree && tree --version").unwrap();
    assert_eq!(second.read("/usr/share/lyceum-sample/version").unwrap(), "1.1");
    cloud.done("packages");
    cloud.close();
}

#[test]
fn user_data_runs_once_in_the_life_of_an_instance() {
    let mut cloud = Cloud::open("user-data");
    let mut spec = cloud.spec("node", 1);
    let script = "#!/bin/bash\nset -euo pipefail\necho said once\ndate +%N >> /var/lib/ran\n";
    spec.identity.user_data = Some(script.to_owned());
    let node = cloud.node(&spec);
    let said = node.wait_for_user_data(Duration::from_secs(60)).unwrap();
    assert_eq!(said.trim(), "said once");
    let ran = node.read("/var/lib/ran").unwrap();
    assert_eq!(ran.lines().count(), 1);
    cloud.done("user data");

    node.cut_power().unwrap();
    assert!(!node.is_running().unwrap());
    node.start().unwrap();
    node.wait_until_ready().unwrap();
    node.wait_for_user_data(Duration::from_secs(60)).unwrap();
    assert_eq!(node.read("/var/lib/ran").unwrap(), ran);
    cloud.done("power cut and back");

    // Stopped in order and started, it is the same instance still.
    node.stop().unwrap();
    node.start().unwrap();
    node.wait_for_user_data(Duration::from_secs(60)).unwrap();
    assert_eq!(node.read("/var/lib/ran").unwrap(), ran);
    cloud.done("stop and start");

    // A script that fails is told with what it said.
    let mut spec = cloud.spec("failing", 2);
    spec.identity.user_data = Some("#!/bin/sh\necho what is wrong\nexit 3\n".to_owned());
    let failing = cloud.node(&spec);
    let error = failing.wait_for_user_data(Duration::from_secs(60)).unwrap_err();
    assert!(error.to_string().contains("what is wrong"), "{error}");

    cloud.ground.remove_node(&failing).unwrap();
    let left: Vec<String> =
        cloud.ground.nodes().unwrap().iter().map(|node| node.name().to_owned()).collect();
    assert_eq!(left, ["node"]);
    cloud.close();
}

#[test]
fn a_full_disk_takes_nothing_and_is_emptied_again() {
    let mut cloud = Cloud::open("disk");
    let node = cloud.node(&cloud.spec("node", 1));
    node.write("/etc/lyceum/kept", b"kept\n", "0640").unwrap();
    node.fill_disk("/etc/lyceum", 1).unwrap();
    assert_eq!(node.read("/etc/lyceum/kept").unwrap(), "kept");
    let refused = node.run(&["bash", "-c", "echo more > /etc/lyceum/new"]).unwrap();
    assert!(refused.stderr.contains("No space left"), "{refused:?}");
    node.empty_disk("/etc/lyceum").unwrap();
    node.write("/etc/lyceum/new", b"more\n", "0644").unwrap();
    assert_eq!(node.succeed(&["stat", "-c", "%a", "/etc/lyceum/kept"]).unwrap(), "640");
    assert!(node.fill_disk("/etc", 100_000).is_err());
    cloud.close();
}
