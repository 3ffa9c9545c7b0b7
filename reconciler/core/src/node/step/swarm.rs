//! The node's part in the swarm, and what its leader does for the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, Texts};

/// A node's part in the swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Swarm {
    /// The part.
    pub part: SwarmPart,
    /// The address others reach this node by; its private one without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `worker`, `manager`: a manager to join, `{{ node.hub }}:2377`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// `worker`, `manager`: the parameter that holds the join token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What it takes: on joining for a worker, always for a leader or manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// Labels of the leader or manager itself.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub labels: Texts,
    /// `leader`: sets members active once they report themselves ready,
    /// pauses those that no longer do, and takes those off the list that are
    /// down and whose instance is gone.
    #[serde(default)]
    pub tend: bool,
}

/// The part a node plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwarmPart {
    /// Begins the swarm and manages it.
    #[default]
    Leader,
    /// Joins as another manager.
    Manager,
    /// Joins as a worker.
    Worker,
    /// Is in no swarm.
    None,
}

/// Whether a node takes tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// Takes tasks.
    #[default]
    Active,
    /// Keeps those it has and takes no more.
    Pause,
    /// Loses those it has.
    Drain,
}
