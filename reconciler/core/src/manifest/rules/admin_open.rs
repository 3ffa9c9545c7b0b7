//! SSH open to the whole world is worth a second look.

use super::super::cidr::Range;
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "admin-open",
    summary: "`adminCidrs` should not open SSH to the whole world.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for (index, text) in cluster.spec().network.admin_cidrs.iter().enumerate() {
            if text.parse::<Range>().is_ok_and(|range| range.prefix == 0) {
                let pointer = format!("/spec/network/adminCidrs/{index}");
                found.push(
                    cluster
                        .warning(
                            &pointer,
                            &RULE,
                            format!("`{text}` lets the whole world reach SSH"),
                        )
                        .hint("name the ranges you work from; Session Manager works without any"),
                );
            }
        }
    }
}
