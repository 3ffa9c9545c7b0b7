//! A worker dies; the hub restarts.

use std::time::{Duration, Instant};

use system_tests::live::CLUSTER;

use crate::kit::{JOINED, PATIENCE, Story};

/// The bound.
const ELSEWHERE: Duration = Duration::from_secs(60);
const HUB_IS_BACK: Duration = Duration::from_secs(120);

pub(crate) fn a_worker_that_dies_takes_nothing_along(story: &Story) {
    let dead = story.place_of("ada");
    assert_ne!(dead, story.place_of("linus"), "somebody else's kernel is elsewhere");
    let begun = Instant::now();
    story.worker(&dead).cut_power().unwrap();

    // Whatever a user tries, at the latest so soon it works.
    let read = "print(open('ada.txt').read())";
    story.until("ada works elsewhere", ELSEWHERE * PATIENCE, || {
        // Who gets no answer does not wait for long before trying again.
        let works = story.try_visit("ada", &["run", read, "--patience", "6"]);
        if works.is_err() {
            let _ = story.try_visit("ada", &["start", "--patience", "6"]);
        }
        Ok(works? == "kept")
    });
    let what = "from a worker's death to ada's files in a kernel elsewhere";
    story.took_at_most(ELSEWHERE, begun.elapsed(), what);
    story.until("nothing is left of the dead", ELSEWHERE * PATIENCE, || {
        Ok(traces(story, &dead)?.is_empty())
    });
    let what = "from a worker's death to nothing that is left of it";
    story.took_at_most(ELSEWHERE, begun.elapsed(), what);
    assert_ne!(story.place_of("ada"), dead);
    story.kernel_lives();
    story.until_whole(3, JOINED);
    story.took(begun.elapsed(), "from a worker's death to another in its place");
}

pub(crate) fn a_hub_that_restarts_leaves_kernels_running(story: &Story) {
    let hub = story.live.hub().unwrap();
    let of_it = "docker ps --quiet --no-trunc --filter label=com.docker.swarm.service.name=hub";
    let before = hub.shell(of_it).unwrap();
    let begun = Instant::now();
    hub.shell(&format!("docker kill {before}")).unwrap();
    story.until("another hub answers", HUB_IS_BACK, || {
        let now = hub.shell(of_it)?;
        Ok(!now.is_empty() && now != before && story.page("/hub/health").is_ok())
    });
    story.took(begun.elapsed(), "from the hub's death to another that answers");
    story.kernel_lives();
}

/// Where something is left of an instance.
fn traces(story: &Story, id: &str) -> anyhow::Result<Vec<String>> {
    let mut traces = Vec::new();
    let members = story.live.hub()?.shell("docker node ls --format '{{.Hostname}}'")?;
    traces.extend(members.lines().filter(|one| *one == id).map(|_| "the swarm".to_owned()));
    let script = "
s3, cloud_map = aws('s3'), aws('servicediscovery')
[bucket] = [one['Name'] for one in s3.list_buckets()['Buckets']]
listed = s3.list_objects_v2(Bucket=bucket, Prefix=f'clusters/{args[0]}/nodes/{args[1]}')
if listed.get('Contents'):
    print('the reports')
services = cloud_map.list_services()['Services']
assert services, 'there are registrations'
for service in services:
    for one in cloud_map.list_instances(ServiceId=service['Id'])['Instances']:
        if args[1] in json.dumps(one):
            print('the registrations of', service['Name'])
groups = aws('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']
if args[1] in json.dumps([group['Instances'] for group in groups], default=str):
    print('its group')
";
    let seen = story.live.look(script, &[CLUSTER, id])?;
    traces.extend(seen.lines().map(str::to_owned));
    if story.live.cloud.ground().nodes()?.iter().any(|node| node.name() == id) {
        traces.push("its machine".to_owned());
    }
    Ok(traces)
}
