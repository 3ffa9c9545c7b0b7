//! What nodes and reconciler depend on is away, each for two minutes.

use std::time::{Duration, Instant};

use system_tests::proxy::{Fault, Lent, Proxy, Rule};

use crate::kit::{JOINED, Story};

const AWAY: Duration = Duration::from_secs(120);
/// S3 is away alone before the rest of AWS goes, too.
const ALONE: Duration = Duration::from_secs(25);

pub(crate) fn what_is_away_for_two_minutes_breaks_nothing(story: &mut Story) {
    let (emulator, forward) = (story.live.cloud.emulator().address(), story.live.cloud.forward());
    let nodes = || story.live.cloud.ground().nodes().unwrap();
    let before: Vec<String> = nodes().iter().map(|node| node.name().to_owned()).collect();
    let proxy = Proxy::start(emulator, Lent::nothing(), 1).unwrap();

    proxy.rule(Rule::new("s3:*", Fault::Failed(503)));
    forward.set_target(Some(proxy.address()));
    story.live.cloud.ground().registry().stop().unwrap();
    let s3 = Instant::now();
    story.say("S3 and the registry are away");
    let revision = story
        .live
        .commit(
            "While S3 is away",
            "  attributes:\n",
            "  attributes:\n    base: {journalMaxSize: 800M}\n",
        )
        .unwrap();
    story.visit("noether", &["start"]);
    people_go_on(story, s3, ALONE);

    forward.set_target(None);
    let all = Instant::now();
    story.say("all of AWS is away");
    people_go_on(story, s3, AWAY);
    story.live.cloud.ground().registry().start().unwrap();
    story.say("the registry is back");
    people_go_on(story, all, AWAY);
    forward.set_target(Some(emulator));
    let back = Instant::now();
    story.say("AWS is back");

    let all_have_it = |all: &crate::kit::Reports| {
        all.len() == before.len()
            && all.values().all(|one| one.ready() && one.revision() == revision)
    };
    story.live.until("all is as the commit says", JOINED, all_have_it).unwrap();
    story.took(back.elapsed(), "from the return of AWS to a commit from meanwhile on every node");
    let after: Vec<String> = nodes().iter().map(|node| node.name().to_owned()).collect();
    assert_eq!(before, after, "no node was replaced");
    assert!(proxy.attempts().iter().any(|one| one.action.starts_with("s3:")), "S3 was asked");
    people_go_on(story, Instant::now(), Duration::ZERO);
}

/// A kernel runs its cells and a server starts and stops, at least once and until
/// so long after a moment.
fn people_go_on(story: &Story, since: Instant, until: Duration) {
    loop {
        story.kernel_lives();
        story.visit("noether", &["run", "1 + 1"]);
        if since.elapsed() >= until {
            break;
        }
        std::thread::sleep((until - since.elapsed()).min(Duration::from_secs(5)));
    }
    story.visit("noether", &["stop"]);
    story.visit("noether", &["start"]);
}
