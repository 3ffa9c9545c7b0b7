//! The AWS emulator as a child of the test: one process, one port, one log.
//!
//! It ends with this value, or with this process, however that ends. May not: be
//! shared by two tests at once, since `reset` empties it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    own: lyceum_local::Emulator,
    _folder: TempDir,
}

impl Emulator {
    /// Starts one and waits until it answers.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let own = lyceum_local::Emulator::start(&python()?, folder.path())?;
        Ok(Self { own, _folder: folder })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.own.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.own.address()
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.own.url()
    }

    /// Empties it: every account, every region.
    pub fn reset(&self) -> Result<()> {
        self.own.reset().with_context(|| self.log())
    }

    /// Whether it does once what it would do again for every request and every
    /// object, as it does from its start on, or works as it comes.
    pub fn be_quick(&self, on: bool) -> Result<()> {
        self.own.be_quick(on).with_context(|| self.log())
    }

    /// The end of what it wrote, for a failed test.
    pub fn log(&self) -> String {
        self.own.log()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// The Python with the emulator and boto3: `LYCEUM_PYTHON`, or what
/// `make setup` made.
pub fn python() -> Result<PathBuf> {
    if let Some(python) = std::env::var_os("LYCEUM_PYTHON") {
        return Ok(python.into());
    }
    python_of("venv")
}

/// The Python with the hub's own packages.
pub fn hub_python() -> Result<PathBuf> {
    python_of("hub-venv")
}

/// The Python that moves a browser.
pub fn browser_python() -> Result<PathBuf> {
    python_of("browser-venv")
}

/// A file of this package.
pub fn in_tests(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn python_of(environment: &str) -> Result<PathBuf> {
    // Whoever runs this as root has a cache of root's, and what setup made in
    // their own.
    let made = match std::env::var_os("LYCEUM_SETUP") {
        Some(given) => given.into(),
        None => cache()?,
    };
    let python = made.join(environment).join("bin/python");
    if !python.exists() {
        bail!("{} is missing; `make setup` makes it", python.display());
    }
    Ok(python)
}

/// Where what is fetched or made once is kept.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(base) if !base.is_empty() => PathBuf::from(base),
        _ => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("lyceum"))
}
