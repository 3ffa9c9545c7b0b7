//! The AWS emulator (moto), one process per [`Emulator`], ended when dropped.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long Python may take to start it.
const START: Duration = Duration::from_secs(60);

/// A running emulator with nothing in it.
pub(crate) struct Emulator {
    child: Child,
    url: String,
}

impl Emulator {
    /// Starts one with the images of `images.json`, on a port of the system's
    /// choice, and waits until it listens.
    pub(crate) fn start() -> Self {
        let python = python();
        let mut child = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../local/emulator/emulator.py"))
            .env("MOTO_AMIS_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images.json"))
            // It ends when its standard input does: with this process at the latest.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run make setup", python.display()));
        let stdout = child.stdout.take().expect("its standard output is a pipe");
        let (found, urls) = mpsc::channel();
        // Read to the end: a full pipe would stop it.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("Running on ") {
                    // Nobody listens any more once the start was given up.
                    let _ = found.send(url.trim().to_string());
                }
            }
        });
        let mut emulator = Self { child, url: String::new() };
        emulator.url = urls.recv_timeout(START).expect("the emulator says where it listens");
        emulator
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Python of the project's own virtual environment, which `make setup` makes.
fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    cache.unwrap_or_default().join("lyceum/venv/bin/python")
}
