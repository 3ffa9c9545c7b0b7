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
    #[schemars(regex(pattern = r"^[a-z0-9_-]+$|\{\{"))]
    pub name: String,
    /// A kernel that neither has the module nor can load it is no error.
    #[serde(default)]
    pub optional: bool,
}

/// The kernel that runs: another one may have the module.
const RELEASE: &str = "kernel.osrelease";

impl Step for KernelModule {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let loaded = run.host.module(&self.name)?;
        if !loaded && self.optional && self.was_tried(run)? {
            return Ok(Vec::new());
        }
        let (path, text) = (self.path(), self.at_boot());
        let mut found = Content::system(&path, &text).differences(run)?;
        if !loaded {
            found.push(Difference::new("module", "", "loaded"));
        }
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let mut text = self.at_boot();
        if !run.host.module(&self.name)?
            && let Err(error) = run.host.load_module(&self.name)
        {
            if !self.optional {
                return Err(error.into());
            }
            text = self.not_in_this_kernel(run)?;
        }
        Content::system(&self.path(), &text).put(run, &[])
    }

    fn owns(&self) -> Vec<String> {
        vec![self.path()]
    }
}

impl KernelModule {
    fn path(&self) -> String {
        format!("/etc/modules-load.d/lyceum-{}.conf", self.name)
    }

    fn at_boot(&self) -> String {
        format!("# Written by Lyceum.\n{}\n", self.name)
    }

    /// So that neither the next run nor the next boot tries in vain.
    fn not_in_this_kernel(&self, run: &mut Run<'_>) -> Result<String, StepError> {
        let release = run.host.sysctl(RELEASE)?.unwrap_or_default();
        Ok(format!("# Written by Lyceum.\n# {} is not in {}\n", self.name, release.trim()))
    }

    fn was_tried(&self, run: &mut Run<'_>) -> Result<bool, StepError> {
        let (path, text) = (self.path(), self.not_in_this_kernel(run)?);
        Ok(Content::system(&path, &text).differences(run)?.is_empty())
    }
}
