//! EC2's kinds: each made, observed as desired, changed in every attribute that
//! is ours, repaired after somebody else's change, and removed.

mod compute;
mod network;
mod storage;

use std::collections::{BTreeMap, BTreeSet};

use lyceum_core::kind::{InternetGateway, SecurityGroup, Subnet, Vpc};

use crate::world::World;

fn set<const N: usize>(items: [&str; N]) -> BTreeSet<String> {
    items.map(String::from).into()
}

fn map<const N: usize>(items: [(&str, &str); N]) -> BTreeMap<String, String> {
    items.map(|(key, value)| (key.to_string(), value.to_string())).into()
}

fn network(third: u8) -> Vpc {
    Vpc { cidr: format!("10.{third}.0.0/16"), dns_support: true, dns_host_names: true }
}

fn subnet(vpc: &str, third: u8) -> Subnet {
    Subnet {
        vpc: vpc.into(),
        cidr: format!("10.20.{third}.0/24"),
        zone: "us-east-1a".into(),
        map_public_ip: true,
    }
}

fn gateway(vpc: &str) -> InternetGateway {
    InternetGateway { vpc: vpc.into() }
}

fn group(vpc: &str, name: &str) -> SecurityGroup {
    SecurityGroup {
        vpc: vpc.into(),
        name: name.into(),
        description: format!("the {name}"),
        rules: BTreeSet::new(),
    }
}

/// A VPC and a subnet in it.
async fn place(world: &World) -> (String, String) {
    let vpc = world.id("main", network(20)).await;
    let subnet = world.id("a", subnet(&vpc, 1)).await;
    (vpc, subnet)
}
