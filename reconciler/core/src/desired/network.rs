//! A cluster's network: VPC, a public subnet per zone, the way out, and who may
//! talk to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::address::{Address, id_of, output_of};
use crate::kind::{
    Direction, FirewallRule, InternetGateway, RouteTable, SecurityGroup, Subnet, Vpc,
};
use crate::site::Site;

use super::Draft;

/// Bits by which a subnet's prefix is longer than the VPC's: eight places, so
/// that a change of the number of zones moves no subnet.
pub(crate) const SUBNET_BITS: u32 = 3;
/// The hub's place in the first subnet; AWS keeps the first four.
const HUB_HOST: u32 = 10;
const EVERYWHERE: &str = "0.0.0.0/0";

/// Adds the network.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let network = &draft.spec.network;
    let vpc = id_of(&draft.address::<Vpc>("main"));
    draft.add("main", Vpc { cidr: network.cidr.clone(), dns_support: true, dns_host_names: true });
    draft.add("main", InternetGateway { vpc: vpc.clone() });
    for (place, name) in zones(draft) {
        let region = Site::region_scope(&draft.spec.region);
        let zone = Address::new(&region, "zone", &place.to_string());
        let subnet = Subnet {
            vpc: vpc.clone(),
            cidr: subnet_cidr(draft.cidr(), place),
            zone: id_of(&zone),
            map_public_ip: true,
        };
        draft.add(&name, subnet);
    }
    let gateway = id_of(&draft.address::<InternetGateway>("main"));
    let routes = BTreeMap::from([(EVERYWHERE.to_string(), gateway)]);
    let subnets = subnets(draft);
    draft.add("public", RouteTable { vpc: vpc.clone(), routes, subnets });
    for (name, description, rules) in groups(draft) {
        let group = SecurityGroup {
            vpc: vpc.clone(),
            name: draft.aws_name(name, 255),
            description: description.into(),
            rules,
        };
        draft.add(name, group);
    }
}

/// References to the ids of the cluster's subnets.
pub(crate) fn subnets(draft: &Draft<'_>) -> BTreeSet<String> {
    zones(draft).into_iter().map(|(_, name)| id_of(&draft.address::<Subnet>(&name))).collect()
}

/// A reference to the id of one of the cluster's security groups.
pub(crate) fn group(draft: &Draft<'_>, name: &str) -> String {
    output_of(&draft.address::<SecurityGroup>(name), "id")
}

/// The hub's fixed private address.
pub(crate) fn hub_address(cidr: &str) -> String {
    let (base, _) = parts(&subnet_cidr(cidr, 0));
    Ipv4Addr::from(base + HUB_HOST).to_string()
}

/// The place and name of each subnet: `a`, `b`, …
fn zones(draft: &Draft<'_>) -> Vec<(u32, String)> {
    let kept = draft.inputs.kept_zones.get(draft.name).into_iter().flatten().copied();
    (0..draft.spec.network.zones).chain(kept).map(|place| (place, zone_name(place))).collect()
}

/// The subnets that are kept although the manifest asks for fewer.
pub(crate) fn kept(draft: &Draft<'_>) -> BTreeSet<Address> {
    let kept = draft.inputs.kept_zones.get(draft.name).into_iter().flatten();
    kept.map(|place| draft.address::<Subnet>(&zone_name(*place))).collect()
}

fn zone_name(place: u32) -> String {
    char::from(b'a' + place as u8).to_string()
}

/// The place of the subnet of this name.
pub(super) fn place(name: &str) -> Option<u32> {
    (0..1 << SUBNET_BITS).find(|place| zone_name(*place) == name)
}

fn subnet_cidr(vpc: &str, place: u32) -> String {
    let (base, prefix) = parts(vpc);
    let prefix = (prefix + SUBNET_BITS).min(32);
    let size = 1u32 << (32 - prefix);
    format!("{}/{prefix}", Ipv4Addr::from(base + place * size))
}

/// Base address and prefix length. Validation has seen to it that it is one.
fn parts(cidr: &str) -> (u32, u32) {
    let (base, prefix) = cidr.split_once('/').unwrap_or((cidr, "16"));
    let base = base.parse::<Ipv4Addr>().map_or(0, u32::from);
    (base, prefix.parse().unwrap_or(16))
}

type Group = (&'static str, &'static str, BTreeSet<FirewallRule>);

fn groups(draft: &Draft<'_>) -> [Group; 3] {
    let (hub, workers) = (&group(draft, "hub"), &group(draft, "workers"));
    let admins = || admin_rules(draft);
    let between = |peers: &[&String]| -> Vec<FirewallRule> {
        peers.iter().flat_map(|peer| swarm_rules(peer)).collect()
    };
    let of_hub = admins()
        .chain(between(&[workers]))
        .chain([
            ingress("tcp", 80, EVERYWHERE, "redirect to TLS and certificate challenges"),
            ingress("tcp", 443, EVERYWHERE, "JupyterHub"),
            ingress("tcp", 2377, workers, "swarm management"),
            ingress("tcp", 8081, workers, "hub API"),
            egress_anywhere(),
        ])
        .collect();
    let of_workers = admins().chain(between(&[hub, workers])).chain([egress_anywhere()]).collect();
    let of_storage = [hub, workers]
        .iter()
        .map(|peer| ingress("tcp", 2049, peer, "NFS from the nodes"))
        .collect();
    [
        ("hub", "Lyceum hub", of_hub),
        ("workers", "Lyceum workers", of_workers),
        ("storage", "Lyceum shared storage", of_storage),
    ]
}

/// SSH, from the administrators' ranges and only where they have keys.
fn admin_rules<'a>(draft: &Draft<'a>) -> impl Iterator<Item = FirewallRule> + use<'a> {
    let network = &draft.spec.network;
    let ranges = network.admin_cidrs.iter().filter(|_| !network.admin_keys.is_empty());
    ranges.map(|range| ingress("tcp", 22, range, "SSH for administrators"))
}

fn swarm_rules(peer: &str) -> [FirewallRule; 3] {
    [
        ingress("tcp", 7946, peer, "swarm nodes find each other"),
        ingress("udp", 7946, peer, "swarm nodes find each other"),
        ingress("udp", 4789, peer, "overlay networks"),
    ]
}

fn ingress(protocol: &str, port: i32, peer: &str, description: &str) -> FirewallRule {
    FirewallRule {
        direction: Direction::Ingress,
        protocol: protocol.into(),
        from_port: port,
        to_port: port,
        peer: peer.into(),
        description: description.into(),
    }
}

fn egress_anywhere() -> FirewallRule {
    FirewallRule {
        direction: Direction::Egress,
        protocol: "-1".into(),
        from_port: -1,
        to_port: -1,
        peer: EVERYWHERE.into(),
        description: "packages, images, AWS".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_stay_where_they_are_and_the_hub_has_its_place() {
        assert_eq!(subnet_cidr("10.20.0.0/16", 0), "10.20.0.0/19");
        assert_eq!(subnet_cidr("10.20.0.0/16", 5), "10.20.160.0/19");
        assert_eq!(subnet_cidr("10.0.1.0/24", 1), "10.0.1.32/27");
        assert_eq!(hub_address("10.20.0.0/16"), "10.20.0.10");
    }
}
