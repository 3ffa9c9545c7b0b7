//! A unit file of systemd, in `/etc/systemd/system`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// A unit file, or a drop-in of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unit {
    /// The unit, `hub.service`, or a drop-in, `docker.service.d/limits.conf`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9:_.@-]+(\.d/[A-Za-z0-9:_.@-]+\.conf)?$"))]
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
