//! The Auto Scaling group with its children.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::RequestLaunchTemplateData;
use lyceum_core::address::Address;
use lyceum_core::cloud::Cloud;
use lyceum_core::desired::Resource;
use lyceum_core::kind::{
    Body, Hook, Metric, ScalingGroup, ScheduledAction, TargetTracking, Worker,
};
use lyceum_core::observed::{Life, LiveInstance, Object, ObservedState};

use super::backdrop::{Backdrop, CLUSTER, REGION, look};

const NAME: &str = "lyceum-geo-101-workers";

/// Two subnets in two zones and a template with two versions.
struct Network {
    subnets: Vec<String>,
    template: String,
}

async fn network(there: &Backdrop) -> Network {
    let ec2 = aws_sdk_ec2::Client::new(&there.config);
    let vpc = ec2.create_vpc().cidr_block("10.9.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
    let mut subnets = vec![];
    for (place, letter) in ["a", "b"].into_iter().enumerate() {
        let request = ec2.create_subnet().vpc_id(&vpc).cidr_block(format!("10.9.{place}.0/24"));
        let request = request.availability_zone(format!("{REGION}{letter}"));
        subnets.push(request.send().await.unwrap().subnet.unwrap().subnet_id.unwrap());
    }
    let images = ec2.describe_images().send().await.unwrap();
    let image = images.images()[0].image_id.clone().unwrap();
    let launch = RequestLaunchTemplateData::builder().image_id(image).build();
    let made = ec2.create_launch_template().launch_template_name("workers");
    let made = made.launch_template_data(launch.clone()).send().await.unwrap();
    let template = made.launch_template.unwrap().launch_template_id.unwrap();
    let second = ec2.create_launch_template_version().launch_template_id(&template);
    second.launch_template_data(launch).send().await.unwrap();
    Network { subnets, template }
}

fn workers(there: &Backdrop, network: &Network) -> ScalingGroup {
    let mut instance_tags = resource(there, ScalingGroup::default()).tags;
    instance_tags.insert("Name".into(), NAME.into());
    ScalingGroup {
        name: NAME.into(),
        template: network.template.clone(),
        template_version: "1".into(),
        instance_types: vec!["t3.large".into(), "t3a.large".into()],
        on_demand_base: 0,
        spot_percent: 100,
        spot_strategy: "price-capacity-optimized".into(),
        min: 1,
        max: 20,
        desired: 1,
        subnets: network.subnets.iter().cloned().collect(),
        health_grace_seconds: 120,
        capacity_rebalance: true,
        suspended: BTreeSet::new(),
        hooks: BTreeMap::from([("drain".into(), hook(300))]),
        policies: BTreeMap::from([
            ("cpu".into(), cpu(40.0)),
            ("sessions".into(), sessions(8.0, CLUSTER)),
        ]),
        schedules: BTreeMap::from([("monday-lab-start".into(), schedule("0 8 * * MON", 8))]),
        windows: vec![],
        instance_tags,
    }
}

fn hook(heartbeat_seconds: i32) -> Hook {
    Hook {
        transition: "autoscaling:EC2_INSTANCE_TERMINATING".into(),
        heartbeat_seconds,
        default_result: "CONTINUE".into(),
    }
}

fn cpu(target: f64) -> TargetTracking {
    let metric = Metric::Predefined("ASGAverageCPUUtilization".into());
    TargetTracking { metric, target, enabled: true, scales_in: true }
}

fn sessions(target: f64, cluster: &str) -> TargetTracking {
    let metric = Metric::Custom {
        namespace: "Lyceum/lyceum/geo-101".into(),
        name: "SessionsPerNode".into(),
        dimensions: BTreeMap::from([("Cluster".into(), cluster.into())]),
        statistic: "Average".into(),
    };
    TargetTracking { metric, target, enabled: true, scales_in: true }
}

fn schedule(recurrence: &str, min: i32) -> ScheduledAction {
    ScheduledAction::of_minimum(recurrence, "America/Denver", min)
}

fn resource(there: &Backdrop, body: ScalingGroup) -> Resource {
    there.of_cluster(REGION, "workers", body)
}

#[tokio::test]
async fn a_group_lives() {
    let there = Backdrop::new().await;
    let network = network(&there).await;
    let first = workers(&there, &network);
    let turns = [
        ScalingGroup { template_version: "2".into(), ..first.clone() },
        ScalingGroup {
            instance_types: vec!["m5.large".into(), "t3.large".into()],
            ..first.clone()
        },
        ScalingGroup { on_demand_base: 1, ..first.clone() },
        ScalingGroup { spot_percent: 50, ..first.clone() },
        ScalingGroup { spot_strategy: "capacity-optimized".into(), ..first.clone() },
        ScalingGroup { min: 0, ..first.clone() },
        ScalingGroup { max: 10, ..first.clone() },
        ScalingGroup { subnets: BTreeSet::from([network.subnets[0].clone()]), ..first.clone() },
        ScalingGroup { health_grace_seconds: 60, ..first.clone() },
    ];
    there.life(&resource(&there, first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn a_groups_children_live() {
    let there = Backdrop::new().await;
    let first = workers(&there, &network(&there).await);
    let turns = [
        ScalingGroup { hooks: BTreeMap::new(), ..first.clone() },
        ScalingGroup { hooks: BTreeMap::from([("drain".into(), hook(60))]), ..first.clone() },
        ScalingGroup { hooks: BTreeMap::from([("other".into(), hook(60))]), ..first.clone() },
        ScalingGroup { policies: BTreeMap::new(), ..first.clone() },
        ScalingGroup { policies: BTreeMap::from([("cpu".into(), cpu(60.0))]), ..first.clone() },
        ScalingGroup {
            policies: BTreeMap::from([("cpu".into(), sessions(4.0, "other"))]),
            ..first.clone()
        },
        ScalingGroup { schedules: BTreeMap::new(), ..first.clone() },
        ScalingGroup {
            schedules: BTreeMap::from([("monday-lab-end".into(), schedule("0 12 * * MON", 1))]),
            ..first.clone()
        },
    ];
    there.life(&resource(&there, first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn what_somebody_suspended_or_added_to_a_schedule_is_taken_back() {
    let there = Backdrop::new().await;
    let wanted = resource(&there, workers(&there, &network(&there).await));
    there.appear(&wanted).await;
    let groups = aws_sdk_autoscaling::Client::new(&there.config);
    let suspend = groups.suspend_processes().auto_scaling_group_name(NAME);
    suspend.scaling_processes("Launch").send().await.unwrap();
    let schedule = groups.put_scheduled_update_group_action().auto_scaling_group_name(NAME);
    let schedule = schedule.scheduled_action_name("monday-lab-start").recurrence("0 8 * * MON");
    let schedule = schedule.time_zone("America/Denver").min_size(8).max_size(9);
    schedule.send().await.unwrap();
    let seen = there.seen(&wanted.address).await.unwrap();
    let Body::ScalingGroup(group) = &seen.body else { panic!("a group") };
    assert_eq!(group.suspended, BTreeSet::from(["Launch".to_string()]));
    assert_eq!(group.schedules["monday-lab-start"].max, Some(9));
    there.turn(&wanted).await;
}

#[tokio::test]
async fn workers_tags_are_written_and_taken_away() {
    let there = Backdrop::new().await;
    let first = workers(&there, &network(&there).await);
    let wanted = resource(&there, first.clone());
    there.appear(&wanted).await;
    let mut more = first.clone();
    more.instance_tags.insert("lyceum:label:term".into(), "2026-fall".into());
    more.instance_tags.insert("Name".into(), "another".into());
    let mut more = resource(&there, more);
    more.tags.insert("lyceum:label:term".into(), "2026-fall".into());
    there.turn(&more).await;
    there.turn(&wanted).await;

    // What somebody else put there is neither seen nor taken away.
    let before = there.holds(&wanted).await;
    let groups = aws_sdk_autoscaling::Client::new(&there.config);
    let foreign = aws_sdk_autoscaling::types::Tag::builder()
        .resource_id(NAME)
        .resource_type("auto-scaling-group")
        .key("team")
        .value("geo")
        .propagate_at_launch(true)
        .build();
    groups.create_or_update_tags().tags(foreign).send().await.unwrap();
    assert_eq!(there.holds(&wanted).await.body, before.body);
    there.turn(&wanted).await;
    assert_eq!(there.holds(&wanted).await.tags.get("team").map(String::as_str), Some("geo"));
}

#[tokio::test]
async fn a_group_of_ours_is_taken_and_its_capacity_left_alone() {
    let there = Backdrop::new().await;
    let first = workers(&there, &network(&there).await);
    let wanted = resource(&there, first.clone());
    there.appear(&wanted).await;
    there.is_a_gap_to_others(CLUSTER).await;

    let groups = aws_sdk_autoscaling::Client::new(&there.config);
    let request = groups.set_desired_capacity().auto_scaling_group_name(NAME);
    request.desired_capacity(3).send().await.unwrap();
    let after = ScalingGroup { desired: 3, max: 10, ..first };
    let before = there.seen(&wanted.address).await.unwrap();
    there.aws.update(&before, &resource(&there, after.clone())).await.unwrap();
    there.holds(&resource(&there, after)).await;
}

#[tokio::test]
async fn workers_are_seen_and_one_that_is_ended_is_replaced_by_its_group() {
    let there = Backdrop::new().await;
    let mut first = workers(&there, &network(&there).await);
    (first.min, first.desired) = (2, 2);
    let wanted = resource(&there, first);
    there.appear(&wanted).await;
    let up = |state: &ObservedState| -> Vec<LiveInstance> {
        let alive = state.instances.iter().filter(|it| it.life == Life::Up);
        alive.cloned().collect()
    };
    let before = up(&look(&there.aws).await);
    assert_eq!(before.len(), 2);
    for worker in &before {
        assert_eq!((worker.cluster.as_str(), worker.group.as_str()), (CLUSTER, "workers"));
        assert_eq!((worker.scaling_group.as_deref(), worker.protected), (Some(NAME), false));
        assert!(worker.launched > 1_700_000_000 && worker.region == REGION);
    }
    let (ended, stays) = (&before[0], &before[1]);
    let groups = aws_sdk_autoscaling::Client::new(&there.config);
    let request = groups.set_instance_protection().auto_scaling_group_name(NAME);
    request.protected_from_scale_in(true).instance_ids(&stays.id).send().await.unwrap();
    let object = Object {
        address: Address::new(CLUSTER, "worker", &ended.id),
        region: REGION.into(),
        id: ended.id.clone(),
        outputs: Default::default(),
        tags: Default::default(),
        body: Worker { scaling_group: NAME.into() }.into(),
    };
    there.aws.delete(&object).await.unwrap();
    let state = look(&there.aws).await;
    let life = |id: &str| state.instances.iter().find(|it| it.id == id).map(|it| it.life);
    assert_eq!((life(&ended.id), life(&stays.id)), (Some(Life::Gone), Some(Life::Up)));
    let after = up(&state);
    assert_eq!(after.len(), 2);
    assert!(after.iter().any(|it| it.id == stays.id && it.protected));
    // Once more ends nobody else.
    there.aws.delete(&object).await.unwrap();
    assert_eq!(up(&look(&there.aws).await), after);
    assert_eq!(look(&there.other_source().await).await.instances, []);
}

#[tokio::test]
async fn protected_workers_do_not_keep_a_group_from_going() {
    let there = Backdrop::new().await;
    let wanted = resource(&there, workers(&there, &network(&there).await));
    there.appear(&wanted).await;
    let groups = aws_sdk_autoscaling::Client::new(&there.config);
    let found = groups.describe_auto_scaling_groups().send().await.unwrap();
    let instances = found.auto_scaling_groups()[0].instances().iter();
    let ids: Vec<String> = instances.filter_map(|it| it.instance_id.clone()).collect();
    assert_eq!(ids.len(), 1);
    let request = groups.set_instance_protection().auto_scaling_group_name(NAME);
    let request = request.protected_from_scale_in(true).set_instance_ids(Some(ids));
    request.send().await.unwrap();
    there.remove(&wanted).await;
    let left = look(&there.aws).await.objects;
    assert_eq!(left, [], "hooks, policies and schedules went along");
}
