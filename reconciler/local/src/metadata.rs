//! The instance metadata service, version 2 only, for all nodes of a cloud: who
//! asks is known by the address it asks from.
//!
//! It listens on the host; the network sends there what nodes send to
//! 169.254.169.254. As on AWS, a packet of an answer lives for as many hops as
//! the instance's options say, so that with one hop a container inside the node
//! gets none.
//!
//! May not: answer a node with another's identity, or anybody without a token.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::error::Error;
use crate::identity::Identity;
use crate::serving::Serving;

const LONGEST_TOKEN: u64 = 21_600;
/// Tokens at once; the oldest go first.
const TOKENS_KEPT: usize = 4_096;
const CONNECTIONS: usize = 512;
/// A request takes no longer.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// The service. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Metadata(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    identities: BTreeMap<Ipv4Addr, Identity>,
    tokens: BTreeMap<String, (Ipv4Addr, Instant)>,
    away: bool,
}

impl Metadata {
    /// From now on the node at `address` is this instance.
    pub fn set(&self, address: Ipv4Addr, identity: Identity) {
        self.state().identities.insert(address, identity);
    }

    /// Changes what the node at `address` is told: other credentials, a notice.
    /// Says whether there is such a node.
    pub fn change(&self, address: Ipv4Addr, change: impl FnOnce(&mut Identity)) -> bool {
        self.state().identities.get_mut(&address).map(change).is_some()
    }

    /// There is no instance at `address` any more.
    pub fn remove(&self, address: Ipv4Addr) {
        let mut state = self.state();
        state.identities.remove(&address);
        state.tokens.retain(|_, (owner, _)| *owner != address);
    }

    /// Whether it answers at all, for tests of an outage.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Answers on `address` until `serving` ends.
    pub(crate) fn listen(
        &self,
        serving: &Serving,
        address: SocketAddr,
    ) -> Result<SocketAddr, Error> {
        let service = self.clone();
        serving.listen(address, move |listener| serve(listener, service))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hops(&self, address: Ipv4Addr) -> u32 {
        self.state().identities.get(&address).map_or(1, |identity| identity.hop_limit)
    }

    fn answer<B>(&self, from: Ipv4Addr, request: &Request<B>) -> Answer {
        let mut state = self.state();
        if state.away {
            return Answer::status(StatusCode::SERVICE_UNAVAILABLE);
        }
        let path = request.uri().path();
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if *request.method() == Method::PUT && path.trim_end_matches('/') == "/latest/api/token" {
            // A proxy that forwards must not get one.
            return match header("x-forwarded-for") {
                Some(_) => Answer::status(StatusCode::FORBIDDEN),
                None => state.token(from, header("x-aws-ec2-metadata-token-ttl-seconds")),
            };
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Answer::status(StatusCode::METHOD_NOT_ALLOWED);
        }
        match header("x-aws-ec2-metadata-token").map(|token| state.knows(token, from)) {
            Some(true) => state.look_up(from, path),
            _ => Answer::status(StatusCode::UNAUTHORIZED),
        }
    }
}

impl State {
    fn token(&mut self, from: Ipv4Addr, lasts: Option<&str>) -> Answer {
        let lasts = match lasts.map(str::parse::<u64>) {
            Some(Ok(seconds)) if (1..=LONGEST_TOKEN).contains(&seconds) => seconds,
            _ => return Answer::status(StatusCode::BAD_REQUEST),
        };
        let now = Instant::now();
        self.tokens.retain(|_, (_, until)| *until > now);
        if self.tokens.len() >= TOKENS_KEPT
            && let Some(oldest) = self.tokens.iter().min_by_key(|(_, (_, until))| *until)
        {
            let oldest = oldest.0.clone();
            self.tokens.remove(&oldest);
        }
        let Some(token) = random_text() else {
            return Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        };
        self.tokens.insert(token.clone(), (from, now + Duration::from_secs(lasts)));
        Answer { status: StatusCode::OK, text: token, lasts: Some(lasts) }
    }

    fn knows(&self, token: &str, from: Ipv4Addr) -> bool {
        self.tokens
            .get(token)
            .is_some_and(|(owner, until)| *owner == from && *until > Instant::now())
    }

    fn look_up(&self, from: Ipv4Addr, path: &str) -> Answer {
        let Some(identity) = self.identities.get(&from) else {
            return Answer::status(StatusCode::NOT_FOUND);
        };
        let Some((version, path)) = path.trim_start_matches('/').split_once('/') else {
            return Answer::text("latest".to_owned());
        };
        if version != "latest" && !version.starts_with("20") {
            return Answer::status(StatusCode::NOT_FOUND);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        find(&identity.tree(from, now), path)
            .map_or(Answer::status(StatusCode::NOT_FOUND), Answer::text)
    }
}

/// A leaf's text, or what is below a folder, a line each.
fn find(tree: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    if let Some(text) = tree.get(path) {
        return Some(text.clone());
    }
    let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
    let mut names: Vec<String> = tree
        .keys()
        .filter_map(|key| key.strip_prefix(&folder))
        .map(|rest| match rest.split_once('/') {
            Some((name, _)) => format!("{name}/"),
            None => rest.to_owned(),
        })
        .collect();
    names.dedup();
    (!names.is_empty()).then(|| names.join("\n"))
}

struct Answer {
    status: StatusCode,
    text: String,
    lasts: Option<u64>,
}

impl Answer {
    fn status(status: StatusCode) -> Self {
        let text = status.canonical_reason().unwrap_or_default().to_owned();
        Self { status, text, lasts: None }
    }

    fn text(text: String) -> Self {
        Self { status: StatusCode::OK, text, lasts: None }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert("content-type", hyper::header::HeaderValue::from_static("text/plain"));
        if let Some(lasts) = self.lasts {
            headers.insert("x-aws-ec2-metadata-token-ttl-seconds", lasts.into());
        }
        response
    }
}

async fn serve(listener: TcpListener, service: Metadata) {
    let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let IpAddr::V4(from) = peer.ip() else { continue };
        let Ok(room) = room.clone().try_acquire_owned() else { continue };
        let _ = stream.set_ttl(service.hops(from));
        let service = service.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let response = service.answer(from, &request).into_response();
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            let _ = tokio::time::timeout(REQUEST_WITHIN, connection).await;
            drop(room);
        });
    }
}

/// 128 bits that nobody guesses; AWS's look alike.
fn random_text() -> Option<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom").ok()?.read_exact(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "==")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Credentials;

    const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
    const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

    fn service() -> Metadata {
        let service = Metadata::default();
        for (address, id) in [(HERE, "i-here"), (THERE, "i-there")] {
            let mut identity = Identity::of(id);
            identity.tags.insert("Name".to_owned(), id.to_owned());
            identity.credentials = Some(Credentials::sample("hub-role"));
            service.set(address, identity);
        }
        service
    }

    fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn token(service: &Metadata, from: Ipv4Addr) -> String {
        let lasts = [("X-aws-ec2-metadata-token-ttl-seconds", "60")];
        let answer = service.answer(from, &request(Method::PUT, "/latest/api/token", &lasts));
        assert_eq!((answer.status, answer.lasts), (StatusCode::OK, Some(60)));
        answer.text
    }

    fn get(service: &Metadata, from: Ipv4Addr, path: &str) -> (u16, String) {
        let token = token(service, from);
        let answer = service
            .answer(from, &request(Method::GET, path, &[("x-aws-ec2-metadata-token", &token)]));
        (answer.status.as_u16(), answer.text)
    }

    #[test]
    fn each_node_is_told_who_it_is_itself() {
        let service = service();
        for (address, id) in [(HERE, "i-here"), (THERE, "i-there")] {
            assert_eq!(
                get(&service, address, "/latest/meta-data/instance-id"),
                (200, id.to_owned())
            );
            assert_eq!(get(&service, address, "/latest/meta-data/tags/instance/Name").1, id);
            assert_eq!(
                get(&service, address, "/latest/meta-data/local-ipv4").1,
                address.to_string()
            );
        }
    }

    #[test]
    fn there_is_no_answer_without_a_token_of_ones_own() {
        let service = service();
        let path = "/latest/meta-data/instance-id";
        let theirs = token(&service, THERE);
        for headers in [vec![], vec![("x-aws-ec2-metadata-token", theirs.as_str())]] {
            let answer = service.answer(HERE, &request(Method::GET, path, &headers));
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
    }

    #[test]
    fn a_token_needs_a_time_and_no_proxy() {
        let service = service();
        let lasts = "X-aws-ec2-metadata-token-ttl-seconds";
        for (headers, status) in [
            (vec![], StatusCode::BAD_REQUEST),
            (vec![(lasts, "0")], StatusCode::BAD_REQUEST),
            (vec![(lasts, "21601")], StatusCode::BAD_REQUEST),
            (vec![(lasts, "60"), ("x-forwarded-for", "10.0.0.9")], StatusCode::FORBIDDEN),
        ] {
            let answer = service.answer(HERE, &request(Method::PUT, "/latest/api/token", &headers));
            assert_eq!(answer.status, status, "{headers:?}");
        }
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let service = service();
        for _ in 0..TOKENS_KEPT + 10 {
            token(&service, HERE);
        }
        assert_eq!(service.state().tokens.len(), TOKENS_KEPT);
    }

    #[test]
    fn folders_list_what_is_below_them() {
        let service = service();
        let roles = get(&service, HERE, "/latest/meta-data/iam/security-credentials/");
        assert_eq!(roles, (200, "hub-role".to_owned()));
        let top = get(&service, HERE, "/latest/meta-data/").1;
        assert!(top.lines().any(|line| line == "placement/"), "{top}");
        assert!(top.lines().any(|line| line == "instance-id"), "{top}");
        assert_eq!(get(&service, HERE, "/latest/meta-data/nothing").0, 404);
    }

    #[test]
    fn a_notice_is_there_once_it_is_given() {
        let service = service();
        let path = "/latest/meta-data/spot/instance-action";
        assert_eq!(get(&service, HERE, path).0, 404);
        assert!(service.change(HERE, |identity| identity.interruption = Some(1_700_000_000)));
        let (code, text) = get(&service, HERE, path);
        assert_eq!(code, 200);
        assert!(text.contains("2023-11-14T22:13:20Z") && text.contains("terminate"), "{text}");
        assert_eq!(get(&service, THERE, path).0, 404);
    }

    #[test]
    fn what_is_gone_or_away_is_told_nothing() {
        let service = service();
        service.remove(HERE);
        assert_eq!(get(&service, HERE, "/latest/meta-data/instance-id").0, 404);
        service.set_away(true);
        let answer = service.answer(THERE, &request(Method::GET, "/latest/meta-data/", &[]));
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
