//! `apply` and `destroy` as a person calls them: what they ask, what they take
//! for a yes, what they say meanwhile.

use std::time::Duration;

use system_tests::scenario::{Ended, Lyceum, Repo, World};

use crate::service::{said, until, writes};

const APPLY: &[&str] = &["apply"];
const DESTROY: &[&str] = &["destroy", "--cluster", "geo-101"];
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command at a terminal, and answers its question.
fn answered(program: &Lyceum, command: &[&str], question: &str, answer: &str) -> Ended {
    let mut running = program.clone().at_terminal().start(command).unwrap();
    until(&running, PATIENCE, || said(&running).contains(question));
    running.types(answer).unwrap();
    running.wait().unwrap()
}

#[test]
fn at_a_terminal_it_asks_and_nothing_but_a_yes_is_one() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let question = "Make these changes? [y/N] ";
    for answer in ["", "no", "yes!"] {
        let ended = answered(&program, APPLY, question, answer).exited(1).unwrap();
        assert!(ended.stdout.contains("nothing was changed"), "{answer}: {ended}");
        assert_eq!(writes(&world), 0, "{answer}");
    }
    let ended = answered(&program, APPLY, question, "yes").succeeded().unwrap();
    assert!(ended.stdout.contains("\u{1b}["), "there is no live display: {ended}");
    world.fidelity(repo.path()).unwrap();
    destroying_asks_for_the_name(&program, &repo, &world);
}

fn destroying_asks_for_the_name(program: &Lyceum, repo: &Repo, world: &World) {
    repo.edit("clusters/geo-101/cluster.yaml", "suspend: false", "suspend: true").unwrap();
    repo.commit("The term is over").unwrap();
    world.proxy.forget_attempts();
    let question = "Type geo-101 to confirm: ";
    for answer in ["yes", "geo"] {
        let ended = answered(program, DESTROY, question, answer).exited(1).unwrap();
        assert!(ended.stdout.contains("nothing was removed"), "{answer}: {ended}");
        assert_eq!(writes(world), 0, "{answer}");
    }
    let ended = answered(program, DESTROY, question, "geo-101").succeeded().unwrap();
    assert!(world.inventory().unwrap().objects("scaling-group").is_empty(), "{ended}");
}

#[test]
fn without_a_terminal_nobody_is_asked_and_lines_are_plain() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    // A yes that is piped into it is nobody's.
    let ended = program.run_reading(APPLY, "yes\n").unwrap().exited(1).unwrap();
    assert!(ended.stderr.contains("nobody is at the terminal to be asked"), "{ended}");
    assert!(ended.stderr.contains("--yes"), "{ended}");
    assert_eq!(writes(&world), 0);

    // What is not committed is neither applied nor forgotten.
    repo.edit("clusters/geo-101/cluster.yaml", "max: 20", "max: 25").unwrap();
    let ended = program.apply().unwrap();
    assert!(ended.stderr.contains("note: the working tree has changes"), "{ended}");
    assert!(ended.stderr.contains("+ geo-101/vpc/main … done "), "{ended}");
    assert!(!ended.said().contains('\u{1b}'), "{ended}");
    repo.git(&["checkout", "--quiet", "."]).unwrap();
    world.fidelity(repo.path()).unwrap();

    repo.edit("clusters/geo-101/cluster.yaml", "suspend: false", "suspend: true").unwrap();
    repo.commit("The term is over").unwrap();
    world.proxy.forget_attempts();
    let ended = program.run_reading(DESTROY, "geo-101\n").unwrap().exited(1).unwrap();
    assert!(ended.stderr.contains("nobody is at the terminal to be asked"), "{ended}");
    assert_eq!(writes(&world), 0);
}
