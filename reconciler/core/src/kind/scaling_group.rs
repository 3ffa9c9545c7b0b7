//! The workers: an Auto Scaling group with its hooks, policies and schedules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};
use crate::schedule::{near_edge, window_open};

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
    /// What somebody has told the group to leave undone, `Launch`, `Terminate`, ….
    pub suspended: BTreeSet<String>,
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
    /// It is acted upon.
    pub enabled: bool,
    /// It ends workers that are not needed, and does not only start some.
    pub scales_in: bool,
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
    /// Most workers from then on, where it says so: none of ours does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i32>,
    /// As many workers at that moment, where it says so: none of ours does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<i32>,
}

impl ScheduledAction {
    /// One that changes the fewest workers alone.
    pub fn of_minimum(recurrence: &str, timezone: &str, min: i32) -> Self {
        let (recurrence, timezone) = (recurrence.into(), timezone.into());
        Self { recurrence, timezone, min, max: None, desired: None }
    }
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
        ("suspended", Rule::Owned),
        ("hooks", Rule::Owned),
        ("policies", Rule::Owned),
        ("schedules", Rule::Owned),
        ("windows", Rule::Initial),
        ("instance_tags", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("template", "launch-template"), ("subnets", "subnet")];
    // What a worker needs on its first boot, the hub included.
    const AFTER: &'static [&'static str] =
        &["route-table", "role", "parameter", "file-system", "object", "instance", "node-report"];

    /// Within a window its minimum counts; what is made then starts with it.
    fn at(mut self, now: i64) -> Self {
        let open = self.windows.iter().filter(|window| window_open(window, now));
        self.min = open.map(|window| window.min).max().unwrap_or(self.min);
        self.desired = self.desired.max(self.min);
        self
    }

    /// Around an edge AWS has either carried out the scheduled action or is
    /// about to: both minima are right.
    fn given(mut self, observed: &Self, now: i64) -> Self {
        let usual = self.schedules.iter().filter(|(name, _)| name.ends_with("-end"));
        let minima: Vec<i32> = usual
            .map(|(_, action)| action.min)
            .chain(self.windows.iter().map(|window| window.min))
            .collect();
        let edge = self.windows.iter().any(|window| near_edge(window, now, EDGE_SECONDS));
        if edge && minima.contains(&observed.min) {
            self.min = observed.min;
        }
        self
    }
}

/// How late AWS may carry out a scheduled action.
const EDGE_SECONDS: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday 8 to 12 in Denver; 2026-11-23 is a Monday, Denver 7 h behind UTC.
    const EIGHT: i64 = 1_795_446_000;

    fn group() -> ScalingGroup {
        let (start, end) = ("0 8 * * MON", "0 12 * * MON");
        let timezone = "America/Denver".to_string();
        let action = |recurrence: &str, min| ScheduledAction::of_minimum(recurrence, &timezone, min);
        ScalingGroup {
            min: 1,
            desired: 1,
            schedules: BTreeMap::from([
                ("lab-start".into(), action(start, 8)),
                ("lab-end".into(), action(end, 1)),
            ]),
            windows: vec![Window {
                start: start.into(),
                end: end.into(),
                timezone: timezone.clone(),
                min: 8,
            }],
            ..ScalingGroup::default()
        }
    }

    #[test]
    fn a_window_raises_the_minimum_while_it_lasts() {
        assert_eq!(group().at(EIGHT - 60).min, 1);
        let within = group().at(EIGHT + 3600);
        assert_eq!((within.min, within.desired), (8, 8));
        assert_eq!(group().at(EIGHT + 5 * 3600).min, 1);
    }

    #[test]
    fn around_an_edge_either_minimum_is_right_and_later_only_one() {
        let seen = ScalingGroup { min: 1, ..group() };
        let at = |now: i64| group().at(now).given(&seen, now).min;
        assert_eq!(at(EIGHT + 60), 1);
        assert_eq!(at(EIGHT + 3600), 8);
        let other = ScalingGroup { min: 5, ..group() };
        assert_eq!(group().at(EIGHT + 60).given(&other, EIGHT + 60).min, 8);
    }
}
