//! A value published to an encrypted parameter of the cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};
use crate::node::host::Confidential;

/// A value published for other nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// The parameter's name under the cluster's prefix.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$|\{\{"))]
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

impl Step for Parameter {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let wanted = self.value(run)?;
        let published = run.secret(&self.name)?;
        if published.as_ref() == Some(&wanted) {
            return Ok(Vec::new());
        }
        let before = if published.is_some() { "another" } else { "" };
        Ok(vec![Difference::new("value", before, "(not shown)")])
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let wanted = self.value(run)?;
        let path = run.parameter_path(&self.name);
        Ok(run.host.put_parameter(&path, &wanted)?)
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("parameter {}", self.name)]
    }

    fn wants(&self) -> Vec<String> {
        vec!["swarm".into()]
    }

    fn needs_docker(&self) -> bool {
        true
    }
}

impl Parameter {
    fn value(&self, run: &mut Run<'_>) -> Result<Confidential, StepError> {
        match self.from {
            ParameterSource::SwarmWorkerToken => run.token("worker"),
            ParameterSource::SwarmManagerToken => run.token("manager"),
        }
    }
}
