//! A schedule's time zone exists.

use crate::schedule::{zone, zone_like};

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "schedule-zone",
    summary: "A schedule's `timezone` is the name of an IANA time zone, spelled exactly so.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for (index, schedule) in cluster.spec().workers.scaling.schedules.iter().enumerate() {
            if zone(&schedule.timezone).is_some() {
                continue;
            }
            let pointer = format!("/spec/workers/scaling/schedules/{index}/timezone");
            let message = format!("there is no time zone `{}`", schedule.timezone.escape_debug());
            let error =
                cluster.error(&pointer, &RULE, message).expected("such as America/Denver or UTC");
            found.push(match zone_like(&schedule.timezone) {
                Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                None => error,
            });
        }
    }
}
