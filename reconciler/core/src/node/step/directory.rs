//! A directory: its owner, group and mode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::{access_differences, in_the_way, make_parents};
use super::{Difference, Run, Step, StepError, mode_of, root};
use crate::node::host::{Access, Cause, FileKind};

/// A directory, or nothing at that path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Directory {
    /// Where, absolute. Directories around it that are missing are made, owned
    /// by root.
    #[schemars(regex(pattern = r"^/|\{\{"), length(max = 1000))]
    pub path: String,
    /// The owner's name.
    #[serde(default = "root")]
    pub owner: String,
    /// The group's name.
    #[serde(default = "root")]
    pub group: String,
    /// Permissions, octal.
    #[serde(default = "mode")]
    #[schemars(regex(pattern = r"^[0-7]{3,4}$|\{\{"))]
    pub mode: String,
    /// There is to be nothing at that path; what it holds goes too.
    #[serde(default)]
    pub absent: bool,
}

fn mode() -> String {
    "0755".into()
}

/// Where the system itself lives: never removed whole.
const LOWEST_REMOVAL: usize = 2;

impl Step for Directory {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let access = self.access()?;
        let kind = run.host.stat(&self.path)?.map(|stat| stat.kind);
        match (kind, self.absent) {
            (None, true) => Ok(Vec::new()),
            (None, false) => Ok(vec![Difference::new("directory", "", "present")]),
            (Some(FileKind::Directory), true) => {
                self.check_removal()?;
                Ok(vec![Difference::new("directory", "present", "absent")])
            }
            (Some(FileKind::Directory), false) => access_differences(run, &self.path, &access),
            (Some(FileKind::Symlink(to)), _) => {
                Err(in_the_way(&self.path, &format!("a symbolic link to {to}")))
            }
            (Some(_), _) => Err(in_the_way(&self.path, "a file")),
        }
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        if self.absent {
            self.check_removal()?;
            return Ok(run.host.remove(&self.path)?);
        }
        let access = self.access()?;
        if run.host.stat(&self.path)?.is_some() {
            return Ok(run.host.set_access(&self.path, &access)?);
        }
        make_parents(run.host, &self.path)?;
        Ok(run.host.make_directory(&self.path, &access)?)
    }

    fn owns(&self) -> Vec<String> {
        vec![self.path.clone()]
    }

    fn wants(&self) -> Vec<String> {
        vec![format!("user {}", self.owner), format!("group {}", self.group)]
    }
}

impl Directory {
    fn access(&self) -> Result<Access, StepError> {
        let (owner, group) = (self.owner.clone(), self.group.clone());
        Ok(Access { owner, group, mode: mode_of(&self.mode)? })
    }

    fn check_removal(&self) -> Result<(), StepError> {
        let depth = self.path.split('/').filter(|part| !part.is_empty()).count();
        if depth >= LOWEST_REMOVAL {
            return Ok(());
        }
        let message = format!("{} is a directory of the system and is not removed", self.path);
        Err(StepError::new(Cause::Invalid, message).hint("name what is to go below it"))
    }
}
