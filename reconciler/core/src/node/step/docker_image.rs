//! An image, pulled by its digest before anybody needs it.
//!
//! A name with a tag means another image tomorrow. So that all nodes run the
//! same one, one node asks the registry and publishes the digest to a
//! parameter; the others take it from there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Difference, Run, Step, StepError, spec};
use crate::node::host::{Cause, Confidential};

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

impl Step for DockerImage {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        if self.publish && !self.is_published(run)? {
            return Ok(vec![Difference::new("published", "", &self.image)]);
        }
        let name = self.name(run)?;
        let there = run.host.image(&name)?.is_some();
        let missing = || Difference::new("image", "", &name);
        Ok((!there).then(missing).into_iter().collect())
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let name = if self.publish && !self.is_published(run)? {
            self.publish(run)?
        } else {
            self.name(run)?
        };
        if run.host.image(&name)?.is_none() {
            run.host.pull_image(&name)?;
        }
        Ok(())
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("image {}", self.image)]
    }

    fn needs_docker(&self) -> bool {
        true
    }
}

impl DockerImage {
    /// The image by its digest.
    fn name(&self, run: &mut Run<'_>) -> Result<String, StepError> {
        if spec::has_digest(&self.image) {
            return Ok(self.image.clone());
        }
        self.pin()?;
        spec::image(run, &self.image, self.pin.as_deref())
    }

    fn pin(&self) -> Result<&str, StepError> {
        let none = || {
            let message = format!("{} has no digest and no `pin`", self.image);
            StepError::new(Cause::Invalid, message).hint(
                "a tag means another image tomorrow: name a digest, or the parameter that holds \
                 it for all nodes",
            )
        };
        self.pin.as_deref().ok_or_else(none)
    }

    /// What is published is for this image; a digest needs no publishing.
    fn is_published(&self, run: &mut Run<'_>) -> Result<bool, StepError> {
        if spec::has_digest(&self.image) {
            return Ok(true);
        }
        let value = run.public_parameter(self.pin()?)?;
        let published = value.as_ref().and_then(|value| value.reveal().split_once(' '));
        Ok(published
            .is_some_and(|(image, digest)| image == self.image && spec::is_digest(digest)))
    }

    /// It is here before others are told of it: a digest that cannot be pulled
    /// is published to nobody.
    fn publish(&self, run: &mut Run<'_>) -> Result<String, StepError> {
        let path = run.parameter_path(self.pin()?);
        let digest = run.host.resolve_image(&self.image)?;
        if !spec::is_digest(&digest) {
            let message = format!("the registry has no digest for {}", self.image);
            return Err(StepError::new(Cause::NotFound, message));
        }
        let name = spec::by_digest(&self.image, &digest);
        if run.host.image(&name)?.is_none() {
            run.host.pull_image(&name)?;
        }
        let value = Confidential::new(format!("{} {digest}", self.image));
        run.host.put_parameter(&path, &value)?;
        Ok(name)
    }
}
