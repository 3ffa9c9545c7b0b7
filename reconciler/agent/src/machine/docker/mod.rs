//! Docker, through its API over its socket.
//!
//! Specifications go through as they are: types of their own would drop the
//! fields they do not know, and whole specifications are compared.

mod daemon;
mod login;

use std::collections::BTreeMap;

use lyceum_core::node::host::{
    self, Answer, Cause, Confidential, DockerObject, HostError, ImageState, SwarmJoin, SwarmMember,
    SwarmState,
};
use reqwest::Method;
use serde_json::{Value, json};

use self::daemon::{SLOW, json_of, sent, with_json, with_login};
use super::Machine;

pub use self::daemon::Daemon;

/// The port managers listen on.
const SWARM_PORT: u16 = 2377;

impl Machine {
    fn docker<T>(&self, call: impl Future<Output = Answer<T>>) -> Answer<T> {
        self.runtime.block_on(call)
    }

    fn found(&self, path: &str, operation: &str) -> Answer<Option<Value>> {
        self.docker(self.daemon.find(path, operation))
    }

    fn send(&self, path: &str, body: &Value, operation: &str) -> Answer<()> {
        self.docker(self.daemon.post(path, body, operation)).map(|_| ())
    }

    fn take_away(&self, path: &str, operation: &str) -> Answer<()> {
        self.docker(self.daemon.delete(path, operation))
    }

    /// The login for an image's registry, as Docker's header wants it.
    fn login(&mut self, image: &str) -> Answer<Option<String>> {
        let Some(registry) = login::registry(image) else { return Ok(None) };
        if let Some(region) = login::ecr_region(registry) {
            let Some(aws) = self.aws() else { return Ok(None) };
            let password = self.runtime.block_on(aws.registry_password(region))?;
            return Ok(Some(login::header("AWS", password.reveal(), registry)));
        }
        Ok(login::kept(registry))
    }

    /// A specification's image may be in a registry that wants a login, which
    /// the members of the swarm need as well.
    fn service_call(&mut self, path: &str, spec: &Value, operation: &str) -> Answer<()> {
        let image = spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap_or_default();
        let login = self.login(image)?;
        let request = self.daemon.request(Method::POST, path, SLOW);
        let request = with_json(with_login(request, login.as_deref()), spec);
        self.docker(sent(request, operation)).map(|_| ())
    }
}

impl host::Docker for Machine {
    fn swarm(&mut self) -> Answer<SwarmState> {
        let answer = self.docker(self.daemon.get("/info", "ask Docker about its swarm"))?;
        let swarm = &answer["Swarm"];
        let addresses = swarm["RemoteManagers"].as_array().into_iter().flatten();
        let mut managers: Vec<String> = addresses.map(|it| text(&it["Addr"])).collect();
        managers.sort();
        Ok(SwarmState {
            state: text(&swarm["LocalNodeState"]),
            node_id: text(&swarm["NodeID"]),
            manager: swarm["ControlAvailable"] == true,
            address: text(&swarm["NodeAddr"]),
            managers,
            error: text(&swarm["Error"]),
        })
    }

    fn swarm_init(&mut self, address: &str) -> Answer<()> {
        let body = json!({
            "ListenAddr": format!("0.0.0.0:{SWARM_PORT}"),
            "AdvertiseAddr": format!("{address}:{SWARM_PORT}"),
            "DataPathAddr": address,
        });
        self.send("/swarm/init", &body, "begin a swarm")
    }

    fn swarm_join(&mut self, join: &SwarmJoin) -> Answer<()> {
        let body = json!({
            "ListenAddr": format!("0.0.0.0:{SWARM_PORT}"),
            "AdvertiseAddr": format!("{}:{SWARM_PORT}", join.advertise),
            "DataPathAddr": join.advertise,
            "RemoteAddrs": [join.remote],
            "JoinToken": join.token.reveal(),
            "Availability": join.availability,
        });
        self.send("/swarm/join", &body, &format!("join the swarm at {}", join.remote))
    }

    fn swarm_leave(&mut self) -> Answer<()> {
        self.send("/swarm/leave?force=true", &Value::Null, "leave the swarm")
    }

    fn swarm_token(&mut self, role: &str) -> Answer<Confidential> {
        let operation = "ask Docker for the join token";
        let answer = self.docker(self.daemon.get("/swarm", operation))?;
        let key = if role == "manager" { "Manager" } else { "Worker" };
        match answer["JoinTokens"][key].as_str() {
            Some(token) => Ok(Confidential::new(token)),
            None => Err(HostError::new(Cause::NotFound, operation, "it names none")),
        }
    }

    fn swarm_members(&mut self) -> Answer<Vec<SwarmMember>> {
        let nodes = self.docker(self.daemon.get("/nodes", "list the members of the swarm"))?;
        let mut members: Vec<_> = nodes.as_array().into_iter().flatten().map(member).collect();
        members.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(members)
    }

    fn set_member(
        &mut self,
        id: &str,
        availability: &str,
        labels: &BTreeMap<String, String>,
    ) -> Answer<()> {
        let wish = json!({"Availability": availability, "Labels": labels});
        let operation = format!("change member {id} of the swarm");
        self.docker(self.daemon.set_member(id, &wish, &operation))
    }

    fn remove_member(&mut self, id: &str) -> Answer<()> {
        self.take_away(&format!("/nodes/{id}"), &format!("take member {id} off the swarm"))
    }

    fn image(&mut self, name: &str) -> Answer<Option<ImageState>> {
        let path = format!("/images/{}/json", in_path(name));
        let found = self.found(&path, &format!("look at image {name}"))?;
        Ok(found.map(|image| {
            let mut digests = texts(&image["RepoDigests"]);
            digests.extend(texts(&image["RepoTags"]));
            ImageState { id: text(&image["Id"]), digests }
        }))
    }

    fn resolve_image(&mut self, name: &str) -> Answer<String> {
        let operation = format!("ask the registry for {name}");
        let login = self.login(name)?;
        let path = format!("/distribution/{}/json", in_path(name));
        let request = self.daemon.request(Method::GET, &path, SLOW);
        let request = with_login(request, login.as_deref());
        let answer = self.docker(sent(request, &operation)).map_err(registry_failed)?;
        let answer = json_of(answer, &operation)?;
        match answer["Descriptor"]["digest"].as_str() {
            Some(digest) => Ok(digest.into()),
            None => Err(HostError::new(Cause::Failed, operation, "it names no digest")),
        }
    }

    fn pull_image(&mut self, name: &str) -> Answer<()> {
        let operation = format!("pull {name}");
        let login = self.login(name)?;
        let pulled = self.docker(self.daemon.pull(name, login.as_deref(), &operation));
        pulled.map_err(registry_failed)
    }

    fn network(&mut self, name: &str) -> Answer<Option<DockerObject>> {
        let path = format!("/networks/{}", in_path(name));
        let found = self.found(&path, &format!("look at network {name}"))?;
        let found = found.filter(|network| network["Name"] == name);
        Ok(found.map(|inspect| DockerObject { id: text(&inspect["Id"]), version: 0, inspect }))
    }

    fn create_network(&mut self, spec: &Value) -> Answer<()> {
        let operation = format!("make network {}", text(&spec["Name"]));
        self.docker(self.daemon.create_network(spec, &operation))
    }

    fn remove_network(&mut self, id: &str) -> Answer<()> {
        let removed = self.take_away(&format!("/networks/{id}"), &format!("remove network {id}"));
        removed.map_err(|mut error| {
            if error.message.contains("has active endpoints") || error.message.contains("in use") {
                error.cause = Cause::Busy;
            }
            error
        })
    }

    fn service(&mut self, name: &str) -> Answer<Option<DockerObject>> {
        let path = format!("/services/{}", in_path(name));
        let found = self.found(&path, &format!("look at service {name}"))?;
        let found = found.filter(|service| service["Spec"]["Name"] == name);
        Ok(found.map(|inspect| DockerObject {
            id: text(&inspect["ID"]),
            version: inspect["Version"]["Index"].as_u64().unwrap_or_default(),
            inspect,
        }))
    }

    fn create_service(&mut self, spec: &Value) -> Answer<()> {
        let operation = format!("make service {}", text(&spec["Name"]));
        self.service_call("/services/create", spec, &operation)
    }

    fn update_service(&mut self, id: &str, version: u64, spec: &Value) -> Answer<()> {
        let operation = format!("change service {}", text(&spec["Name"]));
        self.service_call(&format!("/services/{id}/update?version={version}"), spec, &operation)
    }

    fn remove_service(&mut self, id: &str) -> Answer<()> {
        self.take_away(&format!("/services/{id}"), &format!("remove service {id}"))
    }

    fn service_tasks(&mut self, id: &str) -> Answer<(u64, u64)> {
        let operation = format!("count the tasks of service {id}");
        let filters = json!({"id": [id]});
        let list = self.daemon.list("/services?status=true", &filters, &operation);
        let services = self.docker(list)?;
        let Some(service) = services.iter().find(|service| service["ID"] == id) else {
            return Err(HostError::new(Cause::NotFound, operation, "no such service"));
        };
        let count = |key: &str| service["ServiceStatus"][key].as_u64().unwrap_or_default();
        Ok((count("RunningTasks"), count("DesiredTasks")))
    }

    fn container(&mut self, name: &str) -> Answer<Option<DockerObject>> {
        let path = format!("/containers/{}/json", in_path(name));
        let found = self.found(&path, &format!("look at container {name}"))?;
        let found = found.filter(|it| it["Name"].as_str() == Some(&format!("/{name}")));
        Ok(found.map(|inspect| DockerObject { id: text(&inspect["Id"]), version: 0, inspect }))
    }

    fn create_container(&mut self, name: &str, spec: &Value) -> Answer<()> {
        let operation = format!("make container {name}");
        let path = format!("/containers/create?name={}", in_path(name));
        let made = self.docker(self.daemon.post(&path, spec, &operation))?;
        let path = format!("/containers/{}/start", text(&made["Id"]));
        self.send(&path, &Value::Null, &format!("start container {name}"))
    }

    fn remove_container(&mut self, id: &str) -> Answer<()> {
        let stop = format!("/containers/{id}/stop?t=10");
        match self.send(&stop, &Value::Null, &format!("stop container {id}")) {
            Err(error) if error.cause != Cause::NotFound => return Err(error),
            _ => {}
        }
        self.take_away(&format!("/containers/{id}?force=true"), &format!("remove container {id}"))
    }

    fn running_with_label(&mut self, label: &str) -> Answer<u64> {
        let filters = json!({"label": [label], "status": ["running"]});
        let operation = format!("count containers with label {label}");
        let found = self.docker(self.daemon.list("/containers/json", &filters, &operation))?;
        Ok(found.len() as u64)
    }
}

/// A registry's refusal that has no meaning of its own is the registry's.
fn registry_failed(error: HostError) -> HostError {
    let cause = if error.cause == Cause::Denied { Cause::Refused } else { error.cause };
    HostError { cause, ..error }
}

fn member(node: &Value) -> SwarmMember {
    // The daemon's own labels are what a node says of itself; those of the
    // swarm are what its managers say of it, and count.
    let mut labels = map(&node["Description"]["Engine"]["Labels"]);
    labels.extend(map(&node["Spec"]["Labels"]));
    SwarmMember {
        id: text(&node["ID"]),
        hostname: text(&node["Description"]["Hostname"]),
        address: text(&node["Status"]["Addr"]),
        role: text(&node["Spec"]["Role"]),
        availability: text(&node["Spec"]["Availability"]),
        state: text(&node["Status"]["State"]),
        labels,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// Names hold slashes, colons and `@`, all of which a path may; what else there
/// is would only be there by mistake.
fn in_path(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:@._-+".contains(c);
    name.chars().filter(|c| plain(*c)).collect::<String>().replace("../", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_the_labels_of_its_daemon_and_of_the_swarm() {
        let node = json!({
            "ID": "n1",
            "Spec": {"Role": "worker", "Availability": "pause", "Labels": {"a": "1", "b": "2"}},
            "Description": {
                "Hostname": "ip-10",
                "Engine": {"Labels": {"b": "own", "lyceum.instance": "i-1"}},
            },
            "Status": {"State": "ready", "Addr": "10.0.0.4"},
        });
        let member = member(&node);
        let labels = [("a", "1"), ("b", "2"), ("lyceum.instance", "i-1")];
        assert_eq!(member.labels, labels.map(|(k, v)| (k.into(), v.into())).into());
        assert_eq!((member.availability.as_str(), member.state.as_str()), ("pause", "ready"));
    }
}
