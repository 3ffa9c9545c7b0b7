//! A container outside of the swarm's services. The whole specification is
//! compared; one that differs is made anew.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::{Map, Value, json};

use super::docker_service::{DockerMount, DockerPort};
use super::{Difference, Run, Step, StepError, Texts, spec};

/// A container, running, or none of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerContainer {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$|\{\{"))]
    pub name: String,
    /// The image, with a tag or a digest.
    #[serde(default)]
    pub image: String,
    /// The cluster's parameter with the image's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Replaces the image's command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Environment. Nothing secret: mount a confidential file.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,
    /// `1000`, `1000:100` or a name in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What is mounted into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<DockerMount>,
    /// The network it is on: a name, `bridge` or `host`.
    #[serde(default = "bridge")]
    pub network: String,
    /// Published ports; `mode` has no meaning here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<DockerPort>,
    /// `always`, `unless-stopped`, `on-failure` or `no`.
    #[serde(default = "always")]
    pub restart: String,
    /// Memory it may use, `512M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Processors it may use, `"0.5"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// Steps whose change makes it anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub watches: Vec<String>,
    /// There is to be no such container.
    #[serde(default)]
    pub absent: bool,
}

fn bridge() -> String {
    "bridge".into()
}
fn always() -> String {
    "always".into()
}

/// The label with the digest of what was asked for: what the image adds to a
/// container cannot be told from what was asked.
const ASKED: &str = "lyceum.spec";

impl Step for DockerContainer {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let found = run.host.container(&self.name)?;
        let Some(container) = found else {
            let missing = || Difference::new("container", "", "present");
            if !self.absent {
                self.spec(run)?;
            }
            return Ok((!self.absent).then(missing).into_iter().collect());
        };
        if self.absent {
            return Ok(vec![Difference::new("container", "present", "absent")]);
        }
        let wanted = self.spec(run)?;
        let mut differences = differences(&container.inspect, &wanted);
        if container.inspect.pointer("/State/Running") != Some(&Value::Bool(true)) {
            differences.push(Difference::new("running", "no", "yes"));
        }
        if run.stale {
            differences.push(Difference::new("restart", "", "what it watches changed"));
        }
        Ok(differences)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        // Everything that can go wrong before the old one goes.
        let wanted = if self.absent { None } else { Some(self.spec(run)?) };
        if let Some(image) = wanted.as_ref().and_then(|wanted| wanted["Image"].as_str())
            && run.host.image(image)?.is_none()
        {
            run.host.pull_image(image)?;
        }
        if let Some(container) = run.host.container(&self.name)? {
            run.host.remove_container(&container.id)?;
        }
        match wanted {
            Some(wanted) => Ok(run.host.create_container(&self.name, &wanted)?),
            None => Ok(()),
        }
    }

    fn uses(&self) -> Vec<String> {
        self.mounts.iter().map(|mount| mount.source.clone()).collect()
    }

    fn watches(&self) -> &[String] {
        &self.watches
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("container {}", self.name)]
    }

    fn wants(&self) -> Vec<String> {
        vec![format!("network {}", self.network), format!("image {}", self.image)]
    }

    fn needs_docker(&self) -> bool {
        true
    }
}

impl DockerContainer {
    /// The whole specification, in the shape of Docker's API.
    fn spec(&self, run: &mut Run<'_>) -> Result<Value, StepError> {
        let image = spec::image(run, &self.image, self.pin.as_deref())?;
        let mut wanted = json!({
            "Image": image,
            "Env": spec::environment(&self.env),
            "HostConfig": {
                "Mounts": spec::mounts(&self.mounts),
                "NetworkMode": self.network,
                "PortBindings": self.ports.iter().map(binding).collect::<Map<_, _>>(),
                "RestartPolicy": {"Name": self.restart},
                "Memory": spec::memory(self.memory.as_deref())?,
                "NanoCpus": spec::nano_cpus(self.cpus.as_deref())?,
            },
        });
        if !self.command.is_empty() {
            wanted["Cmd"] = json!(self.command);
        }
        if let Some(user) = &self.user {
            wanted["User"] = json!(user);
        }
        if !self.ports.is_empty() {
            let exposed = self.ports.iter().map(|port| (exposed(port), json!({})));
            wanted["ExposedPorts"] = Value::Object(exposed.collect());
        }
        let mut labels = self.labels.clone();
        if !run.stamp.is_empty() {
            labels.insert(spec::STAMP.into(), run.stamp.clone());
        }
        wanted["Labels"] = json!(labels);
        let digest = crate::site::digest(&wanted.to_string());
        wanted["Labels"][ASKED] = json!(digest[..16]);
        Ok(wanted)
    }
}

fn binding(port: &DockerPort) -> (String, Value) {
    (exposed(port), json!([{"HostIp": "", "HostPort": port.published.to_string()}]))
}

fn exposed(port: &DockerPort) -> String {
    format!("{}/{}", port.target, port.protocol)
}

/// What was asked for is compared by the label and, since a container can be
/// changed in place, by what it is.
fn differences(inspect: &Value, wanted: &Value) -> Vec<Difference> {
    let (config, host) = (&inspect["Config"], &inspect["HostConfig"]);
    let mut found = spec::differences(
        &view(config, host, wanted),
        &view(wanted, &wanted["HostConfig"], wanted),
    );
    let label = |labels: &Value| labels[ASKED].as_str().unwrap_or_default().to_string();
    let (before, after) = (label(&config["Labels"]), label(&wanted["Labels"]));
    if found.is_empty() && before != after {
        found.push(Difference::new("specification", before, after));
    }
    found
}

/// What can be compared between what is asked and what is there: of the
/// variables and labels those that are asked for, since the image brings more.
fn view(config: &Value, host: &Value, wanted: &Value) -> Value {
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(String::from)).collect()
    };
    let asked = texts(&wanted["Env"]);
    let env: Map<String, Value> = texts(&config["Env"])
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| asked.iter().any(|it| it.starts_with(&format!("{name}="))))
        .map(|(name, value)| (name.to_string(), json!(value)))
        .collect();
    let only_asked = |field: &str| {
        if wanted.get(field).is_some() { config[field].clone() } else { Value::Null }
    };
    let network = match host["NetworkMode"].as_str() {
        Some("default") => "bridge",
        Some(name) => name,
        None => "",
    };
    let mut ports = host["PortBindings"].clone();
    for bound in ports.as_object_mut().into_iter().flat_map(Map::values_mut) {
        bound.as_array_mut().into_iter().flatten().for_each(|port| {
            // Unset, every address and none are one.
            if port["HostIp"] == "0.0.0.0" || port["HostIp"].is_null() {
                port["HostIp"] = json!("");
            }
        });
    }
    spec::normal_container(&json!({
        "Image": config["Image"],
        "Cmd": only_asked("Cmd"),
        "User": only_asked("User"),
        "Env": env,
        "Mounts": host["Mounts"],
        "NetworkMode": network,
        "PortBindings": ports,
        "RestartPolicy": host["RestartPolicy"]["Name"],
        "Memory": host["Memory"],
        "NanoCpus": host["NanoCpus"],
        "Privileged": host["Privileged"],
    }))
}
