//! How a node stands to a target.

use serde::Serialize;

use super::super::report::TargetReport;
use super::Node;

/// Seconds without a report after which a node is not counted on: a few times
/// the longest pause between two runs, and time for one that pulls an image.
pub(crate) const SILENT_SECONDS: i64 = 900;

/// How a node stands to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is it, and ready.
    Good,
    /// It tried to be something else last.
    Elsewhere,
    /// It tried and is not, or a check does not hold.
    Failing,
    /// It said nothing for too long.
    Silent,
    /// What it said cannot be read.
    Unreadable,
    /// It never said anything.
    New,
}

impl Node {
    /// How it stands to the target of this digest.
    pub fn standing(&self, digest: &str, now: i64) -> Standing {
        let Some(reported) = &self.report else { return Standing::New };
        if reported.unreadable.is_some() {
            return Standing::Unreadable;
        }
        let is = |target: &Option<TargetReport>| {
            target.as_ref().is_some_and(|target| target.target == digest)
        };
        let report = &reported.report;
        if is(&report.attempted) && !report.ready {
            return Standing::Failing;
        }
        if now - reported.at > SILENT_SECONDS {
            return Standing::Silent;
        }
        match is(&report.attempted) && is(&report.applied) {
            true => Standing::Good,
            false => Standing::Elsewhere,
        }
    }

    /// It is there to stay, and has said lately how it is.
    pub(super) fn counts(&self, now: i64) -> bool {
        let Some(reported) = self.report.as_ref().filter(|_| !self.leaving) else { return false };
        reported.unreadable.is_none() && now - reported.at <= SILENT_SECONDS
    }
}
