//! Networks, gateways, subnets, routes, groups, interfaces and addresses.

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, SecurityGroupRule};
use lyceum_core::kind::{
    Direction, ElasticIp, FirewallRule, NetworkInterface, RouteTable, SecurityGroup, Subnet, Vpc,
};
use lyceum_core::site::TAG_OWNER;

use super::{gateway, group, map, network, place, set, subnet};
use crate::world::World;

fn rule(direction: Direction, (protocol, port): (&str, i32), peer: &str) -> FirewallRule {
    FirewallRule {
        direction,
        protocol: protocol.into(),
        from_port: port,
        to_port: port,
        peer: peer.into(),
        description: format!("{protocol} {port}"),
    }
}

fn interface(subnet: &str, groups: [&str; 1]) -> NetworkInterface {
    NetworkInterface {
        subnet: subnet.into(),
        private_ip: "10.20.1.10".into(),
        security_groups: set(groups),
        description: "the hub's".into(),
    }
}

#[tokio::test]
async fn vpcs_live() {
    let world = World::new().await;
    let without_names = Vpc { dns_host_names: false, ..network(20) };
    let without_dns = Vpc { dns_support: false, ..without_names.clone() };
    let turns = [without_names.into(), without_dns.into(), network(20).into()];
    world.life("main", network(20), &turns).await;
}

#[tokio::test]
async fn internet_gateways_live() {
    let world = World::new().await;
    let one = world.id("one", network(20)).await;
    let two = world.id("two", network(30)).await;
    let turns = [gateway(&two).into(), gateway("").into(), gateway(&one).into()];
    world.life("main", gateway(&one), &turns).await;
}

#[tokio::test]
async fn subnets_live() {
    let world = World::new().await;
    let vpc = world.id("main", network(20)).await;
    let private = Subnet { map_public_ip: false, ..subnet(&vpc, 1) };
    world.life("a", subnet(&vpc, 1), &[private.into(), subnet(&vpc, 1).into()]).await;
}

#[tokio::test]
async fn route_tables_live() {
    let world = World::new().await;
    let (vpc, a) = place(&world).await;
    let b = world.id("b", subnet(&vpc, 2)).await;
    let (one, two) = (world.id("one", gateway(&vpc)).await, world.id("two", gateway("")).await);
    let table = |routes, subnets| RouteTable { vpc: vpc.clone(), routes, subnets };
    let everywhere = |gateway| map([("0.0.0.0/0", gateway)]);
    let turns = [
        table(everywhere(&two), set([&a, &b])),
        table(map([("0.0.0.0/0", &*one), ("192.168.0.0/16", &*one)]), set([&b])),
        table(map([]), set([])),
        table(map([("::/0", &*one)]), set([&a])),
        table(everywhere(&one), set([&a])),
    ];
    world.life("public", table(everywhere(&one), set([&a])), &turns.map(Into::into)).await;
}

#[tokio::test]
async fn a_subnet_is_moved_from_the_table_it_has() {
    let world = World::new().await;
    let (vpc, a) = place(&world).await;
    let table = |subnets| RouteTable { vpc: vpc.clone(), routes: map([]), subnets };
    let (ours, theirs) = (world.resource("ours", table(set([]))), table(set([&a])));
    world.create(&ours).await;
    let theirs = world.resource("theirs", theirs);
    world.create(&theirs).await;
    let moved = world.resource("ours", table(set([&a])));
    world.turn(&moved).await;
    world.holds(&world.resource("theirs", table(set([])))).await;
}

#[tokio::test]
async fn security_groups_live() {
    let world = World::new().await;
    let vpc = world.id("main", network(20)).await;
    let peer = world.id("peer", group(&vpc, "peer")).await;
    let with = |rules: &[FirewallRule]| SecurityGroup {
        rules: rules.iter().cloned().collect(),
        ..group(&vpc, "hub")
    };
    let out = rule(Direction::Egress, ("-1", -1), "0.0.0.0/0");
    let ssh = rule(Direction::Ingress, ("tcp", 22), "203.0.113.0/24");
    let six = rule(Direction::Ingress, ("tcp", 443), "2001:db8::/32");
    let swarm = rule(Direction::Ingress, ("udp", 7946), &peer);
    let nfs = rule(Direction::Egress, ("tcp", 2049), &peer);
    let about = |rule: &FirewallRule| FirewallRule { description: "new".into(), ..rule.clone() };
    let wider = FirewallRule { to_port: 24, ..ssh.clone() };
    let turns = [
        with(&[about(&out), about(&ssh), about(&six), about(&swarm)]),
        with(&[wider, out.clone(), nfs.clone()]),
        with(&[]),
        with(&[nfs, about(&swarm), out.clone()]),
    ];
    world.life("hub", with(&[out, ssh, six, swarm]), &turns.map(Into::into)).await;
}

/// As a group is left by whoever was killed after making it: with AWS's own rule.
#[tokio::test]
async fn a_rule_without_tags_is_made_anew_and_one_of_ours_described_anew() {
    let world = World::new().await;
    let vpc = world.id("main", network(20)).await;
    let bare = world.resource("hub", group(&vpc, "hub"));
    let id = world.create(&bare).await["id"].clone();
    let everything = IpPermission::builder()
        .ip_protocol("-1")
        .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
        .build();
    let request = world.others.authorize_security_group_egress().group_id(&id);
    request.ip_permissions(everything).send().await.unwrap();
    let out = rule(Direction::Egress, ("-1", -1), "0.0.0.0/0");
    let about = |text: &str| {
        let rules = [FirewallRule { description: text.into(), ..out.clone() }].into();
        world.resource("hub", SecurityGroup { rules, ..group(&vpc, "hub") })
    };
    world.turn(&about("one")).await;
    let made = only_rule(&world, &id).await;
    let owner = made.tags().iter().find(|tag| tag.key() == Some(TAG_OWNER));
    assert_eq!(owner.and_then(|tag| tag.value()), Some("lyceum"), "{made:?}");
    world.turn(&about("two")).await;
    let described = only_rule(&world, &id).await;
    assert_eq!(described.description(), Some("two"));
    assert_eq!(described.security_group_rule_id(), made.security_group_rule_id());
}

async fn only_rule(world: &World, group: &str) -> SecurityGroupRule {
    let of_group = Filter::builder().name("group-id").values(group).build();
    let listed = world.others.describe_security_group_rules().filters(of_group).send().await;
    let mut rules = listed.unwrap().security_group_rules.unwrap();
    assert_eq!(rules.len(), 1, "{rules:?}");
    rules.remove(0)
}

#[tokio::test]
async fn groups_that_name_each_other_go() {
    let world = World::new().await;
    let vpc = world.id("main", network(20)).await;
    let (one, two) = (group(&vpc, "one"), group(&vpc, "two"));
    let one_id = world.id("one", one.clone()).await;
    let two_id = world.id("two", two.clone()).await;
    for (name, body, peer) in [("one", one, two_id), ("two", two, one_id)] {
        let rules = [rule(Direction::Ingress, ("tcp", 1), &peer)].into();
        world.turn(&world.resource(name, SecurityGroup { rules, ..body })).await;
    }
    for name in ["one", "two"] {
        world.remove(&world.resource(name, group(&vpc, name))).await;
    }
}

#[tokio::test]
async fn network_interfaces_live() {
    let world = World::new().await;
    let (vpc, subnet) = place(&world).await;
    let one = world.id("one", group(&vpc, "one")).await;
    let two = world.id("two", group(&vpc, "two")).await;
    let described =
        NetworkInterface { description: "another".into(), ..interface(&subnet, [&two]) };
    let turns = [interface(&subnet, [&two]), described, interface(&subnet, [&one])];
    world.life("hub", interface(&subnet, [&one]), &turns.map(Into::into)).await;
}

#[tokio::test]
async fn elastic_ips_live() {
    let world = World::new().await;
    let (vpc, subnet) = place(&world).await;
    let group = world.id("hub", group(&vpc, "hub")).await;
    let one = world.id("one", interface(&subnet, [&group])).await;
    let other =
        NetworkInterface { private_ip: "10.20.1.11".into(), ..interface(&subnet, [&group]) };
    let two = world.id("two", other).await;
    let at = |interface: &str| ElasticIp { interface: interface.into() };
    let turns = [at(&two), at(""), at(&one)];
    world.life("hub", at(&one), &turns.map(Into::into)).await;
}
