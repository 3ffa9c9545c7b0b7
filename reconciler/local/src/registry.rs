//! The registry of a cloud: Debian's docker-registry in a container, answering
//! nodes as quay.io and others, so that production names of images need no change
//! and no Docker is told of anything. Images come in through a port on loopback,
//! where every Docker pushes without being told either. What it holds lies in the
//! cache and is there for the next cloud.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::docker::Docker;
use crate::error::Error;

/// What is kept from cloud to cloud.
pub(crate) const KEPT: u64 = 6 * 1_024 * 1_024 * 1_024;
/// Where Docker asks for names without a registry.
const DOCKER_HUB: &str = "registry-1.docker.io";
const PUSHED_WITHIN: Duration = Duration::from_secs(600);

/// A registry.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) docker: Docker,
    pub(crate) container: String,
}

impl Registry {
    /// Puts an image that Docker has on this machine into the registry under a
    /// production name, `quay.io/group/image:tag`. Gives its digest.
    pub fn push(&self, image: &str, name: &str) -> Result<String, Error> {
        let (repository, tag) = split(name)?;
        let local = format!("{}/{repository}:{tag}", self.loopback()?);
        self.docker.succeed(&["tag", image, &local])?;
        let pushed = self.docker.succeed_within(&["push", &local], PUSHED_WITHIN);
        self.docker.succeed(&["rmi", "--no-prune", &local])?;
        let said = pushed?;
        let digest = said.split_whitespace().find(|word| word.starts_with("sha256:"));
        digest.map(str::to_owned).ok_or_else(|| Error::Failed {
            what: format!("docker push {local}"),
            code: Some(0),
            said,
        })
    }

    /// Takes it away without a word.
    pub fn stop(&self) -> Result<(), Error> {
        self.docker.succeed(&["kill", &self.container]).map(drop)
    }

    /// Brings it back.
    pub fn start(&self) -> Result<(), Error> {
        self.docker.succeed(&["start", &self.container]).map(drop)
    }

    fn loopback(&self) -> Result<String, Error> {
        let listed = self.docker.succeed(&["port", &self.container, "443/tcp"])?;
        Ok(listed.lines().next().unwrap_or_default().to_owned())
    }
}

/// Empties a folder of blobs that has grown over a limit. Whoever needs one of
/// them pushes it again.
pub(crate) fn bound(folder: &Path, limit: u64) -> Result<(), Error> {
    if size_of(folder) <= limit {
        return Ok(());
    }
    fs::remove_dir_all(folder)
        .and_then(|()| fs::create_dir_all(folder))
        .map_err(Error::file("empty", folder))
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size_of(&entry.path()),
            _ => entry.metadata().map_or(0, |found| found.len()),
        })
        .sum()
}

/// Whether the local registry answers as the one of this name; without one it is
/// Docker Hub's.
pub(crate) fn answers(registries: &[String], name: &str) -> bool {
    let host = match name.split_once('/') {
        Some(("docker.io", _)) | None => DOCKER_HUB,
        Some((first, _)) if is_host(first) => first,
        Some(_) => DOCKER_HUB,
    };
    registries.iter().any(|one| one == host || host.ends_with(&format!(".{one}")))
}

fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

/// The part of a name below its registry, and its tag, as Docker reads them.
fn split(name: &str) -> Result<(String, String), Error> {
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    let repository = match path.split_once('/') {
        Some((first, rest)) if is_host(first) => rest.to_owned(),
        Some(_) => path.to_owned(),
        None => format!("library/{path}"),
    };
    match !repository.is_empty() && !tag.is_empty() && !name.contains('@') {
        true => Ok((repository, tag.to_owned())),
        false => Err(Error::Invalid {
            what: "the image name",
            value: name.to_owned(),
            why: "registry/group/image:tag",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_kept_up_to_a_limit() {
        let folder = std::env::temp_dir().join(format!("lyceum-blobs-{}", std::process::id()));
        fs::create_dir_all(folder.join("below")).unwrap();
        fs::write(folder.join("below/blob"), [0; 100]).unwrap();
        bound(&folder, 100).unwrap();
        assert!(folder.join("below/blob").exists());
        bound(&folder, 99).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn what_is_pulled_from_elsewhere_is_known() {
        let registries = ["registry-1.docker.io", "quay.io"].map(str::to_owned);
        for here in ["alpine", "a/b:1", "docker.io/a/b", "quay.io/a/b:1"] {
            assert!(answers(&registries, here), "{here}");
        }
        for there in ["1234.dkr.ecr.us-east-1.amazonaws.com/a:1", "localhost/a", "notquay.io/a"] {
            assert!(!answers(&registries, there), "{there}");
        }
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (name, repository, tag) in [
            ("quay.io/jupyter/base-notebook:lab-4", "jupyter/base-notebook", "lab-4"),
            ("jupyterhub/jupyterhub:5", "jupyterhub/jupyterhub", "5"),
            ("alpine", "library/alpine", "latest"),
            ("localhost:5000/a/b", "a/b", "latest"),
        ] {
            let expected = (repository.to_owned(), tag.to_owned());
            assert_eq!(split(name).unwrap(), expected, "{name}");
        }
        assert!(split("quay.io/a@sha256:00").is_err());
    }
}
