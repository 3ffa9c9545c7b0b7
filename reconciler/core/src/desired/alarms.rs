//! What somebody should be told of.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::id_of;
use crate::kind::{Alarm, FileSystem, Instance};

use super::Draft;

/// Adds the alarms. A metric without a value is no reason for one.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let hub = id_of(&draft.address::<Instance>("hub"));
    let storage = id_of(&draft.address::<FileSystem>("main"));
    let alarms = [
        Watch {
            name: "hub-unhealthy",
            description: "The hub's instance fails its status checks.",
            metric: ("AWS/EC2", "StatusCheckFailed", "Maximum"),
            of: ("InstanceId", hub.clone()),
            threshold: 1.0,
            over: (60, 3),
        },
        Watch {
            name: "hub-cpu",
            description: "The hub is short of CPU; a larger instance type helps.",
            metric: ("AWS/EC2", "CPUUtilization", "Average"),
            of: ("InstanceId", hub),
            threshold: 90.0,
            over: (300, 3),
        },
        Watch {
            name: "storage-io",
            description: "The shared file system is near its limit of operations.",
            metric: ("AWS/EFS", "PercentIOLimit", "Maximum"),
            of: ("FileSystemId", storage),
            threshold: 95.0,
            over: (300, 3),
        },
    ];
    for watch in alarms {
        let alarm = alarm(draft, &watch);
        draft.add(watch.name, alarm);
    }
}

struct Watch {
    name: &'static str,
    description: &'static str,
    /// Namespace, name, statistic.
    metric: (&'static str, &'static str, &'static str),
    /// Dimension.
    of: (&'static str, String),
    threshold: f64,
    /// Seconds of a period, and how many.
    over: (i32, i32),
}

fn alarm(draft: &Draft<'_>, watch: &Watch) -> Alarm {
    let (namespace, metric, statistic) = watch.metric;
    let actions: BTreeSet<String> = draft.spec.alerts.topic_arn.iter().cloned().collect();
    Alarm {
        name: draft.aws_name(watch.name, 255),
        description: watch.description.into(),
        namespace: namespace.into(),
        metric: metric.into(),
        dimensions: BTreeMap::from([(watch.of.0.into(), watch.of.1.clone())]),
        statistic: statistic.into(),
        comparison: "GreaterThanOrEqualToThreshold".into(),
        threshold: watch.threshold,
        period_seconds: watch.over.0,
        periods: watch.over.1,
        missing_data: "notBreaching".into(),
        actions,
        actions_enabled: true,
    }
}
