//! The agent's own update, as far as it goes without becoming another program:
//! what is not right is refused, said, and not tried again.

use lyceum_agent::round::Stop;
use lyceum_core::node::converge::Mode;
use lyceum_core::node::pointer::{AgentBinary, Target};
use lyceum_core::node::report::StepOutcome;
use lyceum_core::site::digest_of;

use crate::following::{AGENT, Site};

#[test]
fn an_agent_that_cannot_run_is_refused_once_and_reported() {
    let mut site = Site::new();
    let mut node = site.node();
    let program = b"#!/bin/sh\necho broken >&2\nexit 1\n";
    let agent = AgentBinary { digest: digest_of(program), size: program.len() as u64 };
    let key = format!("clusters/geo-101/agents/{}", agent.digest);
    site.cloud.put(&key, program);
    let target = Target { agent: Some(agent.clone()), ..site.target("one") };
    site.point(target);
    node.look();
    assert_eq!(node.other_agent(), Some(agent.clone()));
    for _ in 0..2 {
        node.replace(&agent);
        let report = node.converge(Mode::Apply, &Stop::default());
        assert_eq!(site.content(), "one", "the roles are converged all the same");
        let step = report.steps.iter().find(|step| step.id == "agent").unwrap();
        let StepOutcome::Failed { error, .. } = &step.outcome else { panic!("{step:?}") };
        assert!(error.contains("broken") && error.contains("goes on"), "{error}");
        assert!(!report.ready);
    }
    assert_eq!(site.cloud.count(&format!("GET /lyceum-artifacts/{key}")), 1, "fetched once");
    assert_eq!(std::fs::read(site.agent()).unwrap(), AGENT, "it stays what it was");
}

#[test]
fn an_agent_that_is_not_what_its_name_says_is_not_even_tried() {
    let mut site = Site::new();
    let mut node = site.node();
    let mark = site.folder.path().join("ran");
    let program = format!("#!/bin/sh\ntouch {}\n", mark.display());
    let agent = AgentBinary { digest: digest_of(b"another"), size: program.len() as u64 };
    let key = format!("clusters/geo-101/agents/{}", agent.digest);
    site.cloud.put(&key, program.as_bytes());
    let target = Target { agent: Some(agent.clone()), ..site.target("one") };
    site.point(target);
    node.look();
    node.replace(&agent);
    let report = node.converge(Mode::Apply, &Stop::default());
    let step = report.steps.iter().find(|step| step.id == "agent").unwrap();
    assert!(
        matches!(&step.outcome, StepOutcome::Failed { error, .. } if error.contains("tampered"))
    );
    assert!(!mark.exists());
    let fetched = || site.cloud.count(&format!("GET /lyceum-artifacts/{key}"));
    node.replace(&agent);
    assert_eq!(fetched(), 1, "not at every look");
    node.hurry();
    node.replace(&agent);
    assert_eq!(fetched(), 2);
}
