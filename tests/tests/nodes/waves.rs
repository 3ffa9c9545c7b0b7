//! A change reaches the nodes a wave at a time.

use std::time::Duration;

use system_tests::live::CLUSTER_FILE;

use crate::kit::{PATIENCE, Reports, Story};

/// The bounds.
const FIRST_WAVE: Duration = Duration::from_secs(45);
const NEXT_WAVE: Duration = Duration::from_secs(20);

/// One worker after the other, since `base` asks for it, then the hub.
pub(crate) fn a_changed_attribute_comes_in_waves(story: &Story) {
    let live = &story.live;
    live.repo.edit(CLUSTER_FILE, "journalMaxSize: 800M", "journalMaxSize: 900M").unwrap();
    let revision = live.repo.commit("A larger journal").unwrap();
    let has_it = |all: &Reports| {
        all.values().filter(|report| report.revision() == revision && report.ready()).count()
    };
    for (number, within) in [(1, FIRST_WAVE), (2, NEXT_WAVE), (3, NEXT_WAVE), (4, NEXT_WAVE)] {
        let what = format!("wave {number}");
        let took = live.until(&what, within * PATIENCE, |all| has_it(all) >= number).unwrap();
        story.took_at_most(within, took, &what);
    }
    let config = "/etc/systemd/journald.conf.d";
    for node in live.cloud.ground().nodes().unwrap() {
        let text = node.shell(&format!("cat {config}/*")).unwrap();
        assert!(text.contains("900M"), "{}", node.name());
    }
}
