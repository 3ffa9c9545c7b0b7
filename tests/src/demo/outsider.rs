//! Who changes AWS past the repository, and sees it with other eyes: boto3.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::emulator::{in_tests, python};

/// Somebody with boto3.
#[derive(Debug)]
pub(super) struct Outsider {
    endpoint: String,
}

/// What they see of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Sight {
    /// The hub's port 443 is open to the world.
    pub(super) open: bool,
    /// The most workers there may be; none where there is no group.
    pub(super) max: Option<u32>,
    /// Objects of EC2 with the cluster's tag.
    pub(super) objects: usize,
}

impl Outsider {
    /// At an endpoint, past any proxy.
    pub(super) fn new(endpoint: String) -> Self {
        Self { endpoint }
    }

    /// Looks at a cluster.
    pub(super) fn look(&self, cluster: &str) -> Result<Sight> {
        self.ask(&["look", cluster])
    }

    /// Closes the hub's port and sets another maximum; gives when that was done.
    pub(super) fn meddle(&self, cluster: &str, max: u32) -> Result<Instant> {
        let since_1970: f64 = self.ask(&["meddle", cluster, &max.to_string()])?;
        let done = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(since_1970);
        let ago = done.elapsed().unwrap_or_default();
        Instant::now().checked_sub(ago).context("the outsider's clock is wrong")
    }

    fn ask<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let output = Command::new(python()?)
            .arg(in_tests("demo/outsider.py"))
            .args(["--endpoint", &self.endpoint])
            .args(arguments)
            .envs([("AWS_ACCESS_KEY_ID", "lyceum"), ("AWS_SECRET_ACCESS_KEY", "lyceum")])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AWS_PROFILE")
            .output()
            .context("boto3 does not start")?;
        if !output.status.success() {
            bail!("boto3: {}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).context("the outsider's answer is no JSON")
    }
}
