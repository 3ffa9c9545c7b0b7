//! `lyceum local`, as a person calls it: a cluster brought up, looked at,
//! maltreated and ended on this machine, and nothing of it left.

// The whole crate is a test; clippy only sees that of the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod kit;
mod left;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::emulator::{hub_python, in_tests};

use kit::{Local, Ran};
use left::left;

/// Images are built once on a machine, which takes minutes of that.
const UP: Duration = Duration::from_secs(900);
const SOON: Duration = Duration::from_secs(240);

#[test]
fn what_is_missing_is_said_at_once_and_nothing_is_begun() {
    let local = Local::new("missing");
    let ran = local.bare(&["up"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("this machine lacks"), "{ran:?}");
    assert!(ran.err.contains("Python 3 with venv"), "{ran:?}");
    assert!(ran.err.contains("apt-get install python3-venv"), "{ran:?}");
    assert!(ran.err.contains("nothing was begun"), "{ran:?}");
    assert_eq!(left(&local), Vec::<String>::new());
}

#[test]
fn a_cloud_comes_up_is_looked_at_and_leaves_nothing() {
    let local = Local::new("story");
    let up = local.run_within(&["up", "--port", "0"], UP).succeeded();
    println!("{}", up.out);
    it_says_where_the_hub_is(&local, &up);
    let address = text(&local.state()["hub"]["address"]);
    somebody_works(&local, &address);
    its_nodes_are_reached(&local);
    its_nodes_are_maltreated(&local);
    its_service_is_kept_alive(&local);
    another_beside_it(&local);
    // Whoever works there is not lost with the cloud.
    let repository = text(&local.state()["repository"]);
    std::fs::write(format!("{repository}/README.md"), "my own words\n").unwrap();
    let down = local.run_within(&["down"], UP).succeeded();
    assert!(down.err.contains("but for your work"), "{down:?}");
    assert_eq!(left(&local), Vec::<String>::new());
    local.run(&["down"]).succeeded();
    it_comes_up_again_and_its_keeper_is_killed(&local);
}

/// What `up` ends with is true: the certificate is the one that is served.
fn it_says_where_the_hub_is(local: &Local, up: &Ran) {
    let state = local.state();
    assert_eq!(state["up"], true, "{state:#}");
    let served = "
import hashlib, ssl, sys, urllib.parse
at = urllib.parse.urlparse(sys.argv[1])
print(hashlib.sha256(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((at.hostname, at.port)))).hexdigest())
";
    let address = text(&state["hub"]["address"]);
    let served = Command::new("python3").args(["-c", served, &address]).output().unwrap();
    let served = String::from_utf8(served.stdout).unwrap().trim().to_uppercase();
    assert_eq!(served.len(), 64);
    assert_eq!(text(&state["hub"]["fingerprint"]).replace(':', ""), served);
    for said in ["address", "fingerprint"].map(|key| text(&state["hub"][key])) {
        assert!(up.out.contains(&said), "{said}: {}", up.out);
    }
    let names: Vec<String> = all(&state["nodes"]).iter().map(|node| text(&node["name"])).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(["hub", "workers-1", "workers-2"].iter().all(|name| names.contains(&(*name).into())));
    assert!(all(&state["standings"]).iter().all(|node| node["standing"] == "good"), "{state:#}");
    let again = local.run(&["up"]).succeeded();
    assert!(again.err.contains("is up already") && again.out.contains(&address), "{again:?}");
    let shown = local.run(&["status"]).succeeded().out;
    assert!(shown.contains("workers-2") && shown.contains("ready"), "{shown}");
}

/// With the login that `up` gave, through nginx, at the address that it gave.
fn somebody_works(local: &Local, address: &str) {
    let state = local.state();
    let (user, password) = (text(&state["login"]["user"]), text(&state["login"]["password"]));
    for (words, said) in [(vec!["start"], ""), (vec!["run", "6 * 7"], "42")] {
        let output = Command::new(hub_python().unwrap())
            .arg(in_tests("cookbooks/visit.py"))
            .args([address.trim_end_matches('/'), &user, &password])
            .args(&words)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && out.contains(said), "{words:?}: {out}{errors}");
    }
}

fn its_nodes_are_reached(local: &Local) {
    let id = local.id_of("workers-1");
    let shell = |words: &[&str]| local.run(&[&["shell", "workers-1", "--"], words].concat());
    assert_eq!(shell(&["hostname"]).succeeded().out.trim(), id);
    assert_eq!(shell(&["sh", "-c", "exit 7"]).code, Some(7));
    // By its id as well, and of that the beginning will do.
    local.run(&["shell", &id[..12], "--", "true"]).succeeded();
    let journal = local.run(&["logs", "hub", "-n", "50"]).succeeded().out;
    assert!(journal.lines().count() > 20, "{journal}");
    for log in ["service", "keeper", "emulator"] {
        assert!(!local.run(&["logs", log]).succeeded().out.is_empty(), "{log}");
    }
    followed(local);
    let shown = local.at_terminal(&["shell", "hub", "--", "tty"]);
    assert!(shown.out.contains("/dev/pts/"), "{shown:?}");
    let unknown = local.run(&["logs", "workers-9"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("workers-1"), "{unknown:?}");
}

/// What is written after the following began.
fn followed(local: &Local) {
    let (mut child, lines) = local.follow(&["logs", "hub", "-f", "-n", "1"]);
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        lines.map_while(Result::ok).try_for_each(|line| told.send(line)).ok();
    });
    heard.recv_timeout(SOON).expect("the line before");
    local.run(&["shell", "hub", "--", "logger", "a word of mine"]).succeeded();
    let begun = Instant::now();
    while !heard.recv_timeout(SOON).expect("another line").contains("a word of mine") {
        assert!(begun.elapsed() < SOON);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn its_nodes_are_maltreated(local: &Local) {
    let node = |deed: &str| local.run(&["node", "workers-2", deed]).succeeded();
    let shell = |line: &str| local.run(&["shell", "workers-2", "--", "bash", "-c", line]);
    let hub = text(&local.state()["hub"]["inside"]);
    let reach = format!("curl -ksS -m 3 -o /dev/null {hub}.lyceum/health");
    // A megabyte over a line of a megabit.
    let swift = timed(|| drop(shell(&upload(&hub))));
    node("slow");
    let slow = timed(|| drop(shell(&upload(&hub))));
    assert!(slow > Duration::from_secs(4) && slow > swift * 2, "{swift:?}, then {slow:?}");
    node("fill");
    let full = shell("echo more > /var/lib/lyceum/more");
    assert!(full.err.contains("No space left"), "{full:?}");
    shell(&reach).succeeded();
    node("cut");
    assert_ne!(shell(&reach).code, Some(0));
    node("heal");
    shell("echo more > /var/lib/lyceum/more && rm /var/lib/lyceum/more").succeeded();
    shell(&reach).succeeded();
    node("stop");
    assert_ne!(shell("true").code, Some(0));
    node("start");
    local.until("a stopped node to run", || shell("docker version").code == Some(0));
    node("kill");
    node("start");
    local.until("a killed node to run", || shell("docker version").code == Some(0));

    // A spot interruption: the node is told, then goes, and another takes its place.
    let id = local.id_of("workers-2");
    local.run(&["node", "workers-2", "notice", "--within", "15s"]).succeeded();
    let ask = "token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
               http://169.254.169.254/latest/api/token); \
               curl -fsS -m 5 -H \"X-aws-ec2-metadata-token: $token\" \
               http://169.254.169.254/latest/meta-data/spot/instance-action";
    let told = shell(ask).succeeded().out;
    assert!(told.contains("terminate"), "{told}");
    local.until("another worker in its place", || {
        let nodes = local.state()["nodes"].clone();
        let has = |name: &str| all(&nodes).iter().any(|node| node["name"] == name);
        has("workers-3") && all(&nodes).iter().all(|node| node["id"] != id.as_str())
    });
}

fn upload(hub: &str) -> String {
    format!(
        "head -c 1000000 /dev/zero | curl -ksS -m 60 -o /dev/null --data-binary @- {hub}hub/login"
    )
}

fn timed(act: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    act();
    begun.elapsed()
}

/// Whoever ends it, it is there again.
fn its_service_is_kept_alive(local: &Local) {
    let before = local.state()["service"].clone();
    local.signal(&before["alive"]["id"], "KILL");
    local.until("the service to be started again", || {
        let now = local.state();
        now["service"]["starts"].as_u64() > before["starts"].as_u64() && now["served"] == true
    });
}

/// Two clouds side by side, and a Ctrl-C that ends only the looking on.
fn another_beside_it(local: &Local) {
    let other = Local::new("beside");
    let mut up = other.start(&["up", "--port", "0"]);
    local.until("another cloud to begin", || {
        all(&other.state()["stages"]).len() >= 2 || up.try_wait().unwrap().is_some()
    });
    local.signal(&Value::from(up.id()), "INT");
    assert_eq!(up.wait().unwrap().code(), Some(130));
    let range = |state: Value| text(&state["hub"]["inside"]);
    local.until("its hub to have an address", || other.state()["hub"]["inside"].is_string());
    assert_eq!(other.state()["kept"], true);
    assert_ne!(range(local.state()), range(other.state()));
    other.run(&["down"]).succeeded();
    assert_eq!(left(&other), Vec::<String>::new());
    assert_eq!(local.state()["kept"], true);
    local.run(&["shell", "hub", "--", "true"]).succeeded();
}

/// Nothing has to be built or fetched now.
fn it_comes_up_again_and_its_keeper_is_killed(local: &Local) {
    let begun = Instant::now();
    local.run_within(&["up", "--port", "0"], UP).succeeded();
    println!("{:>7.1} s  the second `up`", begun.elapsed().as_secs_f32());
    let repository = text(&local.state()["repository"]);
    let words = std::fs::read_to_string(format!("{repository}/README.md")).unwrap();
    assert_eq!(words, "my own words\n");
    let (keeper, service) = {
        let state = local.state();
        (state["keeper"]["id"].clone(), state["service"]["alive"]["id"].clone())
    };
    local.signal(&keeper, "KILL");
    local.until("the service to end with its parent", || {
        !std::path::Path::new(&format!("/proc/{service}/cmdline")).exists()
    });
    let shown = local.run(&["status"]).succeeded().out;
    assert!(shown.contains("its keeper was killed"), "{shown}");
    assert!(!left(local).is_empty());
    local.run(&["down"]).succeeded();
    assert_eq!(left(local), Vec::<String>::new());
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn all(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}
