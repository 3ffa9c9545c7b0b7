//! A network of Docker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::{Map, Value, json};

use super::{Difference, Run, Step, StepError, Texts, yes};
use crate::node::host::Cause;

/// A network of Docker. One that differs is made anew once nothing is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerNetwork {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$|\{\{"))]
    pub name: String,
    /// `overlay` or `bridge`.
    #[serde(default = "overlay")]
    pub driver: String,
    /// Its range; Docker's choice without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Containers outside of services may join, too.
    #[serde(default = "yes")]
    pub attachable: bool,
    /// No way out of it.
    #[serde(default)]
    pub internal: bool,
    /// Traffic between nodes is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// Driver options.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub options: Texts,
    /// Labels.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
}

fn overlay() -> String {
    "overlay".into()
}

/// Numbers that Docker gives an overlay network.
const NUMBERS: &str = "com.docker.network.driver.overlay.vxlanid_list";

impl Step for DockerNetwork {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let Some(network) = run.host.network(&self.name)? else {
            return Ok(vec![Difference::new("network", "", &self.driver)]);
        };
        let live = &network.inspect;
        let mut found = Vec::new();
        let mut compare = |what: &str, before: String, after: String| {
            if before != after {
                found.push(Difference::new(what, before, after));
            }
        };
        compare("driver", text(&live["Driver"]), self.driver.clone());
        compare("internal", flag(&live["Internal"]), self.internal.to_string());
        if self.is_overlay() {
            compare("attachable", flag(&live["Attachable"]), self.attachable.to_string());
        }
        if let Some(subnet) = &self.subnet {
            let range = live.pointer("/IPAM/Config/0/Subnet").map(text).unwrap_or_default();
            compare("subnet", range, subnet.clone());
        }
        let mut options = texts(&live["Options"]);
        options.remove(NUMBERS);
        compare("options", json!(options).to_string(), json!(self.options()).to_string());
        compare("labels", json!(texts(&live["Labels"])).to_string(), json!(self.labels).to_string());
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        if let Some(network) = run.host.network(&self.name)? {
            run.host.remove_network(&network.id).map_err(|error| match error.cause {
                Cause::Busy => StepError::from(error).hint(
                    "a network cannot be changed while something is attached: it is made anew \
                     once nothing is, or under another name",
                ),
                _ => StepError::from(error),
            })?;
        }
        Ok(run.host.create_network(&self.spec())?)
    }

    fn provides(&self) -> Vec<String> {
        vec![format!("network {}", self.name)]
    }

    fn wants(&self) -> Vec<String> {
        if self.is_overlay() { vec!["swarm".into()] } else { Vec::new() }
    }

    fn needs_docker(&self) -> bool {
        true
    }
}

impl DockerNetwork {
    fn is_overlay(&self) -> bool {
        self.driver == "overlay"
    }

    fn options(&self) -> Texts {
        let mut options = self.options.clone();
        if self.encrypted {
            options.insert("encrypted".into(), String::new());
        }
        options
    }

    fn spec(&self) -> Value {
        let mut spec = Map::new();
        spec.insert("Name".into(), json!(self.name));
        spec.insert("CheckDuplicate".into(), json!(true));
        spec.insert("Driver".into(), json!(self.driver));
        spec.insert("Internal".into(), json!(self.internal));
        spec.insert("Options".into(), json!(self.options()));
        spec.insert("Labels".into(), json!(self.labels));
        if self.is_overlay() {
            spec.insert("Attachable".into(), json!(self.attachable));
        }
        if let Some(subnet) = &self.subnet {
            spec.insert("IPAM".into(), json!({"Config": [{"Subnet": subnet}]}));
        }
        Value::Object(spec)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn flag(value: &Value) -> String {
    value.as_bool().unwrap_or_default().to_string()
}

fn texts(value: &Value) -> Texts {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), text(value))).collect()
}
