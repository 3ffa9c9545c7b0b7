//! A symbolic link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::{in_the_way, make_parents};
use super::{Difference, Run, Step, StepError};
use crate::node::host::{Cause, FileKind};

/// A symbolic link, or nothing at that path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Symlink {
    /// Where, absolute.
    #[schemars(regex(pattern = r"^/|\{\{"), length(max = 1000))]
    pub path: String,
    /// What it points to.
    #[serde(default)]
    pub target: String,
    /// There is to be no link at that path.
    #[serde(default)]
    pub absent: bool,
}

impl Step for Symlink {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let kind = run.host.stat(&self.path)?.map(|stat| stat.kind);
        if self.absent {
            let there = matches!(kind, Some(FileKind::Symlink(_)));
            let leftover = || Difference::new("link", "present", "absent");
            return Ok(there.then(leftover).into_iter().collect());
        }
        if self.target.is_empty() {
            let message = format!("no target is given for the link {}", self.path);
            return Err(StepError::new(Cause::Invalid, message));
        }
        match kind {
            Some(FileKind::Symlink(target)) if target == self.target => Ok(Vec::new()),
            Some(FileKind::Symlink(target)) => {
                Ok(vec![Difference::new("target", target, &self.target)])
            }
            Some(FileKind::Directory) => Err(in_the_way(&self.path, "a directory")),
            Some(_) => Ok(vec![Difference::new("target", "a file", &self.target)]),
            None => Ok(vec![Difference::new("target", "", &self.target)]),
        }
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        if self.absent {
            return Ok(run.host.remove(&self.path)?);
        }
        make_parents(run.host, &self.path)?;
        Ok(run.host.make_symlink(&self.path, &self.target)?)
    }

    fn owns(&self) -> Vec<String> {
        vec![self.path.clone()]
    }
}
