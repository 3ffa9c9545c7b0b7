//! The workers: an Auto Scaling group with its hooks, policies and schedules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An Auto Scaling group. Its id is its name; output `arn`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScalingGroup {
    /// Name, unique in account and region.
    pub name: String,
    /// The launch template's id.
    pub template: String,
    /// The pinned version of the template, a number.
    pub template_version: String,
    /// Instance types in order of preference.
    pub instance_types: Vec<String>,
    /// On-demand instances before the first spot instance.
    pub on_demand_base: i32,
    /// Share of spot instances above the base, in percent.
    pub spot_percent: i32,
    /// How a spot pool is chosen.
    pub spot_strategy: String,
    /// Fewest workers. While a schedule is on, the schedule's.
    pub min: i32,
    /// Most workers.
    pub max: i32,
    /// How many to start with; the autoscaler's afterwards.
    pub desired: i32,
    /// Ids of the subnets it launches into.
    pub subnets: BTreeSet<String>,
    /// Seconds before a new worker's health counts.
    pub health_grace_seconds: i32,
    /// Replaces a spot instance before it is taken away.
    pub capacity_rebalance: bool,
    /// Lifecycle hooks by name.
    pub hooks: BTreeMap<String, Hook>,
    /// Target-tracking policies by name.
    pub policies: BTreeMap<String, TargetTracking>,
    /// Scheduled actions by name.
    pub schedules: BTreeMap<String, ScheduledAction>,
    /// The windows behind the scheduled actions; not an object of AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Tags of the workers.
    pub instance_tags: BTreeMap<String, String>,
}

/// A lifecycle hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// `autoscaling:EC2_INSTANCE_TERMINATING`.
    pub transition: String,
    /// Seconds the instance is held.
    pub heartbeat_seconds: i32,
    /// What happens when nobody answers: `CONTINUE`.
    pub default_result: String,
}

/// A target-tracking policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetTracking {
    /// What is kept at the target.
    pub metric: Metric,
    /// The target's value, in the metric's unit.
    pub target: f64,
}

/// The metric of a target-tracking policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// One of AWS's own, such as `ASGAverageCPUUtilization`.
    Predefined(String),
    /// One that the nodes publish.
    Custom {
        /// CloudWatch namespace.
        namespace: String,
        /// Metric name.
        name: String,
        /// Dimensions.
        dimensions: BTreeMap<String, String>,
        /// `Average`, `Sum`, …
        statistic: String,
    },
}

/// A scheduled action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledAction {
    /// Five-field cron expression.
    pub recurrence: String,
    /// IANA time zone.
    pub timezone: String,
    /// Fewest workers from then on.
    pub min: i32,
}

/// A stretch of time, again and again, with a minimum of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When it begins: five-field cron.
    pub start: String,
    /// When it ends: five-field cron.
    pub end: String,
    /// IANA time zone of both.
    pub timezone: String,
    /// Fewest workers within.
    pub min: i32,
}

impl Kind for ScalingGroup {
    const NAME: &'static str = "scaling-group";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("template", Rule::Owned),
        ("template_version", Rule::Owned),
        ("instance_types", Rule::Owned),
        ("on_demand_base", Rule::Owned),
        ("spot_percent", Rule::Owned),
        ("spot_strategy", Rule::Owned),
        ("min", Rule::Owned),
        ("max", Rule::Owned),
        ("desired", Rule::Initial),
        ("subnets", Rule::Owned),
        ("health_grace_seconds", Rule::Owned),
        ("capacity_rebalance", Rule::Owned),
        ("hooks", Rule::Owned),
        ("policies", Rule::Owned),
        ("schedules", Rule::Owned),
        ("windows", Rule::Initial),
        ("instance_tags", Rule::Owned),
    ];
    // What a worker needs on its first boot, the hub included.
    const AFTER: &'static [&'static str] =
        &["route-table", "role", "parameter", "file-system", "object", "instance"];
}
