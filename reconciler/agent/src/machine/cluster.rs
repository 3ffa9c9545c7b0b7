//! The cluster around the node: in AWS, or stood in for by a file where a role
//! is tried on a single machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lyceum_core::node::host::{self, Answer, Cause, Confidential, HostError};
use lyceum_core::node::report::NodeReport;

use super::Machine;
use crate::aws::{Aws, s3};
use crate::disk;
use crate::settings::Settings;

/// What the reconciler seeds a parameter with that a node fills in.
const NOT_YET: &str = "none";
/// In a file of parameters, `peer:i-1: ready` stands in for the report of
/// another node.
const PEER: &str = "peer:";
const READY: &str = "ready";
/// One run asks for the same value several times.
const FRESH: Duration = Duration::from_secs(3);
/// A call that went unanswered is not made again so soon: a node without AWS
/// would wait for each of its parameters.
const AWAY: Duration = Duration::from_secs(15);
/// Longest report of another node that is read.
const LARGEST_REPORT: usize = 4 * 1024 * 1024;
/// Longest file of parameters.
const LARGEST_FILE: usize = 1024 * 1024;

/// What is around a node.
pub enum Surroundings {
    /// A cluster in AWS.
    Cloud(Box<Cloud>),
    /// A file of parameters, name to value; none without one.
    Alone(Option<PathBuf>),
}

/// A cluster in AWS.
pub struct Cloud {
    aws: Arc<Aws>,
    settings: Settings,
    /// Values as last read: used for a moment, and while AWS is away. In memory
    /// alone, since they are secrets.
    parameters: BTreeMap<String, (Instant, Confidential)>,
    /// When a call last went unanswered, and how.
    away: Option<(Instant, HostError)>,
    /// By key: what the object was and whether its node was ready.
    peers: BTreeMap<String, (String, bool)>,
}

impl Surroundings {
    /// A cluster in AWS.
    pub fn cloud(aws: Arc<Aws>, settings: Settings) -> Self {
        let (parameters, peers) = (BTreeMap::new(), BTreeMap::new());
        Self::Cloud(Box::new(Cloud { aws, settings, parameters, away: None, peers }))
    }

    pub(super) fn aws(&self) -> Option<Arc<Aws>> {
        match self {
            Self::Cloud(cloud) => Some(Arc::clone(&cloud.aws)),
            Self::Alone(_) => None,
        }
    }
}

impl host::Cluster for Machine {
    fn parameter(&mut self, name: &str) -> Answer<Option<Confidential>> {
        match &mut self.surroundings {
            Surroundings::Cloud(cloud) => self.runtime.block_on(cloud.parameter(name)),
            Surroundings::Alone(path) => {
                let value = path.as_deref().map(parameters_of).transpose()?.unwrap_or_default();
                Ok(value.get(name).filter(|value| *value != NOT_YET).map(Confidential::new))
            }
        }
    }

    fn put_parameter(&mut self, name: &str, value: &Confidential) -> Answer<()> {
        match &mut self.surroundings {
            Surroundings::Cloud(cloud) => self.runtime.block_on(cloud.put_parameter(name, value)),
            Surroundings::Alone(None) => {
                let message = "this machine is in no cluster; name a file with --parameters";
                Err(HostError::new(Cause::NotFound, format!("write parameter {name}"), message))
            }
            Surroundings::Alone(Some(path)) => {
                let mut values = parameters_of(path)?;
                values.insert(name.into(), value.reveal().into());
                let text = serde_json::to_vec_pretty(&values).unwrap_or_default();
                disk::write(path, &text, 0o600)
                    .map_err(|error| disk::failed(format!("write parameter {name}"), &error))
            }
        }
    }

    fn peers(&mut self) -> Answer<BTreeMap<String, bool>> {
        match &mut self.surroundings {
            Surroundings::Cloud(cloud) => self.runtime.block_on(cloud.peers()),
            Surroundings::Alone(path) => {
                let values = path.as_deref().map(parameters_of).transpose()?.unwrap_or_default();
                let peers = values.iter().filter_map(|(key, value)| {
                    Some((key.strip_prefix(PEER)?.to_string(), value == READY))
                });
                Ok(peers.collect())
            }
        }
    }
}

impl Cloud {
    async fn parameter(&mut self, name: &str) -> Answer<Option<Confidential>> {
        if let Some((read, value)) = self.parameters.get(name)
            && read.elapsed() < FRESH
        {
            return Ok(Some(value.clone()));
        }
        let away = self.away.take_if(|(when, _)| when.elapsed() < AWAY);
        let read = match &away {
            Some((_, error)) => Err(error.clone()),
            None => self.aws.parameter(name).await,
        };
        match read {
            Ok(value) => {
                let value = value.filter(|value| value.reveal() != NOT_YET);
                match &value {
                    Some(value) => {
                        let kept = (Instant::now(), value.clone());
                        self.parameters.insert(name.into(), kept)
                    }
                    None => self.parameters.remove(name),
                };
                Ok(value)
            }
            // What a node was told keeps it as it should be while AWS is away.
            Err(error) if matches!(error.cause, Cause::Unreachable | Cause::Timeout) => {
                self.away = away.or_else(|| Some((Instant::now(), error.clone())));
                match self.parameters.get(name) {
                    Some((_, value)) => Ok(Some(value.clone())),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn put_parameter(&mut self, name: &str, value: &Confidential) -> Answer<()> {
        self.parameters.remove(name);
        self.aws.put_parameter(name, value).await
    }

    /// Costs a list, and a read for each report that changed.
    async fn peers(&mut self) -> Answer<BTreeMap<String, bool>> {
        let prefix = self.settings.key("nodes/");
        let listed = self.aws.list(&self.settings.bucket, &prefix).await?;
        self.peers.retain(|key, _| listed.iter().any(|object| object.key == *key));
        for object in &listed {
            if self.peers.get(&object.key).is_some_and(|(etag, _)| *etag == object.etag) {
                continue;
            }
            let bucket = &self.settings.bucket;
            let fetched = self.aws.get(bucket, &object.key, None, LARGEST_REPORT).await?;
            let s3::Fetched::Object(found) = fetched else { continue };
            // A report that cannot be read is not one of a ready node.
            let report: NodeReport = serde_json::from_slice(&found.body).unwrap_or_default();
            self.peers.insert(object.key.clone(), (found.etag, report.ready));
        }
        let names = self.peers.iter().filter_map(|(key, (_, ready))| {
            let name = key.strip_prefix(&prefix)?.strip_suffix(".json")?;
            Some((name.to_string(), *ready))
        });
        Ok(names.collect())
    }
}

fn parameters_of(path: &Path) -> Answer<BTreeMap<String, String>> {
    let operation = format!("read {}", path.display());
    let content = disk::read(path, LARGEST_FILE).map_err(|it| disk::failed(&operation, &it))?;
    match content {
        None => Ok(BTreeMap::new()),
        Some(content) => serde_yaml::from_slice(&content)
            .map_err(|error| HostError::new(Cause::Invalid, operation, error.to_string())),
    }
}
