//! A schedule asks for workers that there may be.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "schedule-range",
    summary: "A schedule's `min` does not exceed `workers.max`.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        if cluster.is_doubtful("/spec/workers/max") {
            continue;
        }
        let workers = &cluster.spec().workers;
        for (index, schedule) in workers.scaling.schedules.iter().enumerate() {
            if schedule.min > workers.max {
                let pointer = format!("/spec/workers/scaling/schedules/{index}/min");
                let message =
                    format!("`{}` asks for at least {} workers", schedule.name, schedule.min);
                found.push(
                    cluster
                        .error(&pointer, &RULE, message)
                        .expected(format!("at most {}, which is `workers.max`", workers.max)),
                );
            }
        }
    }
}
