//! Kernel parameters, now and after every boot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, Texts};

/// Kernel parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sysctl {
    /// Name to value, `net.ipv4.ip_forward: "1"`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 50))]
    pub values: Texts,
}
