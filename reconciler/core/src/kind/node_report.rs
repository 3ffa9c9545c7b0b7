//! What a node reports, as an object in the artifact bucket.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};
use crate::node::report::NodeReport as Report;

/// A node's report; nodes write it, and it goes when its node is gone. Its id is
/// its key; outputs `etag` and `modified`, seconds since 1970. Untagged; owned
/// through its key, and named by its instance's id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    /// The bucket's name.
    pub bucket: String,
    /// `clusters/geo-101/nodes/i-0123456789abcdef0.json`.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// What it says; none where nobody has read it.
    #[serde(skip)]
    pub said: Option<Arc<Said>>,
}

/// What a report says, or why that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A report.
    Report(Box<Report>),
    /// Something else.
    Unreadable(String),
}

impl NodeReport {
    /// Whether the node is, or tries to be, what a bundle says; of a report
    /// that nobody has read it may be any.
    pub fn names(&self, bundle: &str) -> bool {
        match self.said.as_deref() {
            Some(Said::Report(report)) => {
                let targets = report.applied.iter().chain(&report.attempted);
                targets.into_iter().any(|target| target.bundle == bundle)
            }
            Some(Said::Unreadable(_)) => false,
            None => true,
        }
    }
}

impl Said {
    /// A report from its content.
    pub fn parse(content: &[u8]) -> Self {
        match serde_json::from_slice(content) {
            Ok(report) => Self::Report(Box::new(report)),
            Err(error) => Self::Unreadable(format!("it is no report: {error}")),
        }
    }
}

impl Kind for NodeReport {
    const NAME: &'static str = "node-report";
    const ATTRIBUTES: &'static [(&'static str, Rule)] =
        &[("bucket", Rule::Initial), ("key", Rule::Initial), ("size", Rule::Initial)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("bucket", "bucket")];
    const READS_TAGS: bool = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_a_newer_agent_is_read_and_what_is_none_says_so() {
        let newer = Said::parse(br#"{"sessions": 3, "weather": "fine"}"#);
        assert!(matches!(newer, Said::Report(report) if report.sessions == 3));
        assert!(matches!(Said::parse(b"<html>"), Said::Unreadable(why) if why.contains("line 1")));
        assert!(matches!(Said::parse(br#"{"sessions": "x"}"#), Said::Unreadable(_)));
    }
}
