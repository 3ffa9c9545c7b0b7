//! A file: its content, owner, group and mode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::content::{Content, in_the_way};
use super::run::no_parameter;
use super::{Difference, Run, Step, StepError, Texts, mode_of, root, spec};
use crate::node::host::{Access, Cause, FileKind};

/// A file with this content, or none at that path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Where, absolute.
    #[schemars(regex(pattern = r"^/|\{\{"), length(max = 1000))]
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
    #[schemars(regex(pattern = r"^[0-7]{3,4}$|\{\{"))]
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
    /// Images put in for `@{name}` in the content, each by its digest,
    /// `image@sha256:…`: its own, or the one that `pin` has for it.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub images: Texts,
    /// The cluster's parameter that a `docker_image` step publishes digests to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
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

impl Step for File {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        if self.absent {
            return self.leftover(run);
        }
        let bytes = self.bytes(run)?;
        self.content(&bytes)?.differences(run)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        if self.absent {
            return Ok(run.host.remove(&self.path)?);
        }
        let bytes = self.bytes(run)?;
        self.content(&bytes)?.put(run, &self.validate)
    }

    fn owns(&self) -> Vec<String> {
        vec![self.path.clone()]
    }

    fn wants(&self) -> Vec<String> {
        vec![format!("user {}", self.owner), format!("group {}", self.group)]
    }
}

impl File {
    fn content<'a>(&'a self, bytes: &'a [u8]) -> Result<Content<'a>, StepError> {
        let access = Access {
            owner: self.owner.clone(),
            group: self.group.clone(),
            mode: mode_of(&self.mode)?,
        };
        let shown = !self.confidential && self.parameters.is_empty();
        Ok(Content { path: &self.path, bytes, access, shown })
    }

    /// The content with its parameters.
    fn bytes(&self, run: &mut Run<'_>) -> Result<Vec<u8>, StepError> {
        let bytes = match (&self.resolved, &self.content) {
            (Some(coded), _) => STANDARD.decode(coded).map_err(|_| no_content(&self.path))?,
            (None, Some(text)) => text.clone().into_bytes(),
            (None, None) => return Err(no_content(&self.path)),
        };
        if self.parameters.is_empty() && self.images.is_empty() {
            return Ok(bytes);
        }
        let Ok(text) = String::from_utf8(bytes) else {
            let message = format!("{} takes values and is not UTF-8", self.path);
            return Err(StepError::new(Cause::Invalid, message));
        };
        let mut values = Texts::new();
        for (name, image) in &self.images {
            values.insert(name.clone(), spec::image(run, image, self.pin.as_deref())?);
        }
        for (name, parameter) in &self.parameters {
            let value = run.secret(parameter)?;
            let value = value.ok_or_else(|| no_parameter(&run.parameter_path(parameter)))?;
            values.insert(name.clone(), value.reveal().into());
        }
        Ok(filled(&text, &values).into_bytes())
    }

    fn leftover(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        match run.host.stat(&self.path)?.map(|stat| stat.kind) {
            None => Ok(Vec::new()),
            Some(FileKind::Directory) => Err(in_the_way(&self.path, "a directory")),
            Some(_) => Ok(vec![Difference::new("file", "present", "absent")]),
        }
    }
}

/// A text with a value for each `@{name}` it has one for; what a value holds is
/// taken as it stands.
fn filled(text: &str, values: &Texts) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("@{") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let close = from.find('}');
        let value = close.and_then(|close| values.get(&from[2..close]));
        let taken = match (value, close) {
            (Some(value), Some(close)) => {
                out.push_str(value);
                close + 1
            }
            _ => {
                out.push_str("@{");
                2
            }
        };
        rest = &from[taken..];
    }
    out.push_str(rest);
    out
}

fn no_content(path: &str) -> StepError {
    StepError::new(Cause::Invalid, format!("no content is given for {path}"))
}
