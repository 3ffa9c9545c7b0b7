//! A CloudWatch alarm.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// A metric alarm. Its id is its name; output `arn`. An update writes it whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Name, unique in account and region.
    pub name: String,
    /// What it means and what to do.
    pub description: String,
    /// Namespace of the metric, `AWS/EC2`.
    pub namespace: String,
    /// Metric name.
    pub metric: String,
    /// Dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// `Average`, `Maximum`, …
    pub statistic: String,
    /// `GreaterThanOrEqualToThreshold`, …
    pub comparison: String,
    /// In the metric's unit.
    pub threshold: f64,
    /// Length of a period in seconds.
    pub period_seconds: i32,
    /// Periods that must be over the threshold.
    pub periods: i32,
    /// `notBreaching`.
    pub missing_data: String,
    /// ARNs told when it goes off.
    pub actions: BTreeSet<String>,
    /// They are told.
    pub actions_enabled: bool,
}

impl Kind for Alarm {
    const NAME: &'static str = "alarm";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("description", Rule::Owned),
        ("namespace", Rule::Owned),
        ("metric", Rule::Owned),
        ("dimensions", Rule::Owned),
        ("statistic", Rule::Owned),
        ("comparison", Rule::Owned),
        ("threshold", Rule::Owned),
        ("period_seconds", Rule::Owned),
        ("periods", Rule::Owned),
        ("missing_data", Rule::Owned),
        ("actions", Rule::Owned),
        ("actions_enabled", Rule::Owned),
    ];
    const REFERS: &'static [(&'static str, &'static str)] = &[("dimensions", "instance"), ("dimensions", "file-system")];
    const READS_TAGS: bool = false;
}
