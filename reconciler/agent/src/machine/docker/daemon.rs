//! The daemon's API over its socket: requests, answers, and what its refusals mean.

use std::time::{Duration, Instant};

use lyceum_core::node::host::{Answer, Cause, HostError};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::text;
use crate::http::{self, Answered};

/// The oldest daemon that is spoken to: Docker 20.10, as Debian 12 has it.
const API: &str = "http://docker/v1.41";
const SOCKET: &str = "/run/docker.sock";
/// Most calls are answered within milliseconds.
const CALL: Duration = Duration::from_secs(30);
/// Joining a swarm, asking a registry, stopping a container.
pub(super) const SLOW: Duration = Duration::from_secs(90);
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

    pub(super) fn request(&self, method: Method, path: &str, time: Duration) -> RequestBuilder {
        self.client.request(method, format!("{API}{path}")).timeout(time)
    }

    pub(super) async fn get(&self, path: &str, operation: &str) -> Answer<Value> {
        json_of(sent(self.request(Method::GET, path, CALL), operation).await?, operation)
    }

    /// None where Docker has no such thing.
    pub(super) async fn find(&self, path: &str, operation: &str) -> Answer<Option<Value>> {
        match self.get(path, operation).await {
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    pub(super) async fn list(
        &self,
        path: &str,
        filters: &Value,
        operation: &str,
    ) -> Answer<Vec<Value>> {
        let filters = [("filters", filters.to_string())];
        let url = reqwest::Url::parse_with_params(&format!("{API}{path}"), &filters)
            .map_err(|error| HostError::new(Cause::Invalid, operation, error.to_string()))?;
        let request = self.client.get(url).timeout(CALL);
        match json_of(sent(request, operation).await?, operation)? {
            Value::Array(items) => Ok(items),
            _ => Err(HostError::new(Cause::Failed, operation, "the answer is no list")),
        }
    }

    pub(super) async fn post(&self, path: &str, body: &Value, operation: &str) -> Answer<Value> {
        let request = self.request(Method::POST, path, SLOW);
        json_of(sent(with_json(request, body), operation).await?, operation)
    }

    pub(super) async fn delete(&self, path: &str, operation: &str) -> Answer<()> {
        match sent(self.request(Method::DELETE, path, SLOW), operation).await {
            Err(error) if error.cause == Cause::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// A network of the swarm is there before the swarm has made up its mind
    /// about its range and driver.
    pub(super) async fn create_network(&self, spec: &Value, operation: &str) -> Answer<()> {
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

    pub(super) async fn set_member(&self, id: &str, wish: &Value, operation: &str) -> Answer<()> {
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
    pub(super) async fn pull(
        &self,
        name: &str,
        login: Option<&str>,
        operation: &str,
    ) -> Answer<()> {
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

pub(super) async fn sent(request: RequestBuilder, operation: &str) -> Answer<Answered> {
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

pub(super) fn json_of(answered: Answered, operation: &str) -> Answer<Value> {
    if answered.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answered.body)
        .map_err(|error| HostError::new(Cause::Failed, operation, error.to_string()))
}

pub(super) fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    if body.is_null() {
        return request;
    }
    request.header("content-type", "application/json").body(body.to_string())
}

pub(super) fn with_login(request: RequestBuilder, login: Option<&str>) -> RequestBuilder {
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

/// The daemon pulls all tags of a name without one.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.into() } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_is_its_latest() {
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
}
