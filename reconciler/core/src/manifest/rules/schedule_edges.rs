//! A schedule that begins when it ends says nothing.

use crate::schedule::Recurrence;

use super::{Diagnostic, Model, Rule, schedule_overlap};

pub(super) const RULE: Rule = Rule {
    id: "schedule-edges",
    summary: "A schedule never begins and ends at the same moment.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for (index, schedule) in cluster.spec().workers.scaling.schedules.iter().enumerate() {
            if schedule_overlap::is_doubtful(cluster, index) {
                continue;
            }
            let edge = |cron: &str| Recurrence::new(cron, &schedule.timezone).ok();
            let (Some(start), Some(end)) = (edge(&schedule.start), edge(&schedule.end)) else {
                continue;
            };
            let mut starts = schedule_overlap::stretches_of(&start, &end).into_iter();
            if starts.any(|(begin, _)| end.latest(begin) == Some(begin)) {
                let pointer = format!("/spec/workers/scaling/schedules/{index}/end");
                let message = format!("`{}` begins and ends at the same moment", schedule.name);
                found.push(
                    cluster
                        .error(&pointer, &RULE, message)
                        .expected("an end between one start and the next"),
                );
            }
        }
    }
}
