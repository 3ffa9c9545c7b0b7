//! A cluster's network is a private range that AWS accepts for a VPC.

use super::super::cidr::{NotARange, Range};
use super::super::cluster::Cluster;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "cidr",
    summary: "`network.cidr` is a private IPv4 range (RFC 1918) from /16 to /24, without host bits.",
    check,
};

const PRIVATE: [Range; 3] =
    [Range::v4([10, 0, 0, 0], 8), Range::v4([172, 16, 0, 0], 12), Range::v4([192, 168, 0, 0], 16)];

/// The range of a cluster, where this rule is kept.
pub(super) fn range_of(cluster: &Declaration<Cluster>) -> Option<Range> {
    let range: Range = cluster.spec().network.cidr.parse().ok()?;
    (fits(range) && is_private(range)).then_some(range)
}

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let text = &cluster.spec().network.cidr;
        let error = |message: &str| {
            cluster
                .error("/spec/network/cidr", &RULE, format!("`{text}` {message}"))
                .expected("a private IPv4 range from /16 to /24, such as 10.20.0.0/16")
        };
        match text.parse::<Range>() {
            Err(NotARange::Form) => found.push(error("is not an IP range")),
            Err(NotARange::Alone(_)) => found.push(error("is a single address")),
            Err(NotARange::HostBits(range)) => {
                found.push(error("has bits set behind its prefix").hint(format!("write {range}")));
            }
            Ok(range) if !fits(range) => found.push(error("is not a /16 to /24 of IPv4")),
            Ok(range) if !is_private(range) => found.push(error("is not private address space")),
            Ok(_) => {}
        }
    }
}

fn fits(range: Range) -> bool {
    range.address.is_ipv4() && (16..=24).contains(&range.prefix)
}

fn is_private(range: Range) -> bool {
    PRIVATE.iter().any(|private| private.holds(range))
}
