//! What a node says of itself, in `nodes/<instance-id>.json` under its
//! cluster's prefix.
//!
//! Invariant: no secret is in it, whatever failed.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::host::Cause;
use super::step::Difference;

/// What a node reports after every run. Fields are added, never renamed or
/// removed; readers take what they do not know as absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeReport {
    /// What it is.
    pub facts: Facts,
    /// The agent it runs.
    pub agent: AgentReport,
    /// The pointer it last took.
    pub pointer: PointerReport,
    /// What it last tried to be.
    pub attempted: Option<TargetReport>,
    /// What it last was, all of it.
    pub applied: Option<TargetReport>,
    /// Every step's outcome in the last run, in order.
    pub steps: Vec<StepReport>,
    /// Every check's result in the last run, in order.
    pub checks: Vec<CheckReport>,
    /// Converged, and every check holds: may take work.
    pub ready: bool,
    /// Notebook servers running on it.
    pub sessions: u64,
    /// Seconds since 1970, UTC, when the last run began.
    pub started: i64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Seconds since 1970, UTC, when the next run is due.
    pub next: i64,
}

/// The agent of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentReport {
    /// Its version.
    pub version: String,
    /// SHA-256 of its binary, 64 hex digits.
    pub digest: String,
}

/// The pointer a node last took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PointerReport {
    /// Its sequence; 0 when none was ever taken.
    pub sequence: u64,
    /// Seconds since 1970, UTC, when the pointer was last seen to be current.
    pub seen: i64,
    /// Why the one that is there now was refused; empty when it was not.
    pub refused: String,
}

/// What a node tried to be, or was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetReport {
    /// The commit.
    pub revision: String,
    /// [`super::pointer::Target::digest`].
    pub target: String,
    /// The bundle's digest.
    pub bundle: String,
}

/// One step in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// `role/name`, with `[3]` for the fourth of a list.
    pub id: String,
    /// The kind of step.
    pub kind: String,
    /// What became of it.
    pub outcome: StepOutcome,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum StepOutcome {
    /// It was as it should be.
    Unchanged,
    /// It was changed.
    Changed {
        /// What was not as it should be.
        differences: Vec<Difference>,
    },
    /// It would be changed; only in a dry run.
    Would {
        /// What is not as it should be.
        differences: Vec<Difference>,
    },
    /// It could not be looked at or changed.
    Failed {
        /// What it means.
        cause: Cause,
        /// What went wrong.
        error: String,
        /// The way out.
        hint: String,
    },
    /// It was left alone, since what it needs is not as it should be.
    Blocked {
        /// The step it waits for.
        on: String,
    },
}

/// One check in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// `role/name`.
    pub id: String,
    /// It holds.
    pub holds: bool,
    /// What was seen where it does not hold; empty where it does.
    pub seen: String,
}

impl NodeReport {
    /// Every step is as it should be.
    pub fn converged(&self) -> bool {
        !self.steps.iter().any(|step| {
            matches!(step.outcome, StepOutcome::Failed { .. } | StepOutcome::Blocked { .. })
        })
    }
}
