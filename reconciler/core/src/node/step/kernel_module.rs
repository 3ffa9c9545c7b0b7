//! A kernel module, now and after every boot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::{Difference, Run, Step, StepError};

/// A kernel module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KernelModule {
    /// Its name.
    #[schemars(regex(pattern = r"^[a-z0-9_-]+$"))]
    pub name: String,
    /// A kernel that neither has the module nor can load it is no error.
    #[serde(default)]
    pub optional: bool,
}

impl Step for KernelModule {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let (path, text) = self.file();
        let mut found = Content::system(&path, &text).differences(run)?;
        if !run.host.module(&self.name)? {
            found.push(Difference::new("module", "", "loaded"));
        }
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        if !run.host.module(&self.name)? {
            run.host.load_module(&self.name)?;
        }
        let (path, text) = self.file();
        Content::system(&path, &text).put(run, &[])
    }

    fn owns(&self) -> Vec<String> {
        vec![self.file().0]
    }
}

impl KernelModule {
    fn file(&self) -> (String, String) {
        let path = format!("/etc/modules-load.d/lyceum-{}.conf", self.name);
        (path, format!("# Written by Lyceum.\n{}\n", self.name))
    }
}
