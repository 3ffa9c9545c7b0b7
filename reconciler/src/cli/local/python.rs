//! The Python that runs the AWS emulator, in an environment of its own. The one
//! that `make setup` makes is the same: whoever comes first makes it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use lyceum_local::Place;

use crate::cli::failure::Failed;

/// The emulator's packages, every one of them pinned.
const REQUIREMENTS: &str = include_str!("../../../../tests/requirements.txt");

/// Where it is: `LYCEUM_PYTHON`, or beside what local clouds keep.
pub(super) fn path(place: &Place) -> PathBuf {
    match std::env::var_os("LYCEUM_PYTHON") {
        Some(given) => given.into(),
        None => folder(place).join("bin/python"),
    }
}

/// Whether it is there, with the packages as they should be.
pub(super) fn is_there(place: &Place) -> bool {
    let given = std::env::var_os("LYCEUM_PYTHON").is_some();
    let made_from = fs::read_to_string(folder(place).join("requirements.txt"));
    path(place).exists() && (given || made_from.is_ok_and(|list| list == REQUIREMENTS))
}

/// Makes it unless it is there.
pub(super) fn make(place: &Place) -> Result<PathBuf, Failed> {
    let folder = folder(place);
    // `make setup` takes the same lock.
    let lock = File::create(folder.with_file_name("setup.lock"))?;
    lock.lock()?;
    if !is_there(place) {
        let list = folder.with_file_name("requirements.txt.new");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        fs::write(&list, REQUIREMENTS)?;
        let mut pip = Command::new(folder.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list))?;
        // Last, for it says that the rest is there.
        fs::rename(&list, folder.join("requirements.txt"))?;
    }
    Ok(path(place))
}

fn folder(place: &Place) -> PathBuf {
    place.cache().parent().unwrap_or(Path::new("/")).join("venv")
}

fn run(command: &mut Command) -> Result<(), Failed> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
