//! Parts in the swarm, and what its leader does for the others.

use std::collections::BTreeMap;

use lyceum_core::node::host::{Cause, SwarmMember};
use lyceum_core::node::report::StepOutcome;
use lyceum_testkit::{FakeFile, FakeHost, FakeSwarm};
use serde_json::json;

use super::{apply, differences, dry_run, failure, is_well, leader, plan_of, with_docker};

const TEND: &str =
    "- {name: swarm, swarm: {part: leader, availability: drain, labels: {hub: 'yes'}, tend: true}}";

fn member(id: &str, hostname: &str, state: &str, availability: &str) -> SwarmMember {
    SwarmMember {
        id: id.into(),
        hostname: hostname.into(),
        address: "10.20.0.50".into(),
        role: "worker".into(),
        availability: availability.into(),
        state: state.into(),
        labels: BTreeMap::new(),
    }
}

fn with_members(members: Vec<SwarmMember>, peers: &[(&str, bool)]) -> FakeHost {
    let mut host = leader();
    host.machine.own_swarm("test").unwrap().members.extend(members);
    host.machine.peers = peers.iter().map(|(id, ready)| (id.to_string(), *ready)).collect();
    host
}

/// Availability by host name, after the leader has converged.
fn tended(host: &mut FakeHost) -> BTreeMap<String, String> {
    let plan = plan_of(TEND);
    let outcomes = apply(host, &plan);
    assert!(outcomes.values().all(is_well), "{outcomes:#?}");
    assert!(apply(host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
    let own = host.machine.docker.swarm.node_id.clone();
    let members = host.machine.own_swarm("test").unwrap().members.iter();
    let others = members.filter(|it| it.id != own);
    others.map(|it| (it.hostname.clone(), it.availability.clone())).collect()
}

#[test]
fn ready_peers_take_work_and_those_that_are_not_take_no_more() {
    let mut host = with_members(
        vec![
            member("a", "i-0aa", "ready", "pause"),
            member("b", "i-0bb", "ready", "active"),
            member("c", "i-0cc.ec2.internal", "ready", "pause"),
            member("d", "i-0dd", "ready", "drain"),
            member("e", "laptop", "ready", "active"),
        ],
        &[("i-0aa", true), ("i-0bb", false), ("i-0cc", true), ("i-0dd", true)],
    );
    let found = tended(&mut host);
    let expected = [
        ("i-0aa", "active"),
        ("i-0bb", "pause"),
        ("i-0cc.ec2.internal", "active"),
        // Somebody drains it.
        ("i-0dd", "drain"),
        // Nobody knows what it is.
        ("laptop", "active"),
    ];
    assert_eq!(found, expected.map(|(name, it)| (name.to_string(), it.to_string())).into());
}

#[test]
fn what_an_operator_holds_stays_as_it_is_and_takes_no_more_when_it_is_not_ready() {
    let held = |id: &str, hostname: &str, state: &str, availability: &str| {
        let mut member = member(id, hostname, state, availability);
        member.labels.insert("lyceum.hold".into(), "true".into());
        member
    };
    let mut released = held("d", "i-0dd", "ready", "pause");
    released.labels.insert("lyceum.hold".into(), "false".into());
    let mut host = with_members(
        vec![
            held("a", "i-0aa", "ready", "pause"),
            held("b", "i-0bb", "ready", "active"),
            held("c", "i-0cc", "down", "pause"),
            released,
        ],
        &[("i-0aa", true), ("i-0bb", false), ("i-0dd", true)],
    );
    let found = tended(&mut host);
    let expected = [("i-0aa", "pause"), ("i-0bb", "pause"), ("i-0dd", "active")];
    assert_eq!(found, expected.map(|(name, it)| (name.to_string(), it.to_string())).into());
    let own = host.machine.docker.swarm.node_id.clone();
    host.machine.own_swarm("test").unwrap().members.iter_mut().for_each(|it| {
        if it.id == own {
            it.labels.insert("lyceum.hold".into(), "true".into());
            it.availability = "pause".into();
        }
    });
    assert!(apply(&mut host, &plan_of(TEND)).values().all(|it| *it == StepOutcome::Unchanged));
}

#[test]
fn only_what_is_down_and_gone_is_removed() {
    let mut host = with_members(
        vec![
            member("a", "i-0aa", "down", "active"),
            member("b", "i-0bb", "down", "active"),
            member("c", "i-0cc", "ready", "active"),
            member("d", "laptop", "down", "active"),
        ],
        // The report of a is gone with its instance; b is cut off.
        &[("i-0bb", true)],
    );
    let plan = plan_of(TEND);
    let told = differences(&dry_run(&mut host, &plan)["r/swarm"]).join("\n");
    assert!(told.contains("member i-0aa: down -> removed"), "{told}");
    let found = tended(&mut host);
    let expected = [("i-0bb", "active"), ("i-0cc", "pause"), ("laptop", "active")];
    assert_eq!(found, expected.map(|(name, it)| (name.to_string(), it.to_string())).into());
}

#[test]
fn a_label_tells_members_apart_where_host_names_do_not() {
    let mut labelled = member("a", "ip-10-0-0-1", "ready", "pause");
    labelled.labels.insert("lyceum.instance".into(), "i-0aa".into());
    let mut host = with_members(vec![labelled], &[("i-0aa", true)]);
    assert_eq!(tended(&mut host)["ip-10-0-0-1"], "active");
    let members = &host.machine.own_swarm("test").unwrap().members;
    assert!(members.iter().any(|it| it.labels.contains_key("lyceum.instance")), "labels stay");
}

#[test]
fn while_nothing_is_known_of_peers_nothing_is_done_to_them() {
    let mut host = with_members(vec![member("a", "i-0aa", "down", "active")], &[]);
    host.refuse("peers", Cause::Unreachable);
    assert!(apply(&mut host, &plan_of(TEND)).values().all(is_well));
    assert_eq!(host.machine.own_swarm("test").unwrap().members.len(), 2);
    host.relent();
    host.refuse("peers", Cause::Denied);
    assert!(failure(&apply(&mut host, &plan_of(TEND)), "r/swarm").0.contains("peers"));
}

#[test]
fn a_leader_labels_itself_and_takes_what_it_is_told() {
    let mut host = with_docker();
    assert!(apply(&mut host, &plan_of(TEND)).values().all(is_well));
    let own = host.machine.own_swarm("test").unwrap().members[0].clone();
    assert_eq!((own.availability.as_str(), own.labels["hub"].as_str()), ("drain", "yes"));
    assert_eq!(host.machine.docker.swarm.address, "10.20.0.11");
}

#[test]
fn a_leader_known_by_another_address_says_so_and_keeps_its_swarm() {
    let mut host = leader();
    let plan = plan_of("- {name: swarm, swarm: {part: leader, address: 10.20.0.99}}");
    let (error, hint) = failure(&apply(&mut host, &plan), "r/swarm");
    assert_eq!(error, "the swarm knows this node by 10.20.0.11, not 10.20.0.99");
    assert!(hint.contains("its old address"), "{hint}");
    assert_eq!(host.machine.docker.swarm.state, "active");
}

const JOIN: &str = "- {name: swarm, swarm: {part: PART, join: '10.20.0.10:2377', token: PART-token, availability: pause}}";

fn near_a_leader() -> FakeHost {
    let mut host = with_docker();
    let swarm = FakeSwarm::new("certificate", "s3cr3t");
    for role in ["worker", "manager"] {
        host.machine.parameters.insert(format!("/lyceum/geo-101/{role}-token"), swarm.token(role));
    }
    host.machine.swarms.insert("10.20.0.10".into(), swarm);
    host
}

#[test]
fn workers_and_managers_join_with_their_tokens() {
    for part in ["worker", "manager"] {
        let mut host = near_a_leader();
        let plan = plan_of(&JOIN.replace("PART", part));
        assert!(apply(&mut host, &plan).values().all(is_well));
        assert_eq!(host.machine.docker.swarm.manager, part == "manager");
        assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
    }
}

#[test]
fn a_wrong_or_missing_token_says_which_and_what_to_do() {
    let plan = plan_of(&JOIN.replace("PART", "worker"));
    let mut host = near_a_leader();
    let name = "/lyceum/geo-101/worker-token";
    host.machine.parameters.insert(name.into(), "SWMTKN-1-wrong-one".into());
    let (error, hint) = failure(&apply(&mut host, &plan), "r/swarm");
    assert!(error.contains("invalid join token") && hint.contains(name), "{error} {hint}");
    host.machine.parameters.insert(name.into(), "none".into());
    let (error, hint) = failure(&apply(&mut host, &plan), "r/swarm");
    assert_eq!(error, format!("the parameter {name} has no value"));
    assert!(hint.contains("leader publishes it"), "{hint}");
    host.machine.swarms.clear();
    host.machine.parameters.insert(name.into(), "SWMTKN-1-wrong-one".into());
    assert!(failure(&apply(&mut host, &plan), "r/swarm").0.contains("connection refused"));
}

#[test]
fn a_worker_whose_token_is_missing_leaves_nothing() {
    let mut host = near_a_leader();
    let plan = plan_of(&JOIN.replace("PART", "worker"));
    apply(&mut host, &plan);
    host.machine.docker.swarm.managers = vec!["10.9.9.9:2377".into()];
    host.machine.parameters.insert("/lyceum/geo-101/worker-token".into(), "none".into());
    host.log.clear();
    failure(&apply(&mut host, &plan), "r/swarm");
    assert!(host.log.is_empty(), "{:?}", host.log);
}

/// A worker of a swarm that works, and the parameter of its token.
fn worker() -> (FakeHost, lyceum_core::node::plan::NodePlan, String) {
    let mut host = near_a_leader();
    let plan = plan_of(&JOIN.replace("PART", "worker"));
    assert!(apply(&mut host, &plan).values().all(is_well));
    host.log.clear();
    (host, plan, "/lyceum/geo-101/worker-token".into())
}

#[test]
fn a_worker_whose_swarm_works_leaves_it_for_no_token() {
    let (mut host, plan, name) = worker();
    let foreign = FakeSwarm::new("foreign", "0ther").token("worker");
    for token in [foreign.as_str(), "SWMTKN-1-not-one"] {
        host.machine.parameters.insert(name.clone(), token.into());
        let (error, hint) = failure(&apply(&mut host, &plan), "r/swarm");
        assert!(error.contains("10.20.0.10:2377, which works"), "{error}");
        assert!(hint.contains(&name) && hint.contains("docker swarm leave"), "{hint}");
        assert!(!format!("{error}{hint}").contains(token));
    }
    // Nor for another manager, while its own answers.
    let (mut host, _, _) = worker();
    let elsewhere = plan_of(&JOIN.replace("PART", "worker").replace("10.20.0.10", "10.20.0.77"));
    failure(&apply(&mut host, &elsewhere), "r/swarm");
    assert_eq!(host.machine.docker.swarm.state, "active");
    assert_eq!(host.log, [] as [String; 0]);
    // Where nothing can ask the manager it is taken to answer.
    host.refuse("run openssl", Cause::NotFound);
    failure(&apply(&mut host, &elsewhere), "r/swarm");
    assert_eq!(host.log, [] as [String; 0]);
}

#[test]
fn a_worker_leaves_a_swarm_that_is_no_more_once_its_servers_have_ended() {
    let (mut host, plan, name) = worker();
    let other = FakeSwarm::new("another certificate", "0ther");
    host.machine.parameters.insert(name, other.token("worker"));
    host.machine.swarms.insert("10.20.0.10".into(), other);
    let server = json!({"Name": "/jupyter-ada", "Config": {"Labels": {"lyceum.session": "ada"}}});
    host.machine.docker.containers.insert("c".into(), server);
    let (error, hint) = failure(&apply(&mut host, &plan), "r/swarm");
    assert_eq!(error, "1 notebook servers run here, and leaving ends them");
    assert!(hint.contains("docker swarm leave"), "{hint}");
    assert_eq!(host.log, [] as [String; 0]);
    host.machine.docker.containers.clear();
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert_eq!(host.log, ["swarm_leave", "swarm_join 10.20.0.10:2377"]);
}

#[test]
fn nobody_is_told_to_be_in_no_swarm_while_servers_run() {
    let (mut host, ..) = worker();
    let server = json!({"Name": "/jupyter-ada", "Config": {"Labels": {"lyceum.session": "ada"}}});
    host.machine.docker.containers.insert("c".into(), server);
    let plan = plan_of("- {name: swarm, swarm: {part: none}}");
    failure(&apply(&mut host, &plan), "r/swarm");
    assert_eq!(host.machine.docker.swarm.state, "active");
}

const LEAD: &str = "- {name: swarm, swarm: {part: leader, address: 10.20.0.11}}";
const STATE: &str = "/var/lib/docker/swarm/docker-state.json";

#[test]
fn docker_that_started_before_its_state_was_there_takes_it_up_and_begins_no_other_swarm() {
    let mut host = leader();
    let before = host.machine.docker.swarm.clone();
    let token = host.machine.swarms["10.20.0.11"].token("worker");
    host.machine.docker.swarm = Default::default();
    assert!(apply(&mut host, &plan_of(LEAD)).values().all(is_well));
    assert_eq!(host.log, ["restart docker.service"]);
    assert_eq!(host.machine.docker.swarm, before);
    assert_eq!(host.machine.swarms["10.20.0.11"].token("worker"), token);
}

#[test]
fn a_state_that_docker_does_not_take_up_is_never_wiped() {
    let kept =
        [(STATE, FakeFile::file("spoilt")), ("/var/lib/docker/swarm/raft", FakeFile::directory())];
    for (path, file) in kept {
        let mut host = with_docker();
        host.machine.put(path, file);
        let (error, hint) = failure(&apply(&mut host, &plan_of(LEAD)), "r/swarm");
        assert!(error.contains("does not take it up") && hint.contains("wipe"), "{error} {hint}");
        assert!(host.machine.at(path).is_some() && host.machine.swarms.is_empty());
    }
}

#[test]
fn a_node_without_a_part_leaves() {
    let mut host = leader();
    let plan = plan_of("- {name: swarm, swarm: {part: none}}");
    assert!(apply(&mut host, &plan).values().all(is_well));
    assert!(host.machine.swarms.is_empty());
    assert!(apply(&mut host, &plan).values().all(|it| *it == StepOutcome::Unchanged));
}

#[test]
fn a_swarm_that_cannot_be_used_says_why() {
    for (state, expected) in
        [("pending", "still joining"), ("locked", "locked"), ("error", "broken")]
    {
        let mut host = leader();
        host.machine.docker.swarm.state = state.into();
        let plan = plan_of("- {name: swarm, swarm: {part: leader}}");
        let (error, _) = failure(&apply(&mut host, &plan), "r/swarm");
        assert!(error.contains(expected), "{error}");
    }
}
