//! Every user's container has an address on the overlay network.

use super::super::overlay::{OVERLAY_CIDR, user_capacity};
use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "overlay-capacity",
    summary: "`limits.users` fits the overlay network, a /20 with an address per user and node.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let users = cluster.spec().jupyter.limits.users;
        let workers = cluster.spec().workers.max;
        let most = user_capacity(workers);
        if users > most && !cluster.is_doubtful("/spec/workers/max") {
            let message =
                format!("the overlay network {OVERLAY_CIDR} has no addresses for {users} users");
            found.push(
                cluster
                    .error("/spec/jupyter/limits/users", &RULE, message)
                    .expected(format!("at most {most} beside {workers} workers"))
                    .hint("divide the users among several clusters"),
            );
        }
    }
}
