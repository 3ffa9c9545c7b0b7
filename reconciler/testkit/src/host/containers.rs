//! Docker: images, networks, services and containers, in the shapes of its API
//! and with what it fills in by itself.

use std::collections::{BTreeMap, BTreeSet};

use lyceum_core::node::host::{
    Answer, Cause, Confidential, Docker, DockerObject, HostError, ImageState, SwarmJoin,
    SwarmMember, SwarmState,
};
use serde_json::{Map, Value, json};

use super::{FakeHost, Machine, error};

/// Docker on one machine.
#[derive(Clone, Debug, Default)]
pub struct FakeDocker {
    /// The node's part in a swarm.
    pub swarm: SwarmState,
    /// Name, with a tag, to digest: what registries hold.
    pub registry: BTreeMap<String, String>,
    /// Images on the node, by `name@digest` or name with a tag.
    pub images: BTreeSet<String>,
    /// By id.
    pub networks: BTreeMap<String, Value>,
    /// By id: version and inspect.
    pub services: BTreeMap<String, (u64, Value)>,
    /// By id.
    pub containers: BTreeMap<String, Value>,
}

impl FakeDocker {
    /// What `docker service update` would do behind everybody's back: changes
    /// the specification of a service.
    pub fn change_service(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        let named = |entry: &&mut (u64, Value)| entry.1["Spec"]["Name"] == name;
        if let Some((version, inspect)) = self.services.values_mut().find(named) {
            *version += 1;
            change(&mut inspect["Spec"]);
        }
    }

    /// The specification of a service.
    pub fn spec(&self, name: &str) -> Value {
        let found = self.services.values().find(|(_, it)| it["Spec"]["Name"] == name);
        found.map(|(_, inspect)| inspect["Spec"].clone()).unwrap_or_default()
    }

    /// A container by name.
    pub fn named(&self, name: &str) -> Value {
        let found = self.containers.values().find(|it| it["Name"] == format!("/{name}"));
        found.cloned().unwrap_or_default()
    }

    /// A digest made of a word.
    pub fn digest(word: &str) -> String {
        format!("sha256:{}", lyceum_core::site::digest(word))
    }
}

impl FakeHost {
    fn docker<T>(
        &mut self,
        name: String,
        changes: bool,
        deed: impl FnOnce(&mut Machine) -> Answer<T>,
    ) -> Answer<T> {
        self.call(name.clone(), changes, |machine| {
            if !machine.units.get("docker.service").is_some_and(|unit| unit.active) {
                return error(Cause::Unreachable, name, "Cannot connect to the Docker daemon");
            }
            deed(machine)
        })
    }
}

impl Machine {
    fn network_id(&self, name: &str) -> Option<String> {
        let networks = &self.docker.networks;
        let named = networks.iter().find(|(id, it)| *id == name || it["Name"] == name);
        named.map(|(id, _)| id.clone())
    }

    fn is_manager(&self, operation: &str) -> Answer<()> {
        if self.swarm_state().manager {
            return Ok(());
        }
        error(Cause::Refused, operation, "This node is not a swarm manager.")
    }

    /// The specification as Docker keeps it: networks by id, defaults filled in.
    fn kept(&self, spec: &Value) -> Answer<Value> {
        let mut spec = spec.clone();
        let task = &mut spec["TaskTemplate"];
        for network in task["Networks"].as_array_mut().into_iter().flatten() {
            let name = network["Target"].as_str().unwrap_or_default();
            let Some(id) = self.network_id(name) else {
                return error(Cause::NotFound, "service", format!("network {name} not found"));
            };
            network["Target"] = json!(id);
        }
        let container = &mut task["ContainerSpec"];
        fill(
            container,
            json!({"Init": false, "Isolation": "default", "DNSConfig": {},
            "StopGracePeriod": 10_000_000_000_u64}),
        );
        for empty in ["Command", "Args", "Env", "Mounts", "User", "Labels"] {
            drop_empty(container, empty);
        }
        fill(task, json!({"ForceUpdate": 0, "Runtime": "container", "Resources": {}}));
        fill(&mut task["Resources"], json!({"Limits": {}, "Reservations": {}}));
        fill(
            &mut task["RestartPolicy"],
            json!({"Condition": "any", "Delay": 5_000_000_000_u64,
            "MaxAttempts": 0}),
        );
        task["Placement"]["Platforms"] = json!([{"Architecture": "amd64", "OS": "linux"}]);
        let update = json!({"Parallelism": 1, "FailureAction": "pause", "Monitor": 5_000_000_000_u64,
            "MaxFailureRatio": 0, "Order": "stop-first"});
        fill(&mut spec["UpdateConfig"], update.clone());
        fill(&mut spec["RollbackConfig"], update);
        fill(&mut spec["EndpointSpec"], json!({"Mode": "vip"}));
        Ok(spec)
    }

    fn has_image(&self, name: &str) -> bool {
        self.docker.images.contains(name)
    }
}

/// Fields that are not there yet.
fn fill(value: &mut Value, defaults: Value) {
    if value.is_null() {
        *value = json!({});
    }
    for (key, default) in defaults.as_object().into_iter().flatten() {
        if value.get(key).is_none() {
            value[key] = default.clone();
        }
    }
}

fn drop_empty(value: &mut Value, key: &str) {
    let empty = match &value[key] {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if let Some(map) = value.as_object_mut().filter(|_| empty) {
        map.remove(key);
    }
}

impl Docker for FakeHost {
    fn swarm(&mut self) -> Answer<SwarmState> {
        self.docker("swarm".into(), false, |machine| Ok(machine.swarm_state()))
    }

    fn swarm_init(&mut self, address: &str) -> Answer<()> {
        self.docker("swarm_init".into(), true, |machine| machine.begin_swarm(address))
    }

    fn swarm_join(&mut self, join: &SwarmJoin) -> Answer<()> {
        self.docker(format!("swarm_join {}", join.remote), true, |machine| machine.join_swarm(join))
    }

    fn swarm_leave(&mut self) -> Answer<()> {
        self.docker("swarm_leave".into(), true, |machine| {
            machine.leave_swarm();
            Ok(())
        })
    }

    fn swarm_token(&mut self, role: &str) -> Answer<Confidential> {
        self.docker(format!("swarm_token {role}"), false, |machine| machine.token(role))
    }

    fn swarm_members(&mut self) -> Answer<Vec<SwarmMember>> {
        self.docker("swarm_members".into(), false, Machine::members)
    }

    fn set_member(
        &mut self,
        id: &str,
        availability: &str,
        labels: &BTreeMap<String, String>,
    ) -> Answer<()> {
        let name = format!("set_member {id} {availability}");
        self.docker(name, true, |machine| machine.set_member(id, availability, labels))
    }

    fn remove_member(&mut self, id: &str) -> Answer<()> {
        self.docker(format!("remove_member {id}"), true, |machine| machine.remove_member(id))
    }

    fn image(&mut self, name: &str) -> Answer<Option<ImageState>> {
        self.docker(format!("image {name}"), false, |machine| {
            let there = machine.has_image(name);
            let id = format!("sha256:{}", lyceum_core::site::digest(name));
            Ok(there.then(|| ImageState { id, digests: vec![name.into()] }))
        })
    }

    fn resolve_image(&mut self, name: &str) -> Answer<String> {
        let call = format!("resolve_image {name}");
        self.docker(call.clone(), false, |machine| match machine.docker.registry.get(name) {
            Some(digest) => Ok(digest.clone()),
            None => error(Cause::NotFound, call, "manifest unknown"),
        })
    }

    fn pull_image(&mut self, name: &str) -> Answer<()> {
        let call = format!("pull_image {name}");
        self.docker(call.clone(), true, |machine| {
            if machine.disk_full {
                return error(Cause::Full, call, "no space left on device");
            }
            let digest = name.split_once('@').map(|(_, digest)| digest);
            let known = match digest {
                Some(digest) => machine.docker.registry.values().any(|it| it == digest),
                None => machine.docker.registry.contains_key(name),
            };
            if !known {
                return error(Cause::NotFound, call, "manifest unknown");
            }
            machine.docker.images.insert(name.into());
            Ok(())
        })
    }

    fn network(&mut self, name: &str) -> Answer<Option<DockerObject>> {
        self.docker(format!("network {name}"), false, |machine| {
            let id = machine.network_id(name);
            let object = |id: String| {
                let inspect = machine.docker.networks[&id].clone();
                DockerObject { id, version: 0, inspect }
            };
            Ok(id.map(object))
        })
    }

    fn create_network(&mut self, spec: &Value) -> Answer<()> {
        let name = spec["Name"].as_str().unwrap_or_default().to_string();
        self.docker(format!("create_network {name}"), true, |machine| {
            let overlay = spec["Driver"] == "overlay";
            if overlay {
                machine.is_manager("create_network")?;
            }
            if machine.network_id(&name).is_some() {
                return error(Cause::Refused, "create_network", "it exists already");
            }
            let id = format!("net{}", machine.next());
            let mut kept = spec.clone();
            if let Some(map) = kept.as_object_mut() {
                map.remove("CheckDuplicate");
            }
            kept["Id"] = json!(id);
            kept["Scope"] = json!(if overlay { "swarm" } else { "local" });
            kept["Containers"] = json!({});
            fill(
                &mut kept,
                json!({"Attachable": false, "EnableIPv6": false,
                "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.0.1.0/24"}]}}),
            );
            if overlay {
                kept["Options"]["com.docker.network.driver.overlay.vxlanid_list"] = json!("4097");
            }
            machine.docker.networks.insert(id, kept);
            Ok(())
        })
    }

    fn remove_network(&mut self, id: &str) -> Answer<()> {
        self.docker(format!("remove_network {id}"), true, |machine| {
            let uses = |(_, inspect): &(u64, Value)| {
                let networks = inspect["Spec"]["TaskTemplate"]["Networks"].as_array();
                networks.into_iter().flatten().any(|network| network["Target"] == id)
            };
            if machine.docker.services.values().any(uses) {
                return error(Cause::Busy, "remove_network", "network is in use by a service");
            }
            machine.docker.networks.remove(id);
            Ok(())
        })
    }

    fn service(&mut self, name: &str) -> Answer<Option<DockerObject>> {
        self.docker(format!("service {name}"), false, |machine| {
            machine.is_manager("service")?;
            let mut services = machine.docker.services.iter();
            let found = services.find(|(_, (_, inspect))| inspect["Spec"]["Name"] == name);
            Ok(found.map(|(id, (version, inspect))| DockerObject {
                id: id.clone(),
                version: *version,
                inspect: inspect.clone(),
            }))
        })
    }

    fn create_service(&mut self, spec: &Value) -> Answer<()> {
        let name = spec["Name"].as_str().unwrap_or_default().to_string();
        self.docker(format!("create_service {name}"), true, |machine| {
            machine.is_manager("create_service")?;
            if machine.docker.services.values().any(|(_, it)| it["Spec"]["Name"] == name.as_str()) {
                return error(Cause::Refused, "create_service", "name conflicts");
            }
            let id = format!("service{}", machine.next());
            let inspect = json!({"ID": id, "Spec": machine.kept(spec)?, "Endpoint": {}});
            machine.docker.services.insert(id, (1, inspect));
            Ok(())
        })
    }

    fn update_service(&mut self, id: &str, version: u64, spec: &Value) -> Answer<()> {
        self.docker(format!("update_service {id}"), true, |machine| {
            let kept = machine.kept(spec)?;
            match machine.docker.services.get_mut(id) {
                Some((current, inspect)) if *current == version => {
                    *current += 1;
                    inspect["Spec"] = kept;
                    Ok(())
                }
                Some(_) => error(Cause::Busy, "update_service", "update out of sequence"),
                None => error(Cause::NotFound, "update_service", "no such service"),
            }
        })
    }

    fn remove_service(&mut self, id: &str) -> Answer<()> {
        self.docker(format!("remove_service {id}"), true, |machine| {
            machine.docker.services.remove(id);
            Ok(())
        })
    }

    fn service_tasks(&mut self, id: &str) -> Answer<(u64, u64)> {
        self.docker(format!("service_tasks {id}"), false, |machine| {
            let gone = || HostError::new(Cause::NotFound, "service_tasks", "no such service");
            let (_, inspect) = machine.docker.services.get(id).ok_or_else(gone)?;
            let wanted = inspect["Spec"]["Mode"]["Replicated"]["Replicas"].as_u64().unwrap_or(1);
            let image = &inspect["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"];
            let runs = machine.has_image(image.as_str().unwrap_or_default());
            Ok((if runs { wanted } else { 0 }, wanted))
        })
    }

    fn container(&mut self, name: &str) -> Answer<Option<DockerObject>> {
        self.docker(format!("container {name}"), false, |machine| {
            let mut containers = machine.docker.containers.iter();
            let found = containers.find(|(_, inspect)| inspect["Name"] == format!("/{name}"));
            let object = |(id, inspect): (&String, &Value)| DockerObject {
                id: id.clone(),
                version: 0,
                inspect: inspect.clone(),
            };
            Ok(found.map(object))
        })
    }

    fn create_container(&mut self, name: &str, spec: &Value) -> Answer<()> {
        self.docker(format!("create_container {name}"), true, |machine| {
            let image = spec["Image"].as_str().unwrap_or_default();
            if !machine.has_image(image) {
                return error(Cause::NotFound, "create_container", "No such image");
            }
            if machine.docker.named(name) != Value::Null {
                return error(Cause::Refused, "create_container", "the name is in use");
            }
            let id = format!("container{}", machine.next());
            machine.docker.containers.insert(id, inspected(name, spec));
            Ok(())
        })
    }

    fn remove_container(&mut self, id: &str) -> Answer<()> {
        self.docker(format!("remove_container {id}"), true, |machine| {
            machine.docker.containers.remove(id);
            Ok(())
        })
    }

    fn running_with_label(&mut self, label: &str) -> Answer<u64> {
        self.docker(format!("running_with_label {label}"), false, |machine| {
            let labelled = |it: &&Value| !it["Config"]["Labels"][label].is_null();
            Ok(machine.docker.containers.values().filter(labelled).count() as u64)
        })
    }
}

/// A container as inspect shows it, with what its image brings.
fn inspected(name: &str, spec: &Value) -> Value {
    let mut config: Map<String, Value> = spec.as_object().cloned().unwrap_or_default();
    let mut host = config.remove("HostConfig").unwrap_or_else(|| json!({}));
    let mut env = vec![json!("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")];
    env.extend(config.get("Env").and_then(Value::as_array).cloned().unwrap_or_default());
    config.insert("Env".into(), Value::Array(env));
    let mut config = Value::Object(config);
    fill(
        &mut config,
        json!({"Cmd": ["serve"], "User": "", "Labels": {}, "Hostname": "c0ffee",
        "WorkingDir": "/"}),
    );
    config["Labels"]["org.opencontainers.image.title"] = json!("an image");
    fill(
        &mut host,
        json!({"Memory": 0, "NanoCpus": 0, "Privileged": false, "CgroupnsMode": "host",
        "PortBindings": {}, "ShmSize": 67_108_864}),
    );
    drop_empty(&mut host, "Mounts");
    json!({"Name": format!("/{name}"), "Config": config, "HostConfig": host,
        "State": {"Running": true, "Status": "running"}})
}
