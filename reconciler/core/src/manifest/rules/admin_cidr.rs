//! `adminCidrs` are IP ranges in the form AWS keeps them in.

use super::super::cidr::{NotARange, Range};
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "admin-cidr",
    summary: "Every `adminCidrs` entry is an IP range without host bits.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for (index, text) in cluster.spec().network.admin_cidrs.iter().enumerate() {
            let Err(why) = text.parse::<Range>() else { continue };
            let pointer = format!("/spec/network/adminCidrs/{index}");
            let error = |message: &str| {
                cluster
                    .error(&pointer, &RULE, format!("`{text}` {message}"))
                    .expected("an address and a prefix length, such as 203.0.113.0/24")
            };
            found.push(match why {
                NotARange::Form => error("is not an IP range"),
                NotARange::Alone(range) => {
                    error("is a single address").hint(format!("write {range}"))
                }
                NotARange::HostBits(range) => {
                    error("has bits set behind its prefix").hint(format!("write {range}"))
                }
            });
        }
    }
}
