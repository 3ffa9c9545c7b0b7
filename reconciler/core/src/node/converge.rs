//! Carrying a node's plan out: each step looked at, applied where it differs,
//! and looked at again.
//!
//! Invariants: a step that fails takes with it only what needs it; restarts
//! come once, at the end, and are noted before what causes them; dying anywhere
//! and beginning again converges.

use std::time::Duration;

use super::facts::Facts;
use super::host::Host;
use super::plan::NodePlan;
use super::report::{CheckReport, StepReport};

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Makes what differs as it should be.
    Apply,
    /// Only says what differs.
    DryRun,
}

/// What a run is told and asked besides the host: it may not look at a clock
/// itself.
pub trait Observer {
    /// The time since some fixed moment.
    fn now(&mut self) -> Duration;
    /// A step begins.
    fn begun(&mut self, id: &str);
    /// A step ended.
    fn ended(&mut self, report: &StepReport);
}

/// Converges a node to its plan; a report for each step, in order.
pub fn converge(
    _plan: &NodePlan,
    _facts: &Facts,
    _host: &mut dyn Host,
    _observer: &mut dyn Observer,
    _mode: Mode,
) -> Vec<StepReport> {
    Vec::new()
}

/// Runs a plan's checks; they change nothing.
pub fn check(_plan: &NodePlan, _host: &mut dyn Host) -> Vec<CheckReport> {
    Vec::new()
}
