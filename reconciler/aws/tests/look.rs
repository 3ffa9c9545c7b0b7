//! One look at everything: what is ours, what is not, what it costs, and what
//! the clusters stand in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::Tag;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Cloud, Scope};
use lyceum_core::kind::{InternetGateway, Vpc};
use lyceum_core::observed::Gap;
use tokio::time::timeout;

use crate::world::{CLUSTER, REGION, World};

fn network() -> Vpc {
    Vpc { cidr: "10.20.0.0/16".into(), dns_support: true, dns_host_names: true }
}

fn scope(images: &[&str]) -> Scope {
    let images = images.iter().map(|name| name.to_string()).collect();
    Scope {
        regions: BTreeSet::from([REGION.into()]),
        images: BTreeMap::from([(REGION.into(), images)]),
        ..Scope::default()
    }
}

#[tokio::test]
async fn what_belongs_to_another_repository_is_a_gap_for_its_cluster() {
    let world = World::new().await;
    let id = world.id("main", network()).await;
    let state = world.elsewhere().await.observe(&scope(&[])).await;
    assert_eq!(state.objects, []);
    let [Gap { region, kind, scope, cause }] = &state.gaps[..] else { panic!("{:?}", state.gaps) };
    assert_eq!((region.as_str(), kind.as_str(), scope.as_str()), ("", "", CLUSTER));
    assert!(cause.contains(&id), "{cause}");
}

#[tokio::test]
async fn what_has_lost_its_address_is_a_gap_for_its_kind_and_a_strangers_is_nothing() {
    let world = World::new().await;
    let (vpc, gateway) =
        (world.id("main", network()).await, world.id("main", InternetGateway::default()).await);
    for (id, key) in [(&vpc, "lyceum:address"), (&gateway, "lyceum:owner")] {
        let request = world.others.delete_tags().resources(id);
        request.tags(Tag::builder().key(key).build()).send().await.unwrap();
    }
    let state = world.aws.observe(&scope(&[])).await;
    assert_eq!(state.objects, []);
    let [gap] = &state.gaps[..] else { panic!("{:?}", state.gaps) };
    assert_eq!((gap.kind.as_str(), gap.scope.as_str()), ("vpc", CLUSTER));
}

/// The look that a call without an answer does not hold up, kinds and clusters of
/// its gaps, and the ids that were seen.
async fn look_without(
    world: &World,
    about: &str,
    (patience, most): (u64, u64),
) -> (Vec<(String, String)>, BTreeSet<String>) {
    let (aws, _between) = world.without(about, Duration::from_secs(patience)).await;
    let (scope, most) = (scope(&[]), Duration::from_secs(most));
    let state = timeout(most, aws.observe(&scope)).await.expect("the look ends");
    let gaps = state.gaps.into_iter().map(|gap| (gap.kind, gap.scope)).collect();
    (gaps, state.objects.into_iter().map(|object| object.id).collect())
}

#[tokio::test]
async fn what_does_not_answer_is_a_gap_of_its_list_or_its_cluster_and_the_rest_is_seen() {
    let world = World::new().await;
    let mut other = world.resource("main", network());
    other.address = Address::new("bio-7", "vpc", "main");
    other.tags = world.aws.site().identity(&other.address);
    let ours = world.id("main", network()).await;
    let other = world.create(&other).await["id"].clone();
    let pair = |kind: &str, scope: &str| (kind.to_string(), scope.to_string());

    let (gaps, seen) = look_without(&world, "/route53/", (10, 30)).await;
    assert_eq!(gaps, [pair("hosted-zone", ""), pair("record", "")]);
    assert_eq!(seen, BTreeSet::from([ours.clone(), other.clone()]));

    // One item's answer is waited for less long than a list's.
    let (gaps, seen) = look_without(&world, &format!("VpcId={ours}"), (300, 30)).await;
    assert_eq!(gaps, [pair("vpc", CLUSTER)]);
    assert_eq!(seen, BTreeSet::from([other]));
}

#[tokio::test]
async fn a_look_costs_pages_and_two_calls_for_each_vpc() {
    let world = World::new().await;
    let cost = async || {
        let before = world.aws.stats().by_operation;
        world.look().await;
        let ec2 = world.aws.stats().by_operation.into_iter();
        let ec2 = ec2.filter(|(operation, _)| operation.starts_with("ec2:"));
        ec2.map(|(name, calls)| calls - before.get(&name).copied().unwrap_or(0)).sum::<u64>()
    };
    world.id("one", network()).await;
    world.id("one", InternetGateway::default()).await;
    let one = cost().await;
    world.id("two", network()).await;
    world.id("two", InternetGateway::default()).await;
    assert_eq!(cost().await, one + 2);
}

#[tokio::test]
async fn images_are_the_newest_of_their_publishers_and_zones_are_sorted() {
    let world = World::new().await;
    let wanted =
        ["debian-12", "ubuntu-24.04", "amazon-linux-2023", "ami-000000000000000a0", "ami-no", "x"];
    let state = world.aws.observe(&scope(&wanted)).await;
    assert_eq!(state.gaps, []);
    let images = &state.surroundings.images[REGION];
    let found: Vec<(&str, &str, &str)> = images
        .iter()
        .map(|(wanted, image)| (wanted.as_str(), image.id.as_str(), image.root_device.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("amazon-linux-2023", "ami-000000000000000a5", "/dev/xvda"),
            ("ami-000000000000000a0", "ami-000000000000000a0", "/dev/xvda"),
            ("debian-12", "ami-000000000000000a1", "/dev/xvda"),
            ("ubuntu-24.04", "ami-000000000000000a4", "/dev/sda1"),
        ]
    );
    let zones = &state.surroundings.zones[REGION];
    assert!(zones.is_sorted() && zones.contains(&format!("{REGION}a")), "{zones:?}");
}
