//! What a look costs: every call of every service counts.

use system_tests::bench::{calls_of_a_plan, repository};
use system_tests::proxy::Lent;
use system_tests::scenario::{Lyceum, Repo, World, said};

/// The calls of a plan that finds nothing to do.
fn calls(clusters: usize) -> usize {
    let repo = repository(clusters).unwrap();
    // Pages as long as AWS's: the lent ones are short.
    let world = World::lending(Lent::nothing()).unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    world.proxy.forget_attempts();
    assert!(program.settled().unwrap());
    world.proxy.attempts().len()
}

#[test]
fn a_plan_makes_no_more_calls_than_promised() {
    let (one, three) = (calls(1), calls(3));
    assert!(one <= calls_of_a_plan(1), "{one} calls for one cluster");
    assert!(three <= calls_of_a_plan(3), "{three} calls for three clusters");
    // What is left over for one must not hide what each further one costs.
    assert!(three - one <= 2 * 8, "{one} calls for one cluster, {three} for three");
}

#[test]
fn what_the_emulator_says_does_not_depend_on_how_quick_it_is() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::lending(Lent::nothing()).unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    let quick = said(&world.backdoor()).unwrap();
    world.be_quick(false).unwrap();
    let slow = said(&world.backdoor()).unwrap();
    assert!(quick.len() > 50, "{quick:#?}");
    for (quick, slow) in quick.iter().zip(&slow) {
        assert_eq!(quick, slow);
    }
    assert_eq!(quick.len(), slow.len());
}
