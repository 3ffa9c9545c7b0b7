//! A service of the swarm. The whole specification is compared, so that a
//! changed image, variable, mount or port converges.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::{Value, json};

use super::{Difference, Run, Step, StepError, Texts, spec};
use crate::node::host::{Cause, DockerObject};

/// A service of the swarm, or none of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerService {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$|\{\{"))]
    pub name: String,
    /// The image, with a tag or a digest.
    #[serde(default)]
    pub image: String,
    /// The cluster's parameter with the image's digest, as `docker_image` pins
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Replaces the image's entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment. Nothing secret: mount a confidential file.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,
    /// `1000`, `1000:100` or a name in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What is mounted into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<DockerMount>,
    /// Networks it is on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Names it has there besides its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<DockerPort>,
    /// Placement, `node.role == manager`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// How many tasks.
    #[serde(default = "one")]
    #[schemars(range(max = 1000))]
    pub replicas: u32,
    /// `dnsrr` or `vip`. Virtual addresses need a kernel with IP_VS and drop
    /// connections that are idle for 15 minutes.
    #[serde(default = "dnsrr")]
    pub endpoint_mode: String,
    /// `any`, `on-failure` or `none`.
    #[serde(default = "any")]
    pub restart: String,
    /// Memory it may use, `512M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Processors it may use, `"0.5"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// `start-first` or `stop-first`.
    #[serde(default = "stop_first")]
    pub update_order: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// Steps whose change restarts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub watches: Vec<String>,
    /// There is to be no such service.
    #[serde(default)]
    pub absent: bool,
}

/// A directory or file of the node inside a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerMount {
    /// On the node, absolute.
    pub source: String,
    /// In the container, absolute.
    pub target: String,
    /// It cannot be written there.
    #[serde(default)]
    pub read_only: bool,
}

/// A published port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerPort {
    /// Of the container.
    #[schemars(range(min = 1, max = 65535))]
    pub target: u16,
    /// Of the node.
    #[schemars(range(min = 1, max = 65535))]
    pub published: u16,
    /// `tcp` or `udp`.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// `host`, or `ingress`, which needs IP_VS.
    #[serde(default = "host")]
    pub mode: String,
}

fn one() -> u32 {
    1
}
fn dnsrr() -> String {
    "dnsrr".into()
}
fn any() -> String {
    "any".into()
}
fn stop_first() -> String {
    "stop-first".into()
}
fn tcp() -> String {
    "tcp".into()
}
fn host() -> String {
    "host".into()
}

impl Step for DockerService {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let found = run.host.service(&self.name)?;
        let Some(service) = found else {
            let missing = || Difference::new("service", "", "present");
            if !self.absent {
                // What is wrong with it is better known before it is begun.
                self.spec(run)?;
            }
            return Ok((!self.absent).then(missing).into_iter().collect());
        };
        if self.absent {
            return Ok(vec![Difference::new("service", "present", "absent")]);
        }
        let wanted = self.spec(run)?;
        let (live, wanted) = (live(&service, &self.image), spec::normal_service(&wanted));
        let mut differences = spec::differences(&live, &wanted);
        if run.stale {
            differences.push(Difference::new("restart", "", "what it watches changed"));
        }
        Ok(differences)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let found = run.host.service(&self.name)?;
        match (found, self.absent) {
            (None, true) => Ok(()),
            (Some(service), true) => Ok(run.host.remove_service(&service.id)?),
            (None, false) => {
                let wanted = self.spec(run)?;
                Ok(run.host.create_service(&wanted)?)
            }
            (Some(service), false) => {
                let mut wanted = self.spec(run)?;
                let force = "/Spec/TaskTemplate/ForceUpdate";
                let forced = service.inspect.pointer(force).and_then(Value::as_u64).unwrap_or(0);
                wanted["TaskTemplate"]["ForceUpdate"] = json!(forced + u64::from(run.stale));
                Ok(run.host.update_service(&service.id, service.version, &wanted)?)
            }
        }
    }

    fn uses(&self) -> Vec<String> {
        self.mounts.iter().map(|mount| mount.source.clone()).collect()
    }

    fn watches(&self) -> &[String] {
        &self.watches
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("service {}", self.name)]
    }

    fn wants(&self) -> Vec<String> {
        let networks = self.networks.iter().map(|name| format!("network {name}"));
        networks.chain(["swarm".into(), format!("image {}", self.image)]).collect()
    }

    fn needs_docker(&self) -> bool {
        true
    }
}

impl DockerService {
    /// The whole specification, in the shape of Docker's API.
    fn spec(&self, run: &mut Run<'_>) -> Result<Value, StepError> {
        let image = spec::image(run, &self.image, self.pin.as_deref())?;
        let stamp = Some(&run.stamp).filter(|stamp| !stamp.is_empty());
        let labels: Texts = stamp.map(|it| (spec::STAMP.to_string(), it.clone())).into_iter().collect();
        let networks = self.networks(run)?;
        let (memory, cpus) =
            (spec::memory(self.memory.as_deref())?, spec::nano_cpus(self.cpus.as_deref())?);
        let ports = self.ports.iter().map(|port| {
            json!({
                "Protocol": port.protocol, "TargetPort": port.target,
                "PublishedPort": port.published, "PublishMode": port.mode,
            })
        });
        Ok(json!({
            "Name": self.name,
            "Labels": self.labels,
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": image,
                    "Labels": labels,
                    "Command": self.command,
                    "Args": self.args,
                    "Env": spec::environment(&self.env),
                    "User": self.user.as_deref().unwrap_or_default(),
                    "Mounts": spec::mounts(&self.mounts),
                },
                "Resources": {"Limits": {"MemoryBytes": memory, "NanoCPUs": cpus}},
                "RestartPolicy": {"Condition": self.restart},
                "Placement": {"Constraints": self.constraints},
                "Networks": networks,
            },
            "Mode": {"Replicated": {"Replicas": self.replicas}},
            "UpdateConfig": {"Parallelism": 1, "Order": self.update_order},
            "EndpointSpec": {"Mode": self.endpoint_mode, "Ports": ports.collect::<Vec<_>>()},
        }))
    }

    /// By id, as Docker keeps them: a network that is made anew is another.
    fn networks(&self, run: &mut Run<'_>) -> Result<Vec<Value>, StepError> {
        let mut networks = Vec::new();
        for name in &self.networks {
            let Some(network) = run.host.network(name)? else {
                let message = format!("Docker has no network {name}");
                return Err(StepError::new(Cause::NotFound, message)
                    .hint("make it with a `docker_network` step on the swarm's leader"));
            };
            networks.push(json!({"Target": network.id, "Aliases": self.aliases}));
        }
        Ok(networks)
    }
}

/// The specification as it is. Docker adds the digest an image had when the
/// service was made; where none was asked for it is no difference.
fn live(service: &DockerObject, asked: &str) -> Value {
    let mut live = service.inspect.get("Spec").cloned().unwrap_or(Value::Null);
    if let Some(Value::String(image)) = live.pointer_mut("/TaskTemplate/ContainerSpec/Image")
        && let Some((name, _)) = image.split_once('@')
        && name == asked
    {
        *image = name.to_string();
    }
    spec::normal_service(&live)
}
