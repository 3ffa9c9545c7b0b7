//! What goes wrong around a node is said with the step, the cause and the way
//! out, and stops nothing unrelated; and every kind of check, holding and not.

use lyceum_core::node::check::CHECK_KINDS;
use lyceum_core::node::host::Cause;
use lyceum_core::node::report::StepOutcome;
use lyceum_local::{Identity, Spec};

use super::kit::{Ran, Real, push_image};

const IMAGE: &str = "quay.io/lyceum/agent-faults:1";

#[test]
fn what_goes_wrong_around_a_node_is_said_and_stops_nothing_unrelated() {
    let real = Real::open("agent-faults");
    full_disk(&real);
    unreachable_registry(&real);
    wrong_token(&real);
    docker_away(&real);
    every_kind_of_check(&real);
    real.close();
}

/// The step's error; the step beside it was done.
fn failed(ran: &Ran, cause: Cause, says: &str) {
    let Some(StepOutcome::Failed { cause: is, error, hint }) = ran.step("it") else {
        panic!("{}", ran.text());
    };
    assert_eq!((*is, ran.code), (cause, Some(3)), "{}", ran.text());
    assert!(error.contains(says) && !hint.is_empty(), "{}", ran.text());
    let unrelated = ran.step("unrelated");
    assert!(matches!(unrelated, Some(StepOutcome::Changed { .. })), "{}", ran.text());
}

fn with_unrelated(real: &Real, steps: &str) -> Ran {
    real.shell("rm -f /etc/unrelated");
    let unrelated = "- {name: unrelated, file: {path: /etc/unrelated, content: x}}";
    real.converge(&format!("steps:\n{steps}\n{unrelated}"))
}

fn full_disk(real: &Real) {
    real.shell("mkdir -p /srv/full; echo old > /srv/full/a");
    real.node.fill_disk("/srv/full", 2).unwrap();
    let step = "- {name: it, file: {path: /srv/full/a, content: 'a text of some length'}}";
    let ran = with_unrelated(real, step);
    failed(&ran, Cause::Full, "/srv/full/a");
    assert_eq!(real.shell("cat /srv/full/a; ls -A /srv/full | grep -c new || true"), "old\n0");
    real.node.empty_disk("/srv/full").unwrap();
    assert_eq!(with_unrelated(real, step).code, Some(0));
    real.shell("rm -rf /srv/full");
}

fn unreachable_registry(real: &Real) {
    let digest = push_image(&real.ground, IMAGE, "faults");
    let step = format!(
        "- {{name: it, docker_image: {{image: '{}@{digest}'}}}}",
        IMAGE.trim_end_matches(":1")
    );
    real.ground.registry().stop().unwrap();
    failed(&with_unrelated(real, &step), Cause::Unreachable, "quay.io/lyceum/agent-faults");
    real.ground.registry().start().unwrap();
    lyceum_local::wait_until("the image", std::time::Duration::from_secs(60), || {
        Ok(with_unrelated(real, &step).code == Some(0))
    })
    .unwrap();
}

fn wrong_token(real: &Real) {
    let address = real.ground.subnet().address(5);
    let leader = Spec::new("leader", address, Identity::of("i-00000000000000002"));
    let leader = real.ground.start_node(&leader).unwrap();
    leader.wait_until_ready().unwrap();
    leader.shell(&format!("docker swarm init --advertise-addr {address} >/dev/null")).unwrap();
    let token = leader.shell("docker swarm join-token -q worker").unwrap();
    let step = format!(
        "- {{name: it, swarm: {{part: worker, join: '{address}:2377', token: swarm-join-token, \
         availability: pause}}}}"
    );
    failed(&with_unrelated(real, &step), Cause::NotFound, "swarm-join-token");
    let tell = |token: &str| {
        let text = format!("/lyceum/try/swarm-join-token: {token}\n");
        real.node.write("/parameters.yaml", text.as_bytes(), "0600").unwrap();
    };
    let (head, _) = token.rsplit_once('-').unwrap();
    let wrong = format!("{head}-0000000000000000000000000");
    tell(&wrong);
    let ran = with_unrelated(real, &step);
    failed(&ran, Cause::Refused, "join");
    assert!(!ran.text().contains(&wrong), "the token is shown: {}", ran.text());
    tell(&token);
    let ran = with_unrelated(real, &step);
    assert_eq!(ran.code, Some(0), "{}", ran.text());
    let members = "docker node ls --format '{{.Hostname}} {{.Availability}} {{.Status}}'";
    let members = leader.shell(members).unwrap();
    assert!(members.contains("node Pause Ready"), "{members}");
    let leave = with_unrelated(real, "- {name: it, swarm: {part: none}}");
    assert_eq!(leave.code, Some(0), "{}", leave.text());
    real.ground.remove_node(&leader).unwrap();
}

fn docker_away(real: &Real) {
    real.shell("systemctl stop docker.socket docker");
    let ran = with_unrelated(real, "- {name: it, docker_network: {name: n, driver: bridge}}");
    failed(&ran, Cause::Unreachable, "Docker does not answer");
    real.shell("systemctl start docker");
    let ran = with_unrelated(real, "- {name: it, docker_network: {name: n, driver: bridge}}");
    assert_eq!(ran.code, Some(0), "{}", ran.text());
}

fn every_kind_of_check(real: &Real) {
    let address = real.address();
    real.shell(
        "systemctl start nginx; mkdir -p /srv/m; echo text > /srv/check; \
         mountpoint -q /srv/m || mount -t nfs4 fs-1.efs.us-east-1.amazonaws.com:/ /srv/m",
    );
    let digest = push_image(&real.ground, IMAGE, "faults");
    let image = format!("{}@{digest}", IMAGE.trim_end_matches(":1"));
    let steps = format!(
        "steps:\n- {{name: swarm, swarm: {{part: leader, address: {address}}}}}\n\
         - {{name: sleeper, docker_service: {{name: sleeper, image: '{image}'}}}}\n"
    );
    let ran = real.converge(&steps);
    assert_eq!(ran.code, Some(0), "{}", ran.text());
    let holding = "checks:\n\
        - {name: port, port: {port: 80}}\n\
        - {name: http, http: {url: 'http://localhost/', contains: nginx}}\n\
        - {name: command, command: {run: [sh, -c, 'echo yes; exit 3'], code: 3, contains: 'yes'}}\n\
        - {name: file, file: {path: /srv/check, contains: text}}\n\
        - {name: mount, mount: {path: /srv/m, type: nfs4}}\n\
        - {name: service, service: {unit: nginx.service}}\n\
        - {name: docker-service, docker_service: {name: sleeper}}\n\
        - {name: swarm, swarm: {manager: true}}\n";
    lyceum_local::wait_until("all checks to hold", std::time::Duration::from_secs(60), || {
        Ok(real.run(holding, &["check"]).code == Some(0))
    })
    .unwrap();
    let ran = real.run(holding, &["check"]);
    assert_eq!(ran.report.checks.len(), CHECK_KINDS.len());
    let failing = "checks:\n\
        - {name: port, port: {port: 81}}\n\
        - {name: http, http: {url: 'http://localhost/', status: 404}}\n\
        - {name: command, command: {run: ['false']}}\n\
        - {name: file, file: {path: /srv/check, mode: '0600'}}\n\
        - {name: mount, mount: {path: /srv, type: nfs4}}\n\
        - {name: service, service: {unit: no-such.service}}\n\
        - {name: docker-service, docker_service: {name: no-such}}\n\
        - {name: swarm, swarm: {manager: false}}\n";
    let ran = real.run(failing, &["check"]);
    let holds: Vec<_> = ran.report.checks.iter().filter(|check| check.holds).collect();
    assert!(ran.code == Some(4) && holds.is_empty(), "{}", ran.text());
    assert!(ran.report.checks.iter().all(|check| !check.seen.is_empty()), "{}", ran.text());
}
