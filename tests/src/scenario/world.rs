//! An emulator with a proxy before it: the AWS of a scenario.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::inventory::{Inventory, fidelity};
use crate::emulator::{Emulator, python};
use crate::proxy::{Lent, Proxy};

/// The zones that stand ready, as a university's would.
const ZONES: &[&str] = &["example.edu", "notebooks.example.edu"];
const REGIONS: &str = "us-east-1,us-west-2";
/// What every script of boto3 starts with.
const BOTO3: &str = "
import sys, boto3
def aws(service):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name='us-east-1',
        aws_access_key_id='test', aws_secret_access_key='test')
";
const PATIENCE: Duration = Duration::from_secs(20);

/// An AWS of one's own. It may be emptied and used again.
#[derive(Debug)]
pub struct World {
    /// What stands between the program and the emulator.
    pub proxy: Proxy,
    emulator: Emulator,
}

impl World {
    /// With everything lent that AWS has.
    pub fn new() -> Result<Self> {
        Self::lending(Lent::default())
    }

    /// With some of it.
    pub fn lending(lent: Lent) -> Result<Self> {
        let emulator = Emulator::start()?;
        let proxy = Proxy::start(emulator.address(), lent, 1)?;
        let world = Self { proxy, emulator };
        world.make_zones()?;
        Ok(world)
    }

    /// Empties it; rules and attempts go too.
    pub fn reset(&self) -> Result<()> {
        self.proxy.forget();
        self.emulator.reset()?;
        self.make_zones()
    }

    /// Where the program finds AWS.
    pub fn endpoint(&self) -> String {
        self.proxy.url()
    }

    /// Where a test finds it, past all faults.
    pub fn backdoor(&self) -> String {
        self.emulator.url()
    }

    /// See [`Emulator::be_quick`].
    pub fn be_quick(&self, on: bool) -> Result<()> {
        self.emulator.be_quick(on)
    }

    /// The emulator's process id.
    pub fn emulator(&self) -> u32 {
        self.emulator.id()
    }

    /// Everything there is.
    pub fn inventory(&self) -> Result<Inventory> {
        Inventory::read(&self.backdoor(), REGIONS).with_context(|| self.emulator.log())
    }

    /// Everything there is against what a repository's manifests say.
    pub fn fidelity(&self, repository: &Path) -> Result<String> {
        fidelity(&self.backdoor(), repository)
    }

    /// Runs boto3 past all faults: `aws(service)` is a client of us-east-1, and
    /// what the script prints is given back.
    pub fn boto3(&self, script: &str) -> Result<String> {
        let output = Command::new(python()?)
            .args(["-c", &format!("{BOTO3}{script}"), &self.backdoor()])
            .output()
            .context("boto3 does not start")?;
        if !output.status.success() {
            bail!("{script}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The end of the emulator's log.
    pub fn log(&self) -> String {
        self.emulator.log()
    }

    fn make_zones(&self) -> Result<()> {
        ZONES.iter().try_for_each(|zone| self.make_zone(zone))
    }

    fn make_zone(&self, name: &str) -> Result<()> {
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <Name>{name}</Name><CallerReference>{name}</CallerReference></CreateHostedZoneRequest>"
        );
        let address = self.emulator.address();
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "POST /2013-04-01/hostedzone HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=lyceum/20260101/us-east-1/route53/aws4_request\r\n\
             content-type: text/xml\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 201") {
            bail!("the zone {name} was not made: {answer}");
        }
        Ok(())
    }
}
