//! Images, built once on this machine from Debian's, PyPI's and npm's packages
//! and kept by Docker under a digest of their recipe.
//!
//! A recipe is a folder under `image/`, carried in the binary: what it says is
//! what is built, and a changed file is another image. Its `build` writes the
//! root as a tar file and Docker imports that, which takes a tenth of what
//! `docker build` takes and needs no image to start from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::command;
use crate::docker::Docker;
use crate::error::Error;
use crate::lock::Lock;
use crate::place::{Place, is_root};

const BUILT_WITHIN: Duration = Duration::from_secs(1_800);
const IMPORTED_WITHIN: Duration = Duration::from_secs(300);
/// Images of earlier recipes that are kept, for those who go to and fro between
/// two versions.
const OLDER_KEPT: usize = 2;

/// A file of a recipe: its path, its text, whether it is a program.
type Part = (&'static str, &'static str, bool);

macro_rules! parts {
    ($($kind:ident $path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../image/", $path)), parts!(@ $kind))),*]
    };
    (@ program) => { true };
    (@ file) => { false };
}

const NODE: &[Part] = parts![
    program "node/build",
    program "node/customize",
    program "node/repository",
    file "node/extras",
    file "node/packages",
    file "node/files/etc/lyceum/environment",
    file "node/files/etc/systemd/system/chrony.service.d/lyceum-local.conf",
    file "node/files/etc/systemd/system/lyceum-user-data.service",
    program "node/files/usr/lib/lyceum-local/boot",
    program "node/files/usr/lib/lyceum-local/mount",
    program "node/files/usr/lib/lyceum-local/names",
    program "node/files/usr/lib/lyceum-local/registry",
    program "node/files/usr/lib/lyceum-local/user-data",
];

const HUB: &[Part] = parts![
    program "python/build",
    file "python/packages",
    file "hub/Dockerfile",
    program "hub/install",
    file "hub/requirements.txt",
];

const NOTEBOOK: &[Part] = parts![
    program "python/build",
    file "python/packages",
    file "notebook/Dockerfile",
    program "notebook/install",
    file "notebook/requirements.txt",
];

/// What can be built.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Image {
    /// A machine: Debian with systemd, Docker and what roles are to start.
    Node,
    /// JupyterHub with its spawner, authenticators, culler and proxy.
    Hub,
    /// A single user's server.
    Notebook,
}

impl Image {
    /// `lyceum-local/<name>:<digest of the recipe>`.
    pub fn tag(self) -> String {
        let mut digest = Sha256::new();
        digest.update(std::env::consts::ARCH);
        for (path, text, program) in self.parts() {
            digest.update(format!("\n{path} {} {program}\n", text.len()));
            digest.update(text);
        }
        format!("{}:{}", self.repository(), hex(&digest.finalize()[..8]))
    }

    /// Builds it unless Docker has it. `report` is told when it is built, which
    /// takes minutes.
    pub fn ensure(
        self,
        docker: &Docker,
        place: &Place,
        report: &dyn Fn(&str),
    ) -> Result<String, Error> {
        let tag = self.tag();
        if docker.inspect("image", &tag)?.is_some() {
            return Ok(tag);
        }
        let _turn = Lock::alone(&place.cache().join("build.lock"), BUILT_WITHIN)?;
        if docker.inspect("image", &tag)?.is_none() {
            report(&format!("building {tag} (once, a few minutes)"));
            self.build(docker, place, &tag)?;
            self.forget_older(docker)?;
        }
        Ok(tag)
    }

    fn build(self, docker: &Docker, place: &Place, tag: &str) -> Result<(), Error> {
        if !is_root() {
            return Err(Error::Missing {
                what: "root's rights, to build an image",
                get: "put `sudo` before it",
            });
        }
        let work = Folder::new(place.cache().join("build"))?;
        let root = work.0.join("root.tar");
        lay_out(self.parts(), &work.0)?;
        let (program, arguments) = self.build_command();
        let mut build = Command::new(work.0.join(program));
        build.arg(&root).args(arguments.iter().map(|argument| work.0.join(argument)));
        build.env("LYCEUM_LOCAL_CACHE", place.cache());
        command::succeed(&mut build, b"", BUILT_WITHIN)?;
        let mut import = vec!["import".to_owned()];
        for change in self.changes() {
            import.extend(["--change".to_owned(), change]);
        }
        import.extend([root.display().to_string(), tag.to_owned()]);
        docker.succeed_within(&import, IMPORTED_WITHIN)?;
        Ok(())
    }

    /// Images nobody asks for again are gigabytes.
    fn forget_older(self, docker: &Docker) -> Result<(), Error> {
        let listed = docker.succeed(&["image", "ls", "--quiet", &self.repository()])?;
        // Newest first. One in use stays, which is no error.
        for old in listed.lines().skip(1 + OLDER_KEPT) {
            docker.run(&["image", "rm", old], b"", Duration::from_secs(60))?;
        }
        Ok(())
    }

    fn repository(self) -> String {
        format!("lyceum-local/{}", self.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Hub => "hub",
            Self::Notebook => "notebook",
        }
    }

    fn parts(self) -> &'static [Part] {
        match self {
            Self::Node => NODE,
            Self::Hub => HUB,
            Self::Notebook => NOTEBOOK,
        }
    }

    fn build_command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Node => ("node/build", &[]),
            Self::Hub => ("python/build", &["hub"]),
            Self::Notebook => ("python/build", &["notebook"]),
        }
    }

    /// What `docker import` sets: for the Python images, what their Dockerfile
    /// says, so that it is said once.
    fn changes(self) -> Vec<String> {
        let dockerfile = self.parts().iter().find(|(path, ..)| path.ends_with("/Dockerfile"));
        match dockerfile {
            None => vec![
                "CMD [\"/usr/lib/lyceum-local/boot\"]".to_owned(),
                "ENV container=docker".to_owned(),
            ],
            Some((_, text, _)) => settings(text),
        }
    }
}

/// As digests are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of a Dockerfile that set how the image is run.
fn settings(dockerfile: &str) -> Vec<String> {
    let keys = ["ENV ", "USER ", "WORKDIR ", "CMD ", "EXPOSE "];
    dockerfile
        .lines()
        .filter(|line| keys.iter().any(|key| line.starts_with(key)))
        .map(str::to_owned)
        .collect()
}

fn lay_out(parts: &[Part], into: &Path) -> Result<(), Error> {
    for (path, text, program) in parts {
        let path = into.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        }
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        let mode = if *program { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .map_err(Error::file("write", &path))?;
    }
    Ok(())
}

/// A folder made empty, and gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(path: PathBuf) -> Result<Self, Error> {
        // Of a build that was cut short.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(Error::file("make", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_a_recipe_is_part_of_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("image");
        let mut there = BTreeSet::new();
        let mut open = vec![folder.clone()];
        while let Some(at) = open.pop() {
            for entry in fs::read_dir(at).unwrap().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => open.push(entry.path()),
                    false => {
                        let path = entry.path();
                        there.insert(path.strip_prefix(&folder).unwrap().display().to_string());
                    }
                }
            }
        }
        let parts = [NODE, HUB, NOTEBOOK].concat();
        let carried: BTreeSet<String> = parts.iter().map(|(path, ..)| (*path).to_owned()).collect();
        assert_eq!(carried, there);
    }

    #[test]
    fn images_are_told_apart_by_their_recipes() {
        let tags = [Image::Node, Image::Hub, Image::Notebook].map(Image::tag);
        assert_eq!(BTreeSet::from(tags.clone()).len(), 3);
        assert_eq!(tags[0], Image::Node.tag());
    }

    #[test]
    fn an_import_is_told_what_the_dockerfile_says() {
        let changes = Image::Notebook.changes();
        assert!(changes.iter().any(|line| line.starts_with("CMD ")), "{changes:?}");
        assert!(changes.iter().all(|line| !line.starts_with("RUN ")), "{changes:?}");
    }
}
