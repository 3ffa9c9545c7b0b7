//! Kernel parameters, now and after every boot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::{Difference, Run, Step, StepError, Texts};
use crate::node::host::Cause;

/// Kernel parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sysctl {
    /// Name to value, `net.ipv4.ip_forward: "1"`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 50))]
    pub values: Texts,
}

impl Step for Sysctl {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let (path, text) = self.file(run.id);
        let mut found = Vec::new();
        for (key, wanted) in &self.values {
            let Some(value) = run.host.sysctl(key)? else { return Err(unknown(key)) };
            if plain(&value) != plain(wanted) {
                found.push(Difference::new(key, plain(&value), plain(wanted)));
            }
        }
        found.extend(Content::system(&path, &text).differences(run)?);
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let (path, text) = self.file(run.id);
        Content::system(&path, &text).put(run, &[])?;
        for (key, wanted) in &self.values {
            let found = run.host.sysctl(key)?;
            if found.is_none_or(|value| plain(&value) != plain(wanted)) {
                run.host.set_sysctl(key, wanted)?;
            }
        }
        Ok(())
    }

    /// Where the kernel shows its parameters: no two steps set one.
    fn owns(&self) -> Vec<String> {
        self.values.keys().map(|key| format!("/proc/sys/{}", key.replace('.', "/"))).collect()
    }
}

impl Sysctl {
    /// After those of the distribution, and of a name that no other step has.
    fn file(&self, id: &str) -> (String, String) {
        let name = id.replace(['/', '['], "-").replace(']', "");
        let mut text = String::from("# Written by Lyceum.\n");
        for (key, value) in &self.values {
            text.push_str(&format!("{key} = {value}\n"));
        }
        (format!("/etc/sysctl.d/90-lyceum-{name}.conf"), text)
    }
}

/// The kernel separates several numbers by tabs.
fn plain(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unknown(key: &str) -> StepError {
    StepError::new(Cause::NotFound, format!("the kernel has no parameter {key}"))
        .hint("check its name; some come with a module, which a `kernel_module` step loads")
}
