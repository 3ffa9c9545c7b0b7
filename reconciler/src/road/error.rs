//! Why a command cannot go its way.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lyceum_core::cloud::CloudError;
use lyceum_core::manifest::Invalid;

use crate::source::SourceError;

/// Why a command cannot go its way.
#[derive(Debug, thiserror::Error)]
pub enum RoadError {
    /// The repository cannot be read.
    #[error("cannot read the repository")]
    Source(#[from] SourceError),
    /// The manifests are wrong.
    #[error("cannot plan from these manifests")]
    Invalid(#[from] Invalid),
    /// AWS does not say whose account this is.
    #[error("cannot reach AWS")]
    Connect(#[source] CloudError),
    /// The node agent cannot be read.
    #[error("the node agent {} cannot be read", path.display())]
    Agent {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Nobody declares such a cluster, nor is it there.
    #[error("there is no cluster `{name}`")]
    UnknownCluster {
        /// As it was asked for.
        name: String,
        /// What to do about it.
        hint: String,
    },
}

/// What to do where AWS does not answer at all.
pub(crate) const CONNECT: &str = "AWS is found as its SDK has it: AWS_PROFILE or keys, \
                                  AWS_REGION, and AWS_ENDPOINT_URL for an emulator";

impl RoadError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::UnknownCluster { hint, .. } => Some(hint),
            Self::Invalid(_) => Some("`lyceum validate` shows the same at any time"),
            Self::Agent { .. } => Some("name the agent's file with --agent"),
            Self::Connect(_) => Some(CONNECT),
            Self::Source(_) => None,
        }
    }

    /// Of a name that none of `known` is.
    pub fn unknown_cluster(name: &str, known: &BTreeSet<&str>) -> Self {
        let hint = match closest(name, known) {
            Some(other) => format!("did you mean `{other}`?"),
            None if known.is_empty() => "the repository declares no cluster".into(),
            None => format!("known are {}", some_of(known)),
        };
        Self::UnknownCluster { name: name.into(), hint }
    }
}

/// The name most like `name`, if one is like it at all.
pub fn closest<'a>(name: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let near = known.iter().map(|other| (distance(other), *other)).min()?;
    (near.0 <= (name.len() / 3).max(1)).then_some(near.1)
}

/// A few names; a repository may have a thousand.
fn some_of(known: &BTreeSet<&str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<&str> = known.iter().take(SHOWN).copied().collect();
    let more = known.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gone_wrong_is_guessed() {
        let known = BTreeSet::from(["geo-101", "geo-102", "stats-200"]);
        assert_eq!(closest("goe-101", &known), Some("geo-101"));
        assert_eq!(closest("stats200", &known), Some("stats-200"));
        assert_eq!(closest("biology", &known), None);
        let error = RoadError::unknown_cluster("biology", &known);
        assert_eq!(error.hint(), Some("known are geo-101, geo-102, stats-200"));
    }
}
