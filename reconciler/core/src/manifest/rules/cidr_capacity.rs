//! The subnets have an address for everything that may run in them.

use crate::desired::SUBNET_BITS;

use super::super::cidr::Range;
use super::{Diagnostic, Model, Rule, cidr};

pub(super) const RULE: Rule = Rule {
    id: "cidr-capacity",
    summary: "The zones' subnets, an eighth of `network.cidr` each, have addresses for the hub, \
              the workers and a mount target each.",
    check,
};

/// Addresses of every subnet that AWS keeps for itself.
const KEPT_BY_AWS: u32 = 5;

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let Some(range) = cidr::range_of(cluster) else { continue };
        if cluster.doubts(&["/spec/network/zones", "/spec/workers/max"]) {
            continue;
        }
        let (zones, workers) = (cluster.spec().network.zones, cluster.spec().workers.max);
        let (have, need) = (capacity(range, zones), workers + 1 + zones);
        if need > have {
            let message = format!("`{range}` in {zones} zones has {have} addresses");
            found.push(cluster.error("/spec/network/cidr", &RULE, message).expected(format!(
                "at least {need}: {workers} workers, a hub and {zones} mount targets"
            )));
        }
    }
}

/// A zone's share does not depend on how many there are.
fn capacity(range: Range, zones: u32) -> u32 {
    let share = 32 - u32::from(range.prefix) - SUBNET_BITS;
    zones * ((1 << share) - KEPT_BY_AWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_eighths() {
        let smallest = Range::v4([10, 0, 0, 0], 24);
        assert_eq!(capacity(smallest, 1), 27);
        assert_eq!(capacity(smallest, 3), 3 * 27);
        assert_eq!(capacity(smallest, 6), 6 * 27);
        assert_eq!(capacity(Range::v4([10, 0, 0, 0], 16), 2), 2 * 8_187);
    }
}
