//! An image, pulled by its digest before anybody needs it.
//!
//! A name with a tag means another image tomorrow. So that all nodes run the
//! same one, one node asks the registry and publishes the digest to a
//! parameter; the others take it from there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError};

/// An image on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerImage {
    /// The image, with a tag or a digest.
    #[schemars(length(min = 1, max = 500))]
    pub image: String,
    /// The cluster's parameter that holds `<image> <digest>` for all nodes.
    /// Needed where the image has a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// This node asks the registry when the image changes, and publishes the
    /// digest.
    #[serde(default)]
    pub publish: bool,
}
