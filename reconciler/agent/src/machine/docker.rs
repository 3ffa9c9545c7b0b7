//! Docker, through its API over its socket.
//!
//! Specifications go through as they are: types of their own would drop the
//! fields they do not know, and whole specifications are compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use lyceum_core::node::host::{
    self, Answer, Cause, Confidential, DockerObject, HostError, ImageState, SwarmJoin, SwarmMember,
    SwarmState,
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::Machine;
use crate::http::{self, Answered};

/// The oldest daemon that is spoken to: Docker 20.10, as Debian 12 has it.
const API: &str = "http://docker/v1.41";
const SOCKET: &str = "/run/docker.sock";
/// Where logins are kept that a role wrote for registries that want one.
const LOGINS: &str = "/root/.docker/config.json";
const LOGINS_LIMIT: usize = 1024 * 1024;
/// Most calls are answered within milliseconds.
const CALL: Duration = Duration::from_secs(30);
/// Joining a swarm, asking a registry, stopping a container.
const SLOW: Duration = Duration::from_secs(90);
/// Pulling an image of some gigabytes.
const PULL: Duration = Duration::from_secs(1800);
/// A pull that says nothing for so long is stuck.
const PULL_SILENCE: Duration = Duration::from_secs(180);
/// Until the swarm has given a network its range.
const ALLOCATION: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);
/// Longest answer: a list of a thousand containers is a tenth of this.
const LARGEST: usize = 32 * 1024 * 1024;
/// Longest line of a pull's progress.
const LINE: usize = 1024 * 1024;
/// The port managers listen on.
const SWARM_PORT: u16 = 2377;
/// A member changes under our hands; look and try again this often.
const UPDATES: usize = 3;

/// The daemon of this machine.
pub struct Daemon {
    client: Client,
}

impl Daemon {
    /// Not asked before it is needed.
    pub fn new() -> Answer<Self> {
        Ok(Self { client: http::socket_client(SOCKET)? })
    }

    fn request(&self, method: Method, path: &str, time: Duration) -> RequestBuilder {
        self.client.request(method, format!("{API}{path}")).timeout(time)
    }

    async fn get(&self, path: &str, operation: &str) -> Answer<Value> {
        json_of(sent(self.request(Method::GET, path, CALL), operation).await?, operation)
    }

    /// None where Docker has no such thing.
    async fn find(&self, path: &str, operation: &str) -> Answer<Option<Value>> {
        match self.get(path, operation).await {
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    async fn list(&self, path: &str, filters: &Value, operation: &str) -> Answer<Vec<Value>> {
        let filters = [("filters", filters.to_string())];
        let url = reqwest::Url::parse_with_params(&format!("{API}{path}"), &filters)
            .map_err(|error| HostError::new(Cause::Invalid, operation, error.to_string()))?;
        let request = self.client.get(url).timeout(CALL);
        match json_of(sent(request, operation).await?, operation)? {
            Value::Array(items) => Ok(items),
            _ => Err(HostError::new(Cause::Failed, operation, "the answer is no list")),
        }
    }

    async fn post(&self, path: &str, body: &Value, operation: &str) -> Answer<Value> {
        let request = self.request(Method::POST, path, SLOW);
        json_of(sent(with_json(request, body), operation).await?, operation)
    }

    async fn delete(&self, path: &str, operation: &str) -> Answer<()> {
        match sent(self.request(Method::DELETE, path, SLOW), operation).await {
            Err(error) if error.cause == Cause::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// A network of the swarm is there before the swarm has made up its mind
    /// about its range and driver.
    async fn create_network(&self, spec: &Value, operation: &str) -> Answer<()> {
        let made = self.post("/networks/create", spec, operation).await?;
        let path = format!("/networks/{}", text(&made["Id"]));
        let began = Instant::now();
        while began.elapsed() < ALLOCATION {
            let driver = text(&self.get(&path, operation).await?["Driver"]);
            if !driver.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        let message = format!("the swarm has given it no range in {} s", ALLOCATION.as_secs());
        Err(HostError::new(Cause::Timeout, operation, message))
    }

    async fn set_member(&self, id: &str, wish: &Value, operation: &str) -> Answer<()> {
        let mut last = Ok(());
        for _ in 0..UPDATES {
            let node = self.get(&format!("/nodes/{id}"), operation).await?;
            let mut spec = node["Spec"].clone();
            for (key, value) in wish.as_object().into_iter().flatten() {
                spec[key] = value.clone();
            }
            let path = format!("/nodes/{id}/update?version={}", node["Version"]["Index"]);
            last = self.post(&path, &spec, operation).await.map(|_| ());
            if !matches!(&last, Err(error) if error.cause == Cause::Busy) {
                break;
            }
        }
        last
    }

    /// A pull answers at once and says in its stream what becomes of it.
    async fn pull(&self, name: &str, login: Option<&str>, operation: &str) -> Answer<()> {
        let url = reqwest::Url::parse_with_params(
            &format!("{API}/images/create"),
            &[("fromImage", tagged(name))],
        )
        .map_err(|error| HostError::new(Cause::Invalid, operation, error.to_string()))?;
        let request = with_login(self.client.post(url).timeout(PULL), login);
        let mut response = request.send().await.map_err(|error| unreachable(operation, error))?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            let body = response.bytes().await.map_err(|error| http::failed(operation, error))?;
            return Err(refused(operation, status, &message_of(&body)));
        }
        let mut rest = Vec::new();
        loop {
            let part = tokio::time::timeout(PULL_SILENCE, response.chunk()).await;
            let silent = |_| HostError::new(Cause::Timeout, operation, "the registry went silent");
            let part = part.map_err(silent)?.map_err(|error| http::failed(operation, error))?;
            let Some(part) = part else { return Ok(()) };
            rest.extend_from_slice(&part);
            if let Some(message) = pull_error(&mut rest) {
                return Err(refused(operation, 0, &message));
            }
            if rest.len() > LINE {
                return Err(HostError::new(Cause::Failed, operation, "a line without an end"));
            }
        }
    }
}

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
        let Some(registry) = registry(image) else { return Ok(None) };
        if let Some(region) = ecr_region(registry) {
            let Some(aws) = self.aws() else { return Ok(None) };
            let password = self.runtime.block_on(aws.registry_password(region))?;
            let login = json!({
                "username": "AWS", "password": password.reveal(), "serveraddress": registry,
            });
            return Ok(Some(URL_SAFE.encode(login.to_string())));
        }
        Ok(kept_login(Path::new(LOGINS), registry))
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

async fn sent(request: RequestBuilder, operation: &str) -> Answer<Answered> {
    let sent = http::send(request, LARGEST, operation).await;
    let answered = sent.map_err(|error| match error.cause {
        Cause::Unreachable => HostError { message: unreachable_text(&error.message), ..error },
        _ => error,
    })?;
    match answered.status {
        200..=299 | 304 => Ok(answered),
        status => Err(refused(operation, status, &message_of(&answered.body))),
    }
}

fn unreachable(operation: &str, error: reqwest::Error) -> HostError {
    let error = http::failed(operation, error);
    HostError { message: unreachable_text(&error.message), ..error }
}

fn unreachable_text(message: &str) -> String {
    format!("Docker does not answer at {SOCKET}: {message}")
}

fn json_of(answered: Answered, operation: &str) -> Answer<Value> {
    if answered.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answered.body)
        .map_err(|error| HostError::new(Cause::Failed, operation, error.to_string()))
}

fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    if body.is_null() {
        return request;
    }
    request.header("content-type", "application/json").body(body.to_string())
}

fn with_login(request: RequestBuilder, login: Option<&str>) -> RequestBuilder {
    match login {
        Some(login) => request.header("X-Registry-Auth", login),
        None => request,
    }
}

fn message_of(body: &[u8]) -> String {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    match parsed["message"].as_str() {
        Some(message) => message.into(),
        None => String::from_utf8_lossy(&body[..body.len().min(400)]).trim().into(),
    }
}

/// What Docker's refusals mean. Its texts tell more than its codes.
fn refused(operation: &str, status: u16, message: &str) -> HostError {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let cause = if has(&["no space left", "no available IPv4"]) {
        Cause::Full
    } else if has(&["update out of sequence", "is already in progress", "is in use"]) {
        Cause::Busy
    } else if has(&["invalid join token", "join token is", "remote CA does not match"]) {
        Cause::Refused
    } else if has(&["manifest unknown", "No such image", "repository name not known"]) {
        Cause::NotFound
    } else if has(&["unauthorized", "authentication required", "no basic auth", "denied"]) {
        Cause::Refused
    } else if has(NO_ANSWER) {
        Cause::Unreachable
    } else {
        match status {
            400 => Cause::Invalid,
            403 => Cause::Denied,
            404 => Cause::NotFound,
            409 => Cause::Busy,
            _ => Cause::Failed,
        }
    };
    HostError::new(cause, operation, message)
}

const NO_ANSWER: &[&str] = &[
    "no such host",
    "connection refused",
    "i/o timeout",
    "Timeout was reached",
    "deadline exceeded",
    "Client.Timeout",
    "no route to host",
    "network is unreachable",
    "TLS handshake timeout",
    "server misbehaving",
    "EOF",
];

/// A registry's refusal that has no meaning of its own is the registry's.
fn registry_failed(error: HostError) -> HostError {
    let cause = if error.cause == Cause::Denied { Cause::Refused } else { error.cause };
    HostError { cause, ..error }
}

/// The first error in the whole lines of a pull's progress, which are taken out.
fn pull_error(rest: &mut Vec<u8>) -> Option<String> {
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = rest.drain(..=end).collect();
        let parsed: Value = serde_json::from_slice(&line).unwrap_or_default();
        if let Some(error) = parsed["error"].as_str() {
            return Some(error.into());
        }
    }
    None
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

/// The daemon pulls all tags of a name without one.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.into() } else { format!("{name}:latest") }
}

/// The registry in an image's name; none for Docker's own.
fn registry(image: &str) -> Option<&str> {
    let (host, _) = image.split_once('/')?;
    (host.contains(['.', ':']) || host == "localhost").then_some(host)
}

/// `123456789012.dkr.ecr.eu-central-1.amazonaws.com`
fn ecr_region(registry: &str) -> Option<&str> {
    let parts: Vec<&str> = registry.split('.').collect();
    match parts.as_slice() {
        [_, "dkr", "ecr" | "ecr-fips", region, "amazonaws", ..] => Some(region),
        _ => None,
    }
}

/// A login as `docker login` keeps it.
fn kept_login(path: &Path, registry: &str) -> Option<String> {
    let content = crate::disk::read(path, LOGINS_LIMIT).ok().flatten()?;
    let config: Value = serde_json::from_slice(&content).ok()?;
    let kept = config["auths"][registry]["auth"].as_str()?;
    let decoded = String::from_utf8(STANDARD.decode(kept).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    let login = json!({"username": username, "password": password, "serveraddress": registry});
    Some(URL_SAFE.encode(login.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_in_the_name_or_is_dockers_own() {
        assert_eq!(registry("quay.io/jupyter/base:1"), Some("quay.io"));
        assert_eq!(registry("localhost:5000/a"), Some("localhost:5000"));
        assert_eq!(registry("jupyter/base"), None);
        assert_eq!(registry("nginx"), None);
        let ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
        assert_eq!(ecr_region(ecr), Some("eu-central-1"));
        assert_eq!(ecr_region("quay.io"), None);
        assert_eq!(tagged("quay.io:443/a"), "quay.io:443/a:latest");
        assert_eq!(tagged("a@sha256:b"), "a@sha256:b");
    }

    #[test]
    fn a_pull_fails_by_a_line_of_its_progress() {
        let mut rest = b"{\"status\":\"Pulling\"}\r\n{\"error\":\"no space left on".to_vec();
        assert_eq!(pull_error(&mut rest), None);
        rest.extend_from_slice(b" device\"}\n");
        assert_eq!(pull_error(&mut rest).as_deref(), Some("no space left on device"));
        let cause = |message: &str| refused("pull a", 500, message).cause;
        assert_eq!(cause("write /x: no space left on device"), Cause::Full);
        assert_eq!(
            cause("Get \"https://x/v2/\": dial tcp: lookup x: no such host"),
            Cause::Unreachable
        );
        assert_eq!(cause("manifest for a:b not found: manifest unknown"), Cause::NotFound);
        assert_eq!(cause("rpc error: invalid join token"), Cause::Refused);
        assert_eq!(cause("update out of sequence"), Cause::Busy);
    }

    #[test]
    fn a_login_is_found_where_docker_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let auth = STANDARD.encode("hub:secret:word");
        std::fs::write(&path, json!({"auths": {"r.example": {"auth": auth}}}).to_string()).unwrap();
        let header = kept_login(&path, "r.example").unwrap();
        let login: Value = serde_json::from_slice(&URL_SAFE.decode(header).unwrap()).unwrap();
        assert_eq!(login["password"], "secret:word");
        assert_eq!(kept_login(&path, "other.example"), None);
    }

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
