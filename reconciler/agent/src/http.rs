//! HTTP for everything the agent speaks to.
//!
//! Invariants: every request ends within its time and its answer within its
//! size; an error names what was asked for, never a header or a body; names of
//! hosts are resolved without the C library, whose plug-ins a static program
//! cannot load.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hickory_resolver::TokioResolver;
use lyceum_core::node::host::{Cause, HostError};
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, RequestBuilder, redirect};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Tries of a name before it counts as unknown, and the time of each.
const NAME_TRIES: usize = 2;
const NAME_TIME: Duration = Duration::from_secs(2);
/// Where the system says who knows names.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answered {
    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client for servers with a name, proved by the system's authorities.
pub fn client(names: &Arc<Names>) -> Result<Client, HostError> {
    built(web(names))
}

/// A client for checks of a node's own services, past any proxy; with or
/// without asking for a proof of who answers.
pub fn check_client(names: &Arc<Names>, verify: bool) -> Result<Client, HostError> {
    built(web(names).no_proxy().tls_danger_accept_invalid_certs(!verify))
}

/// A client for what is on this machine or beside it, without TLS and past any
/// proxy: the list of authorities, which takes longest to read, is not needed.
pub fn near_client() -> Result<Client, HostError> {
    built(plain().no_proxy().tls_danger_accept_invalid_certs(true))
}

/// A client of a server behind a socket of this machine.
pub fn socket_client(path: &str) -> Result<Client, HostError> {
    built(plain().no_proxy().tls_danger_accept_invalid_certs(true).unix_socket(path))
}

fn web(names: &Arc<Names>) -> ClientBuilder {
    plain().dns_resolver(Arc::clone(names)).pool_idle_timeout(Duration::from_secs(60))
}

fn plain() -> ClientBuilder {
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().connect_timeout(CONNECT).redirect(redirect::Policy::none())
}

fn built(builder: ClientBuilder) -> Result<Client, HostError> {
    builder.build().map_err(|error| {
        HostError::new(Cause::Failed, "make an HTTP client", chain(&error.without_url()))
    })
}

/// Sends a request and reads its answer, of at most `limit` bytes.
pub async fn send(
    request: RequestBuilder,
    limit: usize,
    operation: &str,
) -> Result<Answered, HostError> {
    let mut response = request.send().await.map_err(|error| failed(operation, error))?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| failed(operation, error))? {
        if body.len() + part.len() > limit {
            let message = format!("the answer has more than {limit} bytes");
            return Err(HostError::new(Cause::Invalid, operation, message));
        }
        body.extend_from_slice(&part);
    }
    let status = response.status().as_u16();
    Ok(Answered { status, headers: std::mem::take(response.headers_mut()), body })
}

/// What a request that got no answer means.
pub fn failed(operation: &str, error: reqwest::Error) -> HostError {
    let cause = if error.is_timeout() {
        Cause::Timeout
    } else if error.is_builder() {
        Cause::Invalid
    } else if error.is_connect() || error.is_request() || error.is_body() {
        Cause::Unreachable
    } else {
        Cause::Failed
    };
    HostError::new(cause, operation, chain(&error.without_url()))
}

/// An error with all that caused it, each once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

/// Names of hosts to addresses, as the system's settings say now.
#[derive(Default)]
pub struct Names {
    made: Mutex<Option<(Option<SystemTime>, Arc<TokioResolver>)>>,
}

impl Names {
    /// The addresses of a host; an address is its own.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let resolver = self.resolver()?;
        let found = resolver.lookup_ip(host).await.map_err(|error| chain(&error))?;
        Ok(found.iter().collect())
    }

    /// Made again when the settings change, which DHCP does behind our back.
    fn resolver(&self) -> Result<Arc<TokioResolver>, String> {
        let changed = std::fs::metadata(RESOLV_CONF).and_then(|it| it.modified()).ok();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, resolver)) = made.as_ref()
            && *when == changed
        {
            return Ok(Arc::clone(resolver));
        }
        let mut builder = TokioResolver::builder_tokio().map_err(|error| chain(&error))?;
        builder.options_mut().attempts = NAME_TRIES;
        builder.options_mut().timeout = NAME_TIME;
        let resolver = Arc::new(builder.build().map_err(|error| chain(&error))?);
        *made = Some((changed, Arc::clone(&resolver)));
        Ok(resolver)
    }
}

/// [`Names`] for the client, which wants a type of its own crate's liking.
impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_string();
        let resolver = self.resolver();
        Box::pin(async move {
            let found = resolver?.lookup_ip(host).await.map_err(|error| chain(&error))?;
            let addresses: Vec<SocketAddr> =
                found.iter().map(|address| SocketAddr::new(address, 0)).collect();
            let addresses: reqwest::dns::Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}
