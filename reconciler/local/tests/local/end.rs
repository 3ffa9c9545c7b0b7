//! A cloud leaves nothing, however it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use lyceum_local::{Daemon, Docker, Ground, LABEL, Node};

use crate::kit::{Cloud, options, place};

#[test]
fn nothing_is_left_of_a_cloud_that_ends() {
    let mut cloud = Cloud::open("end");
    let name = cloud.ground.name().to_owned();
    cloud.node(&cloud.spec("node", 1));
    // Ours to look with when the cloud has let go of it.
    let daemon = Daemon::start(&place()).unwrap();
    let docker = daemon.docker();
    assert_eq!(left(docker, &name).len(), 7, "{:?}", left(docker, &name));
    cloud.close();
    assert_eq!(left(docker, &name), Vec::<String>::new());
}

#[test]
fn a_name_is_one_clouds_alone() {
    let name = options("taken");
    let cloud = Cloud::open("taken");
    let error = Ground::open(&place(), &name).unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    cloud.close();
}

#[test]
fn what_a_crash_leaves_is_removed_by_the_next() {
    let name = format!("crashed-{}", std::process::id());
    let mut other = example(&name);
    let daemon = Daemon::start(&place()).unwrap();
    let docker = daemon.docker();
    assert!(Node::named(docker, &name, "node-1").is_running().unwrap());
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(!left(docker, &name).is_empty());

    let cloud = Cloud::open("next");
    assert_eq!(left(docker, &name), Vec::<String>::new());
    cloud.close();
}

/// The example, in a process of its own, once it says that it is ready.
fn example(name: &str) -> Child {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    let mut child = Command::new(program.join("examples/cloud"))
        .args([name, "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines
        .map_while(Result::ok)
        .inspect(|line| crate::kit::say(line))
        .take_while(|line| !line.ends_with("; ready"))
        .collect();
    assert!(child.try_wait().unwrap().is_none(), "{said:?}");
    child
}

/// Whatever there is of a cloud: containers, volumes, networks, rules, folders.
fn left(docker: &Docker, name: &str) -> Vec<String> {
    let filter = format!("label={LABEL}={name}");
    let mut left = Vec::new();
    for kind in [vec!["container", "ls", "--all"], vec!["volume", "ls"], vec!["network", "ls"]] {
        let ask = [kind, vec!["--quiet", "--filter", &filter]].concat();
        left.extend(docker.succeed(&ask).unwrap().lines().map(str::to_owned));
    }
    let rules = Command::new("iptables").args(["-w", "-t", "nat", "-S"]).output().unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    left.extend(rules.lines().filter(|rule| rule.contains(name)).map(str::to_owned));
    let folder = place().cache().join("clouds").join(name);
    if folder.exists() {
        left.push(folder.display().to_string());
    }
    left
}
