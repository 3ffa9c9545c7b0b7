//! An on-demand base that the group cannot reach makes every worker on-demand.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "on-demand-base",
    summary: "`purchase.onDemandBase` should not exceed `workers.max`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let workers = &cluster.spec().workers;
        let (base, max) = (workers.purchase.on_demand_base, workers.max);
        if base > max && !cluster.is_doubtful("/spec/workers/max") {
            let message =
                format!("the on-demand base {base} exceeds the {max} workers there can be");
            found.push(
                cluster
                    .warning("/spec/workers/purchase/onDemandBase", &RULE, message)
                    .expected(format!("at most {max}"))
                    .hint("no worker would ever be a spot instance"),
            );
        }
    }
}
