//! A file: its content, owner, group and mode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, Texts, root};

/// A file with this content, or none at that path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Where, absolute.
    #[schemars(regex(pattern = r"^/"), length(max = 1000))]
    pub path: String,
    /// The content itself, a template like every text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// A file of the role's `templates/` that becomes the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// A file of the role's `files/` that is the content as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The owner's name.
    #[serde(default = "root")]
    pub owner: String,
    /// The group's name.
    #[serde(default = "root")]
    pub group: String,
    /// Permissions, octal.
    #[serde(default = "mode")]
    #[schemars(regex(pattern = r"^[0-7]{3,4}$"))]
    pub mode: String,
    /// A program that must accept the new file before it replaces the old one;
    /// `{}` in an argument is the new file's path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub validate: Vec<String>,
    /// Values put in for `@{name}` in the content when the file is written: a
    /// parameter of the cluster by its name, or any by `ssm:/…`. The content
    /// is then confidential.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub parameters: Texts,
    /// Never show the content, not even what changes in it.
    #[serde(default)]
    pub confidential: bool,
    /// There is to be nothing at that path.
    #[serde(default)]
    pub absent: bool,
    /// The content in base64, from `file` or `template`; filled in when the
    /// step is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub resolved: Option<String>,
}

fn mode() -> String {
    "0644".into()
}
