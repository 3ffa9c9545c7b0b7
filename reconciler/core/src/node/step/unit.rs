//! A unit file of systemd, in `/etc/systemd/system`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::{Difference, Run, Step, StepError};
use crate::node::host::Cause;

/// A unit file, or a drop-in of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unit {
    /// The unit, `hub.service`, or a drop-in, `docker.service.d/limits.conf`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9:_.@-]+(\.d/[A-Za-z0-9:_.@-]+\.conf)?$|\{\{"))]
    pub name: String,
    /// The content itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// A file of the role's `templates/` that becomes the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// There is to be no such file.
    #[serde(default)]
    pub absent: bool,
}

impl Step for Unit {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let path = self.path();
        if self.absent {
            let there = run.host.stat(&path)?.is_some();
            let mut found = Vec::new();
            if there {
                found.push(Difference::new("file", "present", "absent"));
            } else if run.host.unit(self.unit())?.needs_reload {
                found.push(unread());
            }
            return Ok(found);
        }
        let mut found = Content::system(&path, self.text()?).differences(run)?;
        if found.is_empty() && self.is_unread(run)? {
            found.push(unread());
        }
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let path = self.path();
        if self.absent {
            run.host.remove(&path)?;
        } else {
            Content::system(&path, self.text()?).put(run, &[])?;
        }
        Ok(run.host.reload_units()?)
    }

    fn owns(&self) -> Vec<String> {
        vec![self.path()]
    }
}

impl Unit {
    fn path(&self) -> String {
        format!("/etc/systemd/system/{}", self.name)
    }

    /// The unit that the file is, or is a drop-in of.
    fn unit(&self) -> &str {
        self.name.split_once(".d/").map_or(self.name.as_str(), |(unit, _)| unit)
    }

    fn text(&self) -> Result<&str, StepError> {
        let none = || StepError::new(Cause::Invalid, format!("{} has no content", self.name));
        self.content.as_deref().ok_or_else(none)
    }

    /// A run that was killed may have written the file and no more.
    fn is_unread(&self, run: &mut Run<'_>) -> Result<bool, StepError> {
        // A template is no unit of its own, and what a drop-in is for may come
        // later.
        if self.unit().contains("@.") {
            return Ok(false);
        }
        let state = run.host.unit(self.unit())?;
        let own = self.unit() == self.name;
        Ok(state.needs_reload || (own && !state.loaded))
    }
}

fn unread() -> Difference {
    Difference::new("unit file", "changed", "read")
}
