//! A value published to an encrypted parameter of the cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// A value published for other nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// The parameter's name under the cluster's prefix.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
    pub name: String,
    /// Where the value comes from.
    pub from: ParameterSource,
}

/// Where a published value comes from; none of it is ever shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterSource {
    /// The token with which workers join this swarm.
    #[default]
    SwarmWorkerToken,
    /// The token with which managers join this swarm.
    SwarmManagerToken,
}
