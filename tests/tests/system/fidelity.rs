//! What an apply makes is what the manifests say, and nothing is left to do.

use system_tests::dying::KNOWN_GAPS;
use system_tests::proxy::{Late, Lent};
use system_tests::scenario::{Lyceum, Repo, World};

#[test]
fn every_example_is_as_its_manifests_say_and_planning_again_finds_nothing() {
    let (world, repo) = (World::new().unwrap(), Repo::of_examples(&[]).unwrap());
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let applied = program.apply().unwrap();
    let found = world.fidelity(repo.path()).unwrap_or_else(|error| panic!("{error:#}\n{applied}"));
    print!("{found}");
    let plan = program.plan().unwrap();
    for cluster in plan["clusters"].as_array().unwrap() {
        assert_eq!(cluster["changes"].as_array().unwrap().len(), 0, "{cluster:#}");
    }
    assert!(program.settled().unwrap());
    for action in world.proxy.unimplemented() {
        assert!(KNOWN_GAPS.contains(&action.as_str()), "{action} is not implemented");
    }
}

#[test]
fn a_second_apply_changes_nothing() {
    let (world, repo) = (World::new().unwrap(), Repo::of_examples(&["geo-101"]).unwrap());
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let before = world.inventory().unwrap();
    world.proxy.forget_attempts();
    program.apply().unwrap();
    let changed: Vec<String> = world
        .proxy
        .attempts()
        .iter()
        .filter(|attempt| attempt.mutating && !attempt.summary.contains("/applied"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(changed, Vec::<String>::new());
    assert_eq!(before.difference(&world.inventory().unwrap()), Vec::<String>::new());
}

#[test]
fn short_pages_and_late_sight_lead_to_the_same_account() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let inventory = |lent| {
        let world = World::lending(lent).unwrap();
        let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
        program.apply().unwrap();
        assert!(program.settled().unwrap());
        world.inventory().unwrap()
    };
    let late = Late { reads: 3, lasting: std::time::Duration::from_millis(300) };
    let hard = inventory(Lent { late: Some(late), page: Some(2), ..Lent::default() });
    let easy = inventory(Lent::nothing());
    assert!(easy.count() > 30, "{easy:?}");
    assert_eq!(easy.difference(&hard), Vec::<String>::new());
}
