//! File systems and their access points.

use std::collections::{BTreeMap, BTreeSet};

use lyceum_core::cloud::{Class, Cloud};
use lyceum_core::desired::Resource;
use lyceum_core::kind::{AccessPoint, Body, FileSystem};
use lyceum_core::site::TAG_PROTECT;

use super::backdrop::{Backdrop, CLUSTER, REGION};

/// Two subnets in two zones, two security groups.
struct Network {
    subnets: Vec<String>,
    groups: Vec<String>,
}

async fn network(there: &Backdrop) -> Network {
    let ec2 = aws_sdk_ec2::Client::new(&there.config);
    let vpc = ec2.create_vpc().cidr_block("10.9.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc.unwrap().vpc_id.unwrap();
    let (mut subnets, mut groups) = (vec![], vec![]);
    for (place, letter) in ["a", "b"].into_iter().enumerate() {
        let request = ec2.create_subnet().vpc_id(&vpc).cidr_block(format!("10.9.{place}.0/24"));
        let request = request.availability_zone(format!("{REGION}{letter}"));
        subnets.push(request.send().await.unwrap().subnet.unwrap().subnet_id.unwrap());
        let request = ec2.create_security_group().vpc_id(&vpc).group_name(letter);
        groups.push(request.description(letter).send().await.unwrap().group_id.unwrap());
    }
    Network { subnets, groups }
}

fn home(network: &Network) -> FileSystem {
    let groups = BTreeSet::from([network.groups[0].clone()]);
    let targets = network.subnets.iter().map(|subnet| (subnet.clone(), groups.clone()));
    FileSystem {
        encrypted: true,
        performance_mode: "generalPurpose".into(),
        throughput_mode: "elastic".into(),
        transition_to_ia_days: 30,
        backup: true,
        mount_targets: targets.collect(),
    }
}

fn resource(there: &Backdrop, body: FileSystem) -> Resource {
    let mut resource = there.of_cluster(REGION, "home", body);
    resource.tags.insert(TAG_PROTECT.into(), "home directories".into());
    resource
}

#[tokio::test]
async fn a_file_system_lives() {
    let there = Backdrop::new().await;
    let network = network(&there).await;
    let first = home(&network);
    let one_zone: BTreeMap<_, _> = first.mount_targets.clone().into_iter().take(1).collect();
    let groups: BTreeSet<String> = network.groups.iter().cloned().collect();
    let both = first.mount_targets.keys().map(|subnet| (subnet.clone(), groups.clone())).collect();
    let turns = [
        FileSystem { transition_to_ia_days: 7, ..first.clone() },
        FileSystem { transition_to_ia_days: 1, ..first.clone() },
        FileSystem { transition_to_ia_days: 0, ..first.clone() },
        FileSystem { mount_targets: one_zone, ..first.clone() },
        FileSystem { mount_targets: both, ..first.clone() },
        FileSystem { mount_targets: BTreeMap::new(), ..first.clone() },
    ];
    there.life(&resource(&there, first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn without_backup_it_is_made_without() {
    let there = Backdrop::new().await;
    let body = FileSystem {
        backup: false,
        mount_targets: BTreeMap::new(),
        ..home(&network(&there).await)
    };
    there.life(&resource(&there, body), &[]).await;
}

#[tokio::test]
async fn the_same_file_system_is_made_once() {
    let there = Backdrop::new().await;
    let wanted = resource(&there, home(&network(&there).await));
    let made = there.create(&wanted).await;
    assert_eq!(there.create(&wanted).await, made);
    there.holds(&wanted).await;
    there.is_a_gap_to_others(CLUSTER).await;
}

#[tokio::test]
async fn what_an_endpoint_does_not_offer_does_not_hold_up_the_rest() {
    let there = Backdrop::new().await;
    let first = FileSystem { mount_targets: BTreeMap::new(), ..home(&network(&there).await) };
    there.create(&resource(&there, first.clone())).await;
    let wanted = FileSystem { backup: false, transition_to_ia_days: 7, ..first.clone() };
    let before = there.seen(&resource(&there, first.clone()).address).await.unwrap();
    // The emulator has no PutBackupPolicy.
    let refused = there.aws.update(&before, &resource(&there, wanted)).await.unwrap_err();
    assert_eq!(
        (refused.class, refused.operation.as_str()),
        (Class::Unsupported, "efs:PutBackupPolicy")
    );
    there.holds(&resource(&there, FileSystem { transition_to_ia_days: 7, ..first })).await;
}

#[tokio::test]
async fn an_access_point_lives() {
    let there = Backdrop::new().await;
    let empty = FileSystem { mount_targets: BTreeMap::new(), ..home(&network(&there).await) };
    let file_system = there.create(&resource(&there, empty)).await["id"].clone();
    let body = AccessPoint {
        file_system,
        path: "/srv/datasets".into(),
        uid: 1000,
        gid: 100,
        mode: "0755".into(),
    };
    let wanted = there.of_cluster(REGION, "datasets", body);
    there.appear(&wanted).await;
    let mut labelled = wanted.clone();
    labelled.tags.insert("lyceum:label:term".into(), "2026-fall".into());
    there.turn(&labelled).await;
    there.remove(&wanted).await;
}
