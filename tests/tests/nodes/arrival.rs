//! From nothing to a working hub.

use std::time::{Duration, Instant};

use system_tests::live::Live;

use crate::kit::{PATIENCE, Story, is_whole};

/// The bound, with images cached, on two cores.
const WORKING: Duration = Duration::from_secs(300);

pub(crate) fn from_nothing_to_a_working_hub() -> Story {
    let _docker = Live::images().unwrap();
    let begun = Instant::now();
    let live = Live::prepare("nodes", "10.87.0.0/16", 2).unwrap();
    for (stage, took) in live.cloud.stages() {
        println!("{:>7.1} s  {stage}", took.as_secs_f32());
    }
    let served = Instant::now();
    live.serve().unwrap();
    for (stage, workers) in [("the hub's instance", None), ("two workers' instances", Some(2))] {
        let there = || match workers {
            None => Ok(live.hub().is_ok()),
            Some(count) => live.nodes_of("workers").map(|all| all.len() == count),
        };
        let took = lyceum_local::wait_until(stage, WORKING, || Ok(there().unwrap_or(false)));
        took.unwrap_or_else(|error| panic!("{error}\n{}", live.said()));
        println!("{:>7.1} s  {stage}, since the service began", served.elapsed().as_secs_f32());
    }
    for (stage, hub) in [("the hub ready", true), ("two workers ready", false)] {
        let ready = |all: &crate::kit::Reports| match hub {
            true => all.values().any(|report| report.group() == "hub" && report.ready()),
            false => is_whole(all, 2),
        };
        live.until(stage, WORKING * PATIENCE, ready).unwrap();
        println!("{:>7.1} s  {stage}, since the service began", served.elapsed().as_secs_f32());
    }
    let story = Story::begin(live);
    story.took_at_most(WORKING, begun.elapsed(), "from nothing to a hub and two workers");
    story
}
