//! The ends of a schedule are cron expressions Auto Scaling takes.

use std::error::Error;

use crate::schedule::{NotRecurring, Recurrence};

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "schedule-cron",
    summary: "`start` and `end` of a schedule are five-field cron expressions that fire.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for (index, schedule) in cluster.spec().workers.scaling.schedules.iter().enumerate() {
            for (field, text) in [("start", &schedule.start), ("end", &schedule.end)] {
                // The zone is another rule's; here any will do.
                let Err(why @ NotRecurring::Cron { .. }) = Recurrence::new(text, "UTC") else {
                    continue;
                };
                let cause = why.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                let pointer = format!("/spec/workers/scaling/schedules/{index}/{field}");
                found.push(cluster.error(&pointer, &RULE, format!("{why}{cause}")).expected(
                    "minute, hour, day of the month, month, day of the week: 0 8 * * MON",
                ));
            }
        }
    }
}
