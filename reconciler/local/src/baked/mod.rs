//! Images that nodes have when they boot, as from a machine image with them baked
//! in: they are pulled from the cloud's registry once, and every node begins with
//! them, instead of each pulling and unpacking them beside the others.
//!
//! A set of images is a volume, known by a digest of their names and digests. It
//! belongs to no cloud and is there for the next one.
//!
//! Nodes share the layers with it by hard links: Docker only ever links and
//! unlinks what it has of a layer. Who writes there as a node's root, past Docker,
//! writes to all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::command::wait_until;
use crate::docker::{Docker, LABEL, SOON};
use crate::error::Error;
use crate::image;
use crate::lock::Lock;
use crate::node::Surroundings;
use crate::place::Place;
use crate::registry;

const BAKE: &str = include_str!("bake.sh");
const FILL: &str = include_str!("fill.sh");
/// Gigabytes to be pulled and unpacked, on a busy machine.
const BAKED_WITHIN: Duration = Duration::from_secs(900);
/// Sets of other clouds and earlier images that are kept.
const OTHERS_KEPT: usize = 2;
/// What copying needs: any owner and mode, and the attributes by which a layer
/// hides what is below it, which only the last of these sees.
const RIGHTS: [&str; 7] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP", "SYS_ADMIN"];

/// What a cloud's registry was given, and what is baked of it.
#[derive(Debug)]
pub(crate) struct Stock {
    /// The public registries that the local one answers as.
    registries: Vec<String>,
    /// Names and digests.
    images: Mutex<BTreeMap<String, String>>,
    baked: Mutex<Option<Baked>>,
}

impl Stock {
    pub(crate) fn of(registries: &[String]) -> Self {
        let registries = registries.to_vec();
        Self { registries, images: Mutex::default(), baked: Mutex::default() }
    }

    /// The registry has this image from now on.
    pub(crate) fn has(&self, name: &str, digest: &str) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.insert(name.to_owned(), digest.to_owned());
    }

    /// Bakes what can be pulled here.
    pub(crate) fn bake(&self, around: &Surroundings, place: &Place) -> Result<(), Error> {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner).clone();
        images.retain(|name, _| registry::answers(&self.registries, name));
        if images.is_empty() {
            return Ok(());
        }
        let baked = Baked::ensure(around, place, &images)?;
        *self.baked.lock().unwrap_or_else(PoisonError::into_inner) = Some(baked);
        Ok(())
    }

    /// What nodes begin with.
    pub(crate) fn baked(&self) -> Option<Baked> {
        self.baked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A set of images that stands ready.
#[derive(Clone, Debug)]
pub(crate) struct Baked {
    volume: String,
    /// Where Docker keeps its volumes.
    root: String,
}

impl Baked {
    /// Makes the set unless it is there. `images` are names with digests, as the
    /// registry has them.
    fn ensure(
        around: &Surroundings,
        place: &Place,
        images: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let volume = volume(&around.image, images);
        let docker = &around.docker;
        let _turn = Lock::alone(&place.cache().join("bake.lock"), BAKED_WITHIN)?;
        docker.succeed(&["volume", "create", "--label", &label(), &volume])?;
        let name = format!("{volume}-bake");
        // That of another user of this daemon, whose lock is another.
        wait_until(&format!("the end of {name}"), BAKED_WITHIN, || {
            Ok(docker.inspect("container", &name)?.is_none())
        })?;
        once(docker, &name, &bake(around, &volume, images), BAKED_WITHIN)?;
        forget_others(docker, &volume)?;
        let found = docker.inspect("volume", &volume)?.unwrap_or_default();
        let at = found["Mountpoint"].as_str().unwrap_or_default();
        let root = at.strip_suffix(&format!("/{volume}/_data")).unwrap_or_default();
        Ok(Self { volume, root: root.to_owned() })
    }

    /// Gives an empty volume its images. Where that fails it has none of them.
    pub(crate) fn fill(&self, around: &Surroundings, volume: &str) -> Result<(), Error> {
        let there = around.docker.inspect("volume", &self.volume)?.is_some();
        if self.root.is_empty() || !there {
            return Ok(());
        }
        let mut words: Vec<String> =
            ["run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL"]
                .map(str::to_owned)
                .into();
        words.extend(RIGHTS.map(|right| format!("--cap-add={right}")));
        words.push("--security-opt=no-new-privileges".to_owned());
        words.push(format!("--label={LABEL}={}", around.cloud));
        // Links cannot cross mounts, so all volumes are one.
        words.push(format!("--volume={}:/volumes", self.root));
        // Whoever would remove the set meanwhile is told that it is in use.
        words.push(format!("--volume={}:/baked:ro", self.volume));
        let name = format!("{volume}-fill");
        words.push(format!("--name={name}"));
        let script = [&around.image, "sh", "-c", FILL, "fill", &self.volume, volume];
        words.extend(script.map(str::to_owned));
        once(&around.docker, &name, &words, SOON)
    }
}

/// Runs a container to its end. One that fails, or takes too long, is gone too:
/// the client is no more than who looks on.
fn once(docker: &Docker, name: &str, words: &[String], within: Duration) -> Result<(), Error> {
    let done = docker.succeed_within(words, within);
    if done.is_err() {
        docker.run(&["rm", "--force", name], b"", SOON)?;
    }
    done.map(drop)
}

fn label() -> String {
    format!("{LABEL}.baked")
}

fn volume(node: &str, images: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new();
    digest.update(node);
    for (name, of) in images {
        digest.update(format!("\n{name}@{of}"));
    }
    format!("lyceum-local-baked-{}", image::hex(&digest.finalize()[..8]))
}

/// `docker run` of a Docker that pulls and ends.
fn bake(around: &Surroundings, volume: &str, images: &BTreeMap<String, String>) -> Vec<String> {
    let mut words: Vec<String> =
        ["run", "--rm", "--init", "--cgroupns=private"].map(str::to_owned).into();
    words.extend(around.rights.flags().iter().map(|flag| (*flag).to_owned()));
    words.push(format!("--name={volume}-bake"));
    words.push(format!("--label={LABEL}={}", around.cloud));
    words.push(format!("--network={}", around.network));
    words.extend(["/run", "/tmp:exec"].map(|folder| format!("--tmpfs={folder}")));
    words.push(format!("--volume={volume}:/baked"));
    words.extend(around.shared.iter().map(|(from, to)| format!("--volume={from}:{to}")));
    words.extend([&around.image, "sh", "-c", BAKE, "bake", "/baked"].map(str::to_owned));
    words.extend(images.iter().flat_map(|(name, digest)| [name.clone(), digest.clone()]));
    words
}

fn forget_others(docker: &Docker, volume: &str) -> Result<(), Error> {
    let filter = format!("label={}", label());
    let listed = docker.succeed(&["volume", "ls", "--quiet", "--filter", &filter])?;
    let mut others = Vec::new();
    for name in listed.lines().filter(|name| *name != volume) {
        let found = docker.inspect("volume", name)?.unwrap_or_default();
        others.push((found["CreatedAt"].as_str().unwrap_or_default().to_owned(), name.to_owned()));
    }
    others.sort();
    for (_, old) in others.iter().rev().skip(OTHERS_KEPT) {
        // One in use stays, which is no error.
        docker.run(&["volume", "rm", old], b"", SOON)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_image_or_another_node_is_another_set() {
        let of = |digest: &str| BTreeMap::from([("quay.io/a/b:1".into(), digest.to_string())]);
        let one = volume("node:1", &of("sha256:1"));
        assert_eq!(one, volume("node:1", &of("sha256:1")));
        assert_ne!(one, volume("node:1", &of("sha256:2")));
        assert_ne!(one, volume("node:2", &of("sha256:1")));
    }
}
