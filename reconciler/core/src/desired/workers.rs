//! The workers: their template and their scaling group.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{id_of, output_of};
use crate::kind::{
    Hook, LaunchTemplate, Metric, ScalingGroup, ScheduledAction, TargetTracking, Window,
};
use crate::site::{SESSIONS, metrics_namespace};

use super::{Draft, hub, network};

/// Seconds a terminating worker may take to let its users finish.
const HEARTBEAT_SECONDS: i32 = 300;

/// Adds the workers.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let template = LaunchTemplate {
        security_groups: BTreeSet::from([network::group(draft, "workers")]),
        instance_tags: hub::node_tags(draft, &draft.address::<ScalingGroup>("workers")),
        ..hub::template(draft, "workers", draft.spec.workers.volume_gib)
    };
    let group = group(draft, &template);
    draft.add("workers", template);
    draft.add("workers", group);
}

/// The group's name.
pub(crate) fn group_name(draft: &Draft<'_>) -> String {
    draft.aws_name("workers", 255)
}

fn group(draft: &Draft<'_>, template: &LaunchTemplate) -> ScalingGroup {
    let workers = &draft.spec.workers;
    let address = draft.address::<LaunchTemplate>("workers");
    ScalingGroup {
        name: group_name(draft),
        template: id_of(&address),
        template_version: output_of(&address, "version"),
        instance_types: workers.instance_types.clone(),
        on_demand_base: count(workers.purchase.on_demand_base),
        spot_percent: count(workers.purchase.spot_percent),
        spot_strategy: "price-capacity-optimized".into(),
        min: count(workers.min),
        max: count(workers.max),
        desired: count(workers.min),
        subnets: network::subnets(draft),
        health_grace_seconds: 300,
        capacity_rebalance: workers.purchase.spot_percent > 0,
        suspended: BTreeSet::new(),
        hooks: BTreeMap::from([("drain".into(), drain())]),
        policies: policies(draft),
        schedules: schedules(draft),
        windows: windows(draft),
        instance_tags: template.instance_tags.clone(),
    }
}

/// A worker that goes lets its users finish; when nobody answers it goes anyway.
fn drain() -> Hook {
    Hook {
        transition: "autoscaling:EC2_INSTANCE_TERMINATING".into(),
        heartbeat_seconds: HEARTBEAT_SECONDS,
        default_result: "CONTINUE".into(),
    }
}

fn policies(draft: &Draft<'_>) -> BTreeMap<String, TargetTracking> {
    let scaling = &draft.spec.workers.scaling;
    let cpu = TargetTracking {
        metric: Metric::Predefined("ASGAverageCPUUtilization".into()),
        target: f64::from(scaling.cpu_percent),
        enabled: true,
        scales_in: true,
    };
    let sessions = TargetTracking {
        metric: Metric::Custom {
            namespace: metrics_namespace(&draft.site.owner, draft.name),
            name: SESSIONS.into(),
            dimensions: BTreeMap::from([("Cluster".into(), draft.name.to_string())]),
            statistic: "Average".into(),
        },
        target: f64::from(scaling.sessions_per_node),
        enabled: true,
        scales_in: true,
    };
    BTreeMap::from([(in_account(draft, "cpu"), cpu), (in_account(draft, "sessions"), sessions)])
}

/// Policies and actions belong to their group; in alarms and logs they are seen
/// without it, so their names tell the cluster.
fn in_account(draft: &Draft<'_>, name: &str) -> String {
    draft.aws_name(name, 255)
}

/// A schedule's start raises the minimum, its end puts it back.
fn schedules(draft: &Draft<'_>) -> BTreeMap<String, ScheduledAction> {
    let usual = count(draft.spec.workers.min);
    let mut actions = BTreeMap::new();
    for schedule in &draft.spec.workers.scaling.schedules {
        let timezone = &schedule.timezone;
        let action =
            |recurrence: &str, min: i32| ScheduledAction::of_minimum(recurrence, timezone, min);
        actions.insert(
            in_account(draft, &format!("{}-start", schedule.name)),
            action(&schedule.start, count(schedule.min)),
        );
        let end = in_account(draft, &format!("{}-end", schedule.name));
        actions.insert(end, action(&schedule.end, usual));
    }
    actions
}

fn windows(draft: &Draft<'_>) -> Vec<Window> {
    let schedules = &draft.spec.workers.scaling.schedules;
    schedules
        .iter()
        .map(|schedule| Window {
            start: schedule.start.clone(),
            end: schedule.end.clone(),
            timezone: schedule.timezone.clone(),
            min: count(schedule.min),
        })
        .collect()
}

/// The schema bounds counts far below this.
fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
