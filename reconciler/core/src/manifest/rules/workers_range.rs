//! The fewest workers are no more than the most.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule =
    Rule { id: "workers-range", summary: "`workers.min` does not exceed `workers.max`.", check };

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let workers = &cluster.spec().workers;
        if workers.min > workers.max && !cluster.is_doubtful("/spec/workers/max") {
            let message = format!("at least {} workers, but at most {}", workers.min, workers.max);
            found.push(
                cluster
                    .error("/spec/workers/min", &RULE, message)
                    .expected(format!("at most {}, which is `workers.max`", workers.max)),
            );
        }
    }
}
