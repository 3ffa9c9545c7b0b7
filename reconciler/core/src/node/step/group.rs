//! A group of users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// A group, or none of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// Its name.
    #[schemars(regex(pattern = r"^[a-z_][a-z0-9_-]{0,31}$|\{\{"))]
    pub name: String,
    /// Its number; the system's choice without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// A group of the system.
    #[serde(default)]
    pub system: bool,
    /// There is to be no such group.
    #[serde(default)]
    pub absent: bool,
}

impl Step for Group {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let found = run.host.group(&self.name)?;
        Ok(match (found, self.gid) {
            (None, _) if self.absent => Vec::new(),
            (Some(_), _) if self.absent => vec![Difference::new("group", "present", "absent")],
            (None, _) => vec![Difference::new("group", "", "present")],
            (Some(gid), Some(wanted)) if gid != wanted => {
                vec![Difference::new("gid", gid.to_string(), wanted.to_string())]
            }
            _ => Vec::new(),
        })
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        if self.absent {
            return Ok(run.host.remove_group(&self.name)?);
        }
        Ok(run.host.put_group(&self.name, self.gid, self.system)?)
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("group {}", self.name)]
    }
}
