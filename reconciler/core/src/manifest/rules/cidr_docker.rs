//! A network inside Docker's own ranges is reached by some nodes and not by
//! others: a node keeps its bridge's range for itself.

use super::super::cidr::Range;
use super::{Diagnostic, Model, Rule, cidr};

pub(super) const RULE: Rule = Rule {
    id: "cidr-docker",
    summary: "`network.cidr` should stay clear of 172.17.0.0/16 and 172.18.0.0/16, Docker's bridges.",
    check,
};

const BRIDGES: [Range; 2] = [Range::v4([172, 17, 0, 0], 16), Range::v4([172, 18, 0, 0], 16)];

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let Some(range) = cidr::range_of(cluster) else { continue };
        if let Some(bridge) = BRIDGES.iter().find(|bridge| bridge.overlaps(range)) {
            let message = format!("`{range}` overlaps {bridge}, a bridge of Docker on every node");
            found.push(
                cluster
                    .warning("/spec/network/cidr", &RULE, message)
                    .hint("the network of a cluster cannot be changed later; choose another now"),
            );
        }
    }
}
