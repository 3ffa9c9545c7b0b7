//! The keys of `adminKeys` fit into what a node runs at first boot.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "admin-keys-size",
    summary: "All `adminKeys` together have at most 8 KiB, a line each.",
    check,
};

/// EC2 takes 16 KiB of user data; the rest of the script needs far less than
/// the other half.
const MOST_BYTES: usize = 8 * 1024;

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let keys = &cluster.spec().network.admin_keys;
        let bytes: usize = keys.iter().map(|key| key.len() + 1).sum();
        if bytes > MOST_BYTES {
            let message = format!("the {} keys have {bytes} bytes together", keys.len());
            found.push(
                cluster
                    .error("/spec/network/adminKeys", &RULE, message)
                    .expected(format!("at most {MOST_BYTES}, the end of each line included"))
                    .hint("Ed25519 keys are the shortest; comments may be left out"),
            );
        }
    }
}
