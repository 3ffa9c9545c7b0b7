//! The swarm is one and the same whatever its token says, and whichever machine
//! its hub is.

use std::time::{Duration, Instant};

use system_tests::live::{CLUSTER, Report};

use crate::kit::{JOINED, PATIENCE, Story};

/// A few of an agent's looks.
const LOOKED: Duration = Duration::from_secs(60);
/// A boot, the volume of another machine, and JupyterHub.
const BACK: Duration = Duration::from_secs(240);
/// One of a swarm that nobody here is in.
const FOREIGN: &str =
    "SWMTKN-1-2xlzjowu3hrbdksm9wv6q2ptzvnm1p8ttvkjdlbp3rpqxq0qcl-0000000000000000000000000";

/// What of a member stays as long as it does not join anew.
const IDENTITY: &str = "{{.ID}} {{.Hostname}}";

pub(crate) fn a_foreign_token_moves_nobody(story: &Story) {
    let hub = story.live.hub().unwrap();
    // Who is not ready is paused, and active again once it is.
    story.until("everybody is active", LOOKED * PATIENCE, || {
        Ok(everybody(story).iter().all(|one| one.ends_with(" Ready Active")))
    });
    let before = everybody(story);
    let own = token(story);
    // As long as the hub does not put it back.
    hub.shell("systemctl stop lyceum-agent").unwrap();
    let put = "aws('ssm').put_parameter(Name=args[0], Value=args[1], Type='SecureString', Overwrite=True)";
    story.live.look(put, &[&parameter(), FOREIGN]).unwrap();
    let looked = "every worker refuses the foreign token";
    story
        .live
        .until(looked, LOOKED * PATIENCE, |all| {
            let mut workers = all.values().filter(|report| report.group() == "workers");
            workers.clone().count() == 3 && workers.all(refuses)
        })
        .unwrap();
    assert_eq!(before, everybody(story));
    story.kernel_lives();
    hub.shell("systemctl start lyceum-agent").unwrap();
    story.until("the hub publishes its own again", LOOKED * PATIENCE, || Ok(token(story) == own));
    story.until_whole(3, JOINED);
    let what = "everybody is what they were in the swarm";
    story.until(what, LOOKED * PATIENCE, || Ok(everybody(story) == before));
}

pub(crate) fn another_machine_becomes_the_same_hub(story: &Story) {
    let hub = story.live.hub().unwrap();
    let (was, address) = (hub.name().to_owned(), hub.address().unwrap());
    let (swarm, places) = (swarm(story), ["ada", "linus"].map(|name| story.place_of(name)));
    let workers = members(story, "worker", IDENTITY);
    let begun = Instant::now();
    let end = "aws('ec2').terminate_instances(InstanceIds=[args[0]])";
    story.live.look(end, &[&was]).unwrap();
    story.until("another machine is the hub", BACK, || {
        Ok(story.live.hub().is_ok_and(|hub| hub.name() != was))
    });
    story.took(begun.elapsed(), "from the end of the hub's machine to another");
    assert_eq!(story.live.hub().unwrap().address().unwrap(), address, "its interface stays");
    story.until("the hub answers", BACK, || Ok(story.page("/hub/health").is_ok()));
    story.took(begun.elapsed(), "from the end of the hub's machine to a hub that answers");
    story.until_whole(3, JOINED);
    story.took(begun.elapsed(), "from the end of the hub's machine to all as it should be");
    assert_eq!(swarm, self::swarm(story), "it is the same swarm");
    assert_eq!(workers, members(story, "worker", IDENTITY), "nobody joined anew");
    assert_eq!(members(story, "manager", IDENTITY).len(), 1);
    // Accounts, servers and kernels are what they were, once the hub has told its
    // proxy where they are.
    story.until("the kernel answers", BACK, || {
        Ok(story.try_visit("linus", &["run", "x + 1", "--kernel", &story.kernel])? == "42")
    });
    let what = "from the end of the hub's machine to a kernel that was running all the while";
    story.took(begun.elapsed(), what);
    assert_eq!(places, ["ada", "linus"].map(|name| story.place_of(name)));
    story.visit("noether", &["stop"]);
    story.visit("noether", &["start"]);
}

/// It has read the token, and stays where it is.
fn refuses(report: &Report) -> bool {
    let steps = report.0["steps"].as_array().into_iter().flatten();
    let mut own = steps.filter(|step| step["id"] == "swarm-worker/swarm");
    own.any(|step| {
        let error = step["outcome"]["error"].as_str().unwrap_or_default();
        error.contains("is of another") || error.contains("notebook servers run here")
    })
}

fn parameter() -> String {
    format!("/lyceum/{CLUSTER}/swarm-join-token")
}

fn token(story: &Story) -> String {
    let script =
        "print(aws('ssm').get_parameter(Name=args[0], WithDecryption=True)['Parameter']['Value'])";
    story.live.look(script, &[&parameter()]).unwrap().trim().to_owned()
}

fn swarm(story: &Story) -> String {
    let hub = story.live.hub().unwrap();
    hub.succeed(&["docker", "info", "--format", "{{.Swarm.Cluster.ID}}"]).unwrap()
}

/// What of those who have this part in the swarm: sorted lines.
fn members(story: &Story, role: &str, format: &str) -> Vec<String> {
    let role = format!("role={role}");
    let ask = ["docker", "node", "ls", "--filter", &role, "--format", format];
    let listed = story.live.hub().unwrap().succeed(&ask).unwrap();
    let mut members: Vec<String> = listed.lines().map(str::to_owned).collect();
    members.sort();
    members
}

fn everybody(story: &Story) -> Vec<String> {
    let format = "{{.ID}} {{.Hostname}} {{.Status}} {{.Availability}}";
    ["manager", "worker"].map(|role| members(story, role, format)).concat()
}
