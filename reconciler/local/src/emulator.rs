//! The AWS emulator as a child of this process: one process, one port, one log.
//!
//! It listens on a loopback port the system chooses, is ready when it answers,
//! and ends with this value, or with this process, however that ends.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::command::wait_until;
use crate::error::Error;

const READY_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// What is read of an answer, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// The end of the log that stands in an error.
const LOG_SHOWN: usize = 8_000;

/// The emulator's files, written beside its log: the program needs no checkout.
const FILES: &[(&str, &str)] = &[
    ("emulator.py", include_str!("../emulator/emulator.py")),
    ("cloud.py", include_str!("../emulator/cloud.py")),
    ("listen.py", include_str!("../emulator/listen.py")),
    ("quick.py", include_str!("../emulator/quick.py")),
    ("wire.py", include_str!("../emulator/wire.py")),
    ("images.json", include_str!("../emulator/images.json")),
];

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    child: Child,
    /// The emulator ends when this closes.
    _lifeline: Option<ChildStdin>,
    folder: PathBuf,
}

impl Emulator {
    /// Starts one with this Python, which has its packages, and waits until it
    /// answers. Its files and its log are in `folder`.
    pub fn start(python: &Path, folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        for (name, text) in FILES {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        let path = folder.join("log");
        let log = File::create(&path).map_err(Error::file("write", &path))?;
        let errors = log.try_clone().map_err(Error::file("write", &path))?;
        let mut child = Command::new(python)
            .arg(folder.join("emulator.py"))
            .env("MOTO_AMIS_PATH", folder.join("images.json"))
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Ctrl-C is for this process, which lets others finish with the
            // emulator still there.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Error::starting(&python.display().to_string()))?;
        let lifeline = child.stdin.take();
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let folder = folder.to_owned();
        let mut emulator = Self { address: unknown, child, _lifeline: lifeline, folder };
        emulator.address = emulator.ready()?;
        Ok(emulator)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Empties it: every account, every region.
    pub fn reset(&self) -> Result<(), Error> {
        ask(self.address, "POST", "/moto-api/reset").map(drop)
    }

    /// Whether it does once what it would do again for every request and every
    /// object, as it does from its start on, or works as it comes (`quick.py`).
    pub fn be_quick(&self, on: bool) -> Result<(), Error> {
        let way = if on { "on" } else { "off" };
        ask(self.address, "POST", &format!("/lyceum/quick/{way}")).map(drop)
    }

    /// Makes a public zone: the one thing a cluster with a domain needs and the
    /// reconciler never makes.
    pub fn make_zone(&self, name: &str) -> Result<(), Error> {
        let plain = |one: u8| one.is_ascii_alphanumeric() || one == b'.' || one == b'-';
        if !name.bytes().all(plain) {
            let value = name.to_owned();
            return Err(Error::Invalid { what: "the zone", value, why: "a name of a host" });
        }
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <Name>{name}</Name><CallerReference>{name}</CallerReference></CreateHostedZoneRequest>"
        );
        let headers = "Authorization: AWS4-HMAC-SHA256 \
                       Credential=lyceum/20260101/us-east-1/route53/aws4_request\r\n\
                       Content-Type: text/xml\r\n";
        send(self.address, "POST", "/2013-04-01/hostedzone", (headers, &body)).map(drop)
    }

    /// Takes an instance away, as EC2 does with one it needs elsewhere.
    pub fn terminate(&self, region: &str, instance: &str) -> Result<(), Error> {
        let plain = |text: &str| text.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-');
        if !plain(region) || !plain(instance) {
            let value = format!("{region} {instance}");
            return Err(Error::Invalid { what: "the instance", value, why: "a region, i-…" });
        }
        let body = format!("Action=TerminateInstances&Version=2016-11-15&InstanceId.1={instance}");
        let headers = format!(
            "Authorization: AWS4-HMAC-SHA256 \
             Credential=lyceum/20260101/{region}/ec2/aws4_request\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n"
        );
        send(self.address, "POST", "/", (&headers, &body)).map(drop)
    }

    /// Where its log is.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The end of what it wrote, for a failed test.
    pub fn log(&self) -> String {
        let text = fs::read(self.folder.join("log")).unwrap_or_default();
        let start = text.len().saturating_sub(LOG_SHOWN);
        String::from_utf8_lossy(&text[start..]).into_owned()
    }

    fn ready(&mut self) -> Result<SocketAddr, Error> {
        let mut found = None;
        let waited = wait_until("the AWS emulator", READY_WITHIN, || {
            if let Ok(Some(status)) = self.child.try_wait() {
                let what = "the AWS emulator".to_owned();
                return Err(Error::Failed { what, code: status.code(), said: self.log() });
            }
            found = found.or_else(|| announced(&self.log()));
            Ok(found.is_some_and(|at| ask(at, "GET", "/moto-api/").is_ok()))
        });
        waited?;
        found.ok_or_else(|| Error::Late {
            what: "the AWS emulator".into(),
            within: READY_WITHIN,
            said: self.log(),
        })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in `Running on http://127.0.0.1:40069`, once the line is whole.
fn announced(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("Running on http://")?;
    rest.split_once(char::is_whitespace)?.0.parse().ok()
}

/// One request; the body of an answer that says yes.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> Result<Vec<u8>, Error> {
    send(address, method, path, ("", ""))
}

/// The same with headers, each with the end of its line, and a body.
fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    (headers, body): (&str, &str),
) -> Result<Vec<u8>, Error> {
    let what = format!("{method} {path}");
    let failed = |source| Error::Ask { what: what.clone(), source };
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN)).map_err(failed)?;
    stream.set_write_timeout(Some(ANSWER_WITHIN)).map_err(failed)?;
    // HTTP/1.0: the answer ends where the connection does.
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.0\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).map_err(failed)?;
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.map_or(answer.len(), |end| end + 4));
    let head = String::from_utf8_lossy(head);
    match head.split_whitespace().nth(1) {
        Some("200" | "201") => Ok(body.to_vec()),
        _ => {
            let said = format!(
                "{} {}",
                head.lines().next().unwrap_or_default(),
                String::from_utf8_lossy(body)
            );
            Err(Error::Failed { what, code: None, said: said.chars().take(LOG_SHOWN).collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_a_complete_line_only() {
        assert_eq!(announced("Running on http://127.0.0.1:400"), None);
        let address = announced("Running on http://127.0.0.1:40069\n").unwrap();
        assert_eq!(address.port(), 40069);
    }
}
