//! The story of one cluster on machines that boot, from nothing to another hub
//! in the place of its first, with people who work on it. A chapter a file, in order: machines
//! take minutes, and each chapter begins with what the one before left.

// The whole crate is a test; clippy only sees that of the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod arrival;
mod commits;
mod deaths;
mod joining;
mod kit;
mod outages;
mod people;
mod power;
mod refusals;
mod swarm;
mod waves;

#[test]
fn a_cluster_lives_and_nothing_that_goes_wrong_reaches_its_users() {
    let mut story = arrival::from_nothing_to_a_working_hub();
    people::two_users_work_each_in_a_home_of_their_own(&story);
    people::a_server_starts_elsewhere_and_the_files_are_there(&story);

    // From here on whoever reconciles dies again and again, at any moment.
    story.live.service.disturb().unwrap();
    joining::a_commit_that_raises_the_minimum_brings_a_node(&mut story);
    deaths::a_worker_that_dies_takes_nothing_along(&story);
    deaths::a_hub_that_restarts_leaves_kernels_running(&story);
    commits::a_setting_a_template_and_an_image_come_by_commit_alone(&mut story);
    outages::what_is_away_for_two_minutes_breaks_nothing(&mut story);
    let killed = story.live.service.leave_in_peace();
    story.say(&format!("the reconciler was killed {killed} times"));
    assert!(killed >= 10, "it was killed {killed} times only");

    waves::a_changed_attribute_comes_in_waves(&story);
    refusals::what_is_old_altered_or_tampered_with_is_refused_and_mended(&story);
    power::a_hub_without_power_comes_back(&story);
    swarm::a_foreign_token_moves_nobody(&story);
    swarm::another_machine_becomes_the_same_hub(&story);
    story.end();
}
