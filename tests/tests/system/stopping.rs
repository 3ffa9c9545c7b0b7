//! What becomes of a step under way when the program is told to end, or a newer
//! commit comes: it is finished, and nothing after it is begun.
//!
//! One change at a time is made, so that the call that is held is the only one.

use std::time::{Duration, Instant};

use system_tests::proxy::{Attempt, Fault, Gate, Outcome, Rule};
use system_tests::scenario::{Lyceum, Repo, Running, World};

use crate::service::{said, until};

/// A step of one call, with many after it that wait for nothing but their turn.
const HELD: &str = "ec2:CreateNetworkInterface";
const STEP: &str = "geo-101/network-interface/hub";
/// Within which the service promises to end.
const PROMISED: Duration = Duration::from_secs(10);
/// In which it ends where no call needs to be waited for.
const SOON: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(60);

/// The program on its way to a first apply, at a step whose call is held at a
/// gate.
struct Held {
    repo: Repo,
    world: World,
    running: Running,
    gate: Gate,
}

impl Held {
    /// The service.
    fn serving() -> Self {
        let held = Self::beginning(&["serve"], |_| ());
        // What the region shares is another task's, and must be out of the way.
        held.until(|| held.shared_is_done());
        held
    }

    /// `lyceum apply`.
    fn applying() -> Self {
        Self::beginning(&["apply", "--yes"], |program| {
            // What the region shares is made at the same time: so it is there.
            program.run(&["apply", "--yes"]).unwrap().exited(1).unwrap();
        })
    }

    /// What happens `before` is denied the call.
    fn beginning(command: &[&str], before: impl Fn(&Lyceum)) -> Self {
        let repo = Repo::of_examples(&["geo-101"]).unwrap();
        // A call that hangs must not be given up before the grace is over.
        let limits = "limits: {callTimeoutSeconds: 60, parallelChanges: 1}";
        repo.edit("lyceum.yaml", "limits: {callTimeoutSeconds: 5}", limits).unwrap();
        repo.commit("One after the other").unwrap();
        let (world, gate) = (World::new().unwrap(), Gate::default());
        let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
        world.proxy.rule(Rule::new(HELD, Fault::Denied));
        before(&program);
        world.proxy.clear_rules();
        world.proxy.forget_attempts();
        world.proxy.rule(Rule::new(HELD, Fault::Hold(gate.clone())));
        let running = program.with("RUST_LOG", "info").start(command).unwrap();
        let held = Self { repo, world, running, gate };
        held.until(|| held.call().is_some());
        held
    }

    fn until(&self, holds: impl FnMut() -> bool) {
        until(&self.running, PATIENCE, holds);
    }

    fn call(&self) -> Option<Attempt> {
        self.world.proxy.attempts().into_iter().find(|attempt| attempt.action == HELD)
    }

    fn shared_is_done(&self) -> bool {
        let said = said(&self.running);
        let mut passes = said.lines().filter(|line| line.contains("pass ended"));
        passes.any(|line| line.contains("@us-east-1") && line.contains("failed=0 waiting=0"))
    }

    /// The changing calls that came after the held one.
    fn later(&self) -> Vec<String> {
        let attempts = self.world.proxy.attempts();
        let changing = attempts.iter().filter(|attempt| attempt.mutating);
        let later = changing.skip_while(|attempt| attempt.action != HELD).skip(1);
        later.map(ToString::to_string).collect()
    }

    fn until_said(&self, word: &str) {
        self.until(|| said(&self.running).contains(word));
    }

    /// The steps that ended since it said a word.
    fn done_since(&self, word: &str) -> Vec<String> {
        let said = said(&self.running);
        let lines = said.lines().skip_while(|line| !line.contains(word));
        let done = lines.filter_map(|line| line.split_once(" done address="));
        done.filter_map(|(_, rest)| rest.split(' ').next()).map(String::from).collect()
    }
}

#[test]
fn sigterm_lets_the_call_in_flight_end_and_begins_no_other() {
    let held = Held::serving();
    held.running.terminate().unwrap();
    held.until_said("stopping: ");
    assert_eq!(held.call().unwrap().outcome, None);
    held.gate.open();
    let opened = Instant::now();
    until(&held.running, SOON, || held.running.has_ended());
    println!("ended {:?} after its last call was let go", opened.elapsed());
    assert_eq!(held.done_since("stopping: "), [STEP], "its answer was waited for");
    assert_eq!(held.call().unwrap().outcome, Some(Outcome::Answered(200)));
    assert_eq!(held.later(), Vec::<String>::new());
    let made = held.world.inventory().unwrap();
    let made = made.objects("network-interface");
    assert!(made.iter().any(|object| object["address"] == STEP), "{made:?}");
    held.running.wait_at_most(PROMISED).unwrap().succeeded().unwrap();
}

#[test]
fn sigterm_ends_it_in_time_although_a_call_never_ends() {
    let Held { world: _world, running, gate: _gate, .. } = Held::serving();
    running.terminate().unwrap();
    let told = Instant::now();
    running.wait_at_most(PROMISED).unwrap().succeeded().unwrap();
    println!("ended {:?} after it was told", told.elapsed());
}

#[test]
fn a_newer_commit_takes_over_after_the_step_under_way() {
    let held = Held::serving();
    let Held { repo, world, running, .. } = &held;
    let old = repo.git(&["rev-parse", "HEAD"]).unwrap();
    // Files are moved away in a step of the old plan that has not had its turn.
    repo.edit("clusters/geo-101/cluster.yaml", "IADays: 30", "IADays: 60").unwrap();
    let new = repo.commit("Another rule of the file system").unwrap();
    let news = format!("new commit revision=\"{new}\"");
    held.until_said(&news);
    held.gate.open();
    let left = format!("pass ended cluster=\"geo-101\" revision=\"{}\"", old.trim());
    held.until_said(&left);
    held.until_said(&format!("converged cluster=\"geo-101\" revision=\"{new}\""));
    let before_it_was_left = held.done_since(&news).len() - held.done_since(&left).len();
    assert_eq!((before_it_was_left, held.done_since(&news)[0].as_str()), (1, STEP));
    let rules: Vec<String> =
        held.later().into_iter().filter(|call| call.contains("LifecycleConfiguration")).collect();
    let rules = rules.iter().filter(|call| call.contains("efs:"));
    let rules: Vec<_> = rules.filter_map(|call| call.split_once("AFTER_")).map(|it| it.1).collect();
    assert_eq!(rules.iter().map(|rule| &rule[..2]).collect::<Vec<_>>(), ["60"], "{running:?}");
    world.fidelity(repo.path()).unwrap();
}

#[test]
fn ctrl_c_lets_the_calls_of_an_apply_end_and_the_next_one_goes_on() {
    let held = Held::applying();
    held.running.interrupt().unwrap();
    held.until_said("stopping when the calls in flight are done");
    assert_eq!(held.call().unwrap().outcome, None);
    held.gate.open();
    held.until(|| held.running.has_ended());
    assert_eq!(held.call().unwrap().outcome, Some(Outcome::Answered(200)));
    assert_eq!(held.later(), Vec::<String>::new());
    let Held { repo, world, running, .. } = held;
    let ended = running.wait_at_most(PROMISED).unwrap().exited(130).unwrap();
    assert!(ended.stderr.contains(&format!("+ {STEP} … done")), "{ended}");
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    program.apply().unwrap();
    world.fidelity(repo.path()).unwrap();
}

#[test]
fn the_second_ctrl_c_ends_an_apply_at_once() {
    let held = Held::applying();
    held.running.interrupt().unwrap();
    held.until_said("again to stop at once");
    held.running.interrupt().unwrap();
    held.running.wait_at_most(SOON).unwrap().exited(130).unwrap();
}
