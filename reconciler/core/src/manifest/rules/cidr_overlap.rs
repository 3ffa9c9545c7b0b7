//! Clusters of a region have networks of their own, so that they can be joined
//! one day and an address in a log means one machine.

use std::collections::BTreeMap;

use super::super::cidr::Range;
use super::super::cluster::Cluster;
use super::{Declaration, Diagnostic, Model, Rule, cidr};

pub(super) const RULE: Rule = Rule {
    id: "cidr-overlap",
    summary: "The networks of clusters in one region do not overlap.",
    check,
};

struct Network<'a> {
    first: u32,
    last: u32,
    range: Range,
    cluster: &'a Declaration<Cluster>,
}

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for mut networks in by_region(model).into_values() {
        networks
            .sort_by_key(|network| (network.first, network.last, network.cluster.layers.path()));
        let free = free_range(&networks);
        let mut widest: Option<&Network<'_>> = None;
        for network in &networks {
            match widest {
                Some(other) if network.first <= other.last => {
                    found.push(overlap(network, other, free))
                }
                _ => {}
            }
            if widest.is_none_or(|other| network.last > other.last) {
                widest = Some(network);
            }
        }
    }
}

fn by_region(model: &Model) -> BTreeMap<&str, Vec<Network<'_>>> {
    let mut regions: BTreeMap<&str, Vec<Network<'_>>> = BTreeMap::new();
    for cluster in &model.clusters {
        if cluster.doubts(&["/spec/region", "/spec/network/cidr"]) {
            continue;
        }
        let Some(range) = cidr::range_of(cluster) else { continue };
        if let Some((first, last)) = range.bounds() {
            let network = Network { first, last, range, cluster };
            regions.entry(&cluster.spec().region).or_default().push(network);
        }
    }
    regions
}

fn overlap(one: &Network<'_>, other: &Network<'_>, free: Option<Range>) -> Diagnostic {
    let (cluster, neighbour) = (one.cluster, other.cluster);
    let region = &cluster.spec().region;
    let message = format!(
        "the network `{}` of {} overlaps `{}` of {} ({}) in {region}",
        one.range,
        cluster.name(),
        other.range,
        neighbour.name(),
        neighbour.layers.path(),
    );
    let error = cluster
        .error("/spec/network/cidr", &RULE, message)
        .expected(format!("a range that no other cluster in {region} uses"));
    match free {
        Some(free) => error.hint(format!("{free} is free")),
        None => error,
    }
}

/// A /16 of 10.0.0.0/8 that no cluster of the region touches.
fn free_range(networks: &[Network<'_>]) -> Option<Range> {
    let mut taken = [false; 256];
    for network in networks.iter().filter(|network| network.first >> 24 == 10) {
        let second = |address: u32| (address >> 16 & 0xff) as usize;
        taken[second(network.first)..=second(network.last)].fill(true);
    }
    let free = taken.iter().position(|taken| !taken)?;
    Some(Range::v4([10, u8::try_from(free).ok()?, 0, 0], 16))
}
