//! Which images a cluster names, and therefore the local registry has. Under a
//! name that Docker knows on this machine, that image; under any other, the small
//! one built here.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use lyceum_core::manifest::{Declared, Manifests};
use lyceum_local::{Docker, Ground, Image, Node, Place, Shelf};
use serde_json::Value;

use crate::cli::failure::Failed;

const ROLE: &str = "jupyterhub";
const SOON: Duration = Duration::from_secs(60);

/// The images that a cluster names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Images {
    /// That of hub and proxy; none where the role says to build it on the hub.
    pub(super) hub: Option<String>,
    /// Under which name the hub then finds it built.
    pub(super) built: Option<String>,
    pub(super) notebooks: BTreeSet<String>,
}

impl Images {
    pub(super) fn of(manifests: &Manifests, cluster: &Declared) -> Self {
        let spec = &cluster.cluster.spec;
        let attribute = |name: &str| spec.attributes.get(ROLE)?.get(name);
        let hub = attribute("image").and_then(Value::as_str).filter(|name| !name.is_empty());
        let further = attribute("images").and_then(Value::as_object);
        let further = further.into_iter().flat_map(|all| all.values()).filter_map(Value::as_str);
        let mut notebooks: BTreeSet<String> = further.map(String::from).collect();
        notebooks.insert(spec.jupyter.image.clone());
        // What is named by its digest is that one alone: no other can stand for it.
        notebooks.retain(|name| !name.contains('@'));
        let built = hub.is_none().then(|| built_on_the_hub(manifests)).flatten();
        Self { hub: hub.map(String::from), built, notebooks }
    }

    /// What the cloud puts into its registry as it begins.
    pub(super) fn shelf(&self) -> Shelf {
        Shelf { hub: self.hub.clone(), notebooks: self.notebooks.iter().cloned().collect() }
    }

    /// Puts what the author of an image has on this machine in the place of ours,
    /// and what a later commit names beside it.
    pub(super) fn stock(
        &self,
        before: &Self,
        ground: &Ground,
        place: &Place,
    ) -> Result<(), Failed> {
        let docker = ground.daemon().docker();
        let hub = self.hub.iter().map(|name| (Image::Hub, name));
        let all = hub.chain(self.notebooks.iter().map(|name| (Image::Notebook, name)));
        for (image, name) in all {
            let known = before.notebooks.contains(name) || before.hub.as_ref() == Some(name);
            let own = docker.run(&["image", "inspect", name], b"", SOON)?.success();
            if own {
                ground.stock(name, name)?;
            } else if !known {
                ground
                    .stock(&image.ensure(docker, place, &|what| tracing::info!("{what}"))?, name)?;
            }
        }
        Ok(())
    }
}

/// The name under which the role builds the hub's image, by its own words.
fn built_on_the_hub(manifests: &Manifests) -> Option<String> {
    let text = String::from_utf8_lossy(manifests.roles.get(ROLE)?.files.get("role.yaml")?);
    let (_, rest) = text.split_once("localhost/")?;
    let end = rest.find(|one: char| !(one.is_ascii_alphanumeric() || ".:/_-".contains(one)))?;
    Some(format!("localhost/{}", &rest[..end]))
}

/// Gives the hub the image that its role would build there from the internet.
pub(super) fn give(docker: &Docker, node: &Node, name: &str, place: &Place) -> Result<(), Failed> {
    let image = Image::Hub.ensure(docker, place, &|what| tracing::info!("{what}"))?;
    docker.succeed(&["tag", &image, name])?;
    let mut saving = docker.command(&["save", name]).stdout(Stdio::piped()).spawn()?;
    let image = saving.stdout.take().context("docker save writes nothing")?;
    let load = ["exec", "--interactive", node.container(), "docker", "load"];
    let loaded = docker.command(&load).stdin(image).stdout(Stdio::null()).status();
    let saved = saving.wait()?;
    docker.succeed(&["rmi", "--no-prune", name])?;
    if !loaded?.success() || !saved.success() {
        bail!("{name} cannot be given to {}", node.name());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_testkit::manifests;

    fn images(spec: &str) -> Images {
        let manifests = manifests(&[("lab", spec)]);
        Images::of(&manifests, &manifests.clusters["lab"])
    }

    #[test]
    fn what_a_manifest_names_is_on_the_shelf() {
        let named = images("  jupyter: {image: \"quay.io/a/b:1\"}");
        assert_eq!(named.notebooks, BTreeSet::from(["quay.io/a/b:1".to_string()]));
        assert_eq!(named.hub, None);
        let digest = format!("quay.io/a/b@sha256:{}", "0".repeat(64));
        let pinned = images(&format!("  jupyter: {{image: \"{digest}\"}}"));
        assert!(pinned.notebooks.is_empty(), "nothing else can have that digest: {pinned:?}");
    }
}
