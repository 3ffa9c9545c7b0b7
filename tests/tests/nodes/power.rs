//! The hub's power is cut.

use std::time::{Duration, Instant, UNIX_EPOCH};

use system_tests::live::Report;

use crate::kit::{JOINED, Story, every, is_whole};

/// With its boot, its swarm and its services.
const BACK: Duration = Duration::from_secs(240);

pub(crate) fn a_hub_without_power_comes_back(story: &Story) {
    let hub = story.live.hub().unwrap();
    let places = ["ada", "linus"].map(|name| story.place_of(name));
    hub.cut_power().unwrap();
    let cut = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let begun = Instant::now();
    hub.start().unwrap();
    story.until("the volume is there again", BACK, || {
        Ok(hub.run(&["findmnt", "--noheadings", "--types", "ext4", "/srv/data"])?.success())
    });
    story.took(begun.elapsed(), "from the hub's switch to its data volume");
    story.until("the hub answers", BACK, || Ok(story.page("/hub/health").is_ok()));
    story.took(begun.elapsed(), "from the hub's switch to a hub that answers");
    story.until("the kernel answers", BACK, || {
        Ok(story.try_visit("linus", &["run", "x + 1", "--kernel", &story.kernel])? == "42")
    });
    story.took(begun.elapsed(), "from the hub's switch to a kernel that was running all the while");
    // Until the hub has run again its report is the one from before the cut.
    let is_new = |one: &Report| one.began() > cut;
    let whole = "a hub and 3 workers ready, the hub anew";
    story.live.until(whole, JOINED, |all| is_whole(all, 3) && every(all, "hub", is_new)).unwrap();
    story.took(begun.elapsed(), "from the hub's switch to everything as it should be");
    assert_eq!(places, ["ada", "linus"].map(|name| story.place_of(name)));
    story.visit("noether", &["stop"]);
    story.visit("noether", &["start"]);
}
