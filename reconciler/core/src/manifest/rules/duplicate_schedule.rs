//! A schedule's name becomes that of a scheduled action, which must be unique.

use std::collections::BTreeMap;

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "duplicate-schedule",
    summary: "Every schedule of a cluster has a name of its own.",
    check,
};

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let mut first = BTreeMap::new();
        for (index, schedule) in cluster.spec().workers.scaling.schedules.iter().enumerate() {
            let pointer = format!("/spec/workers/scaling/schedules/{index}/name");
            if cluster.is_doubtful(&pointer) {
                continue;
            }
            if *first.entry(&schedule.name).or_insert(index) != index {
                let message = format!("there is a schedule `{}` already", schedule.name);
                found.push(cluster.error(&pointer, &RULE, message).expected("a name of its own"));
            }
        }
    }
}
