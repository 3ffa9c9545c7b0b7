//! An image, pulled by its digest before anybody needs it.
//!
//! A name with a tag means another image tomorrow. So that all nodes run the
//! same one, one node asks the registry and publishes the digest to a
//! parameter; the others take it from there. What was published before stays
//! there for a while ([`Published`]): nodes whose turn in a roll-out has not
//! come want it still.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::{self, Published};
use super::{Difference, Run, Step, StepError};
use crate::node::host::{Cause, Confidential};

/// An image on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerImage {
    /// The image, with a tag or a digest.
    #[schemars(length(min = 1, max = 500))]
    pub image: String,
    /// The cluster's parameter that holds `<image> <digest>` for all nodes, a
    /// line each, the present one first. Needed where the image has a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// This node asks the registry when the image changes, and publishes the
    /// digest; an image that has one is published as it is.
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

    /// What is published is for this image before all others.
    fn is_published(&self, run: &mut Run<'_>) -> Result<bool, StepError> {
        let own = spec::own_digest(&self.image);
        if own.is_some() && self.pin.is_none() {
            return Ok(true);
        }
        let published = self.published(run)?;
        let is_mine = |(image, digest)| image == self.image && own.is_none_or(|own| own == digest);
        Ok(published.present().is_some_and(is_mine))
    }

    /// Nothing, where what stands there is none of ours.
    fn published(&self, run: &mut Run<'_>) -> Result<Published, StepError> {
        let value = run.public_parameter(self.pin()?)?;
        Ok(value.map(|value| Published::of(value.reveal())).unwrap_or_default())
    }

    /// It is here before others are told of it: a digest that cannot be pulled
    /// is published to nobody.
    fn publish(&self, run: &mut Run<'_>) -> Result<String, StepError> {
        let path = run.parameter_path(self.pin()?);
        let mut published = self.published(run)?;
        let digest = self.digest(run, &published)?;
        let name = spec::named(&self.image, &digest);
        if run.host.image(&name)?.is_none() {
            run.host.pull_image(&name)?;
        }
        published.put(&self.image, &digest);
        run.host.put_parameter(&path, &Confidential::new(published.to_string()))?;
        Ok(name)
    }

    /// Its own, the one it was published with, or the one its registry has now.
    fn digest(&self, run: &mut Run<'_>, published: &Published) -> Result<String, StepError> {
        if let Some(known) = spec::own_digest(&self.image).or(published.digest(&self.image)) {
            return Ok(known.into());
        }
        let digest = run.host.resolve_image(&self.image)?;
        if spec::is_digest(&digest) {
            return Ok(digest);
        }
        let message = format!("the registry has no digest for {}", self.image);
        Err(StepError::new(Cause::NotFound, message))
    }
}
