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

    /// Whether it finds an object's tags by its id, as it does from its start
    /// on, or searches all tags there are, as the emulator itself would.
    pub fn find_tags_by_id(&self, on: bool) -> Result<()> {
        self.own.find_tags_by_id(on).with_context(|| self.log())
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
    let python = cache()?.join("venv/bin/python");
    if !python.exists() {
        bail!("{} is missing; `make setup` makes it", python.display());
    }
    Ok(python)
}

/// A file of this package.
pub fn in_tests(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(base) if !base.is_empty() => PathBuf::from(base),
        _ => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("lyceum"))
}

fn wait_until_ready(child: &mut Child, folder: &Path) -> Result<SocketAddr> {
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            bail!("the emulator ended at once with {status}");
        }
        if let Some(address) = announced(&fs::read_to_string(folder.join("log"))?) {
            // It listens before it says so; the answer proves it serves.
            return post(address, "/moto-api/reset").map(|()| address);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("the emulator was not ready within {READY_WITHIN:?}")
}

/// The address in `Running on http://127.0.0.1:40069`.
fn announced(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("Running on http://")?;
    rest.split_once(char::is_whitespace)?.0.parse().ok()
}

fn post(address: SocketAddr, path: &str) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 200") {
        bail!("{path} answered {}", answer.lines().next().unwrap_or("nothing"));
    }
    Ok(())
}

fn tail(folder: &Path) -> String {
    let log = fs::read(folder.join("log")).unwrap_or_default();
    let end = String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_SHOWN)..]).into_owned();
    format!("the emulator's log ends:\n{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_a_complete_line_only() {
        assert_eq!(announced(" * Running on http://127.0.0.1:400"), None);
        let address = announced(" * Running on http://127.0.0.1:40069\nPress").unwrap();
        assert_eq!(address.port(), 40069);
    }
}
