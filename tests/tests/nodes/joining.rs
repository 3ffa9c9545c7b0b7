//! A node more.

use std::time::Instant;

use crate::kit::{JOINED, Story};

pub(crate) fn a_commit_that_raises_the_minimum_brings_a_node(story: &mut Story) {
    let before = story.workers();
    story.live.commit("A third worker", "workers: {min: 2,", "workers: {min: 3,").unwrap();
    let took = story.until_whole(3, JOINED);
    story.took(took, "from the commit to a third worker that is ready");
    let new: Vec<String> = story.workers().difference(&before).cloned().collect();
    let [new] = &new[..] else { panic!("{new:?} instead of one more than {before:?}") };
    // Ready comes first, then the leader activates it.
    story.until("the new worker is active", JOINED, || {
        let ask = format!("docker node inspect --format '{{{{.Spec.Availability}}}}' {new}");
        Ok(story.live.hub()?.shell(&ask)? == "active")
    });
    let begun = Instant::now();
    story.visit("linus", &["start"]);
    story.took(begun.elapsed(), "from signing in to a notebook");
    assert_eq!(story.place_of("linus"), *new, "the next notebook is on the new node");
    story.kernel = story.visit("linus", &["kernel"]);
    story.visit("linus", &["run", "x = 41", "--kernel", &story.kernel]);
    story.kernel_lives();
}
