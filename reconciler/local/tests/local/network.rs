//! Nodes reach each other, form a swarm, and are cut off.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lyceum_local::{Node, wait_until};

use crate::kit::Cloud;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn two_nodes_form_a_swarm_and_one_is_cut_off_and_healed() {
    let mut cloud = Cloud::open("swarm");
    let leader = cloud.node(&cloud.spec("leader", 1));
    let worker = cloud.node(&cloud.spec("worker", 2));
    let at = cloud.address(1);
    leader
        .shell(&format!("docker swarm init --advertise-addr {at} --dispatcher-heartbeat 1s"))
        .unwrap();
    let token = leader.succeed(&["docker", "swarm", "join-token", "-q", "worker"]).unwrap();
    worker.shell(&format!("docker swarm join --token {token} {at}:2377")).unwrap();
    expect(&leader, "worker", "Ready");
    cloud.done("swarm of two");

    cloud.ground.set_name("hub.example.org", IpAddr::V4(at)).unwrap();
    leader.shell("echo here > /var/www/html/page && systemctl start nginx").unwrap();
    assert_eq!(worker.shell("curl -fsS -m 5 http://hub.example.org/page").unwrap(), "here");
    cloud.done("a name");

    worker.cut_network().unwrap();
    worker.cut_network().unwrap();
    let ask = ["curl", "-fsS", "-m", "2", &format!("http://{at}/page")];
    assert!(!worker.run(&ask).unwrap().success());
    assert!(worker.run(&["true"]).unwrap().success());
    expect(&leader, "worker", "Down");
    cloud.done("cut off");

    worker.heal_network().unwrap();
    assert_eq!(worker.succeed(&ask).unwrap(), "here");
    expect(&leader, "worker", "Ready");
    cloud.done("healed");
    cloud.close();
}

#[test]
fn a_node_reaches_what_listens_on_this_machine_only_through_a_forwarder() {
    let mut cloud = Cloud::open("forward");
    let node = cloud.node(&cloud.spec("node", 1));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    std::thread::spawn(move || answer(&listener));
    let forward = cloud.ground.forward(0, target).unwrap();
    let SocketAddr::V4(address) = forward.address() else { panic!() };
    assert_eq!(*address.ip(), cloud.ground.host());
    let ask = ["curl", "-fsS", "-m", "5", &format!("http://{address}/")];
    assert_eq!(node.succeed(&ask).unwrap(), "from the host");
    forward.set_target(None);
    assert!(!node.run(&ask).unwrap().success());
    forward.set_target(Some(target));
    assert_eq!(node.succeed(&ask).unwrap(), "from the host");
    cloud.close();
}

fn expect(leader: &Node, node: &str, status: &str) {
    let format = "{{.Hostname}} {{.Status}}";
    let wanted = format!("{node} {status}");
    wait_until(&wanted, SOON, || {
        let nodes = leader.succeed(&["docker", "node", "ls", "--format", format])?;
        Ok(nodes.lines().any(|line| line == wanted))
    })
    .unwrap();
}

/// The least of an HTTP server.
fn answer(listener: &std::net::TcpListener) {
    use std::io::{Read, Write};
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let _ = stream.read(&mut [0; 4_096]);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\ncontent-length: 13\r\n\r\nfrom the host");
    }
}
