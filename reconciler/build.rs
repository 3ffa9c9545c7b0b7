//! Puts the cookbooks into the program: `lyceum local up` makes a repository with
//! them where there is none, and the program may be all there is of Lyceum.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(io::ErrorKind::NotFound);
    let cookbooks = variable("CARGO_MANIFEST_DIR")?.join("../cookbooks");
    println!("cargo::rerun-if-changed={}", cookbooks.display());
    let mut files = Vec::new();
    list(&cookbooks, &mut files)?;
    files.sort();
    let mut text = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&cookbooks).map_err(io::Error::other)?;
        let (name, path) = (name.display().to_string(), file.display().to_string());
        writeln!(text, "    ({name:?}, include_bytes!({path:?}) as &[u8]),")
            .map_err(io::Error::other)?;
    }
    text.push(']');
    fs::write(variable("OUT_DIR")?.join("cookbooks.rs"), text)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            // What Python leaves where its tests run.
            true if entry.file_name() == "__pycache__" => {}
            true => list(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}
