//! As much of AWS as a node needs, on loopback: its metadata, S3, parameters,
//! a registry's login, a metric. It checks who asks, and can be away.

use lyceum_core::site::digest_of;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use lyceum_agent::aws::{Aws, Endpoints};
use lyceum_agent::http::Names;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) const SECRET: &str = "wJalrXUtnFEMI-secret-key";
pub(crate) const TOKEN: &str = "session-token-of-the-role";
pub(crate) const BUCKET: &str = "lyceum-artifacts";

/// An object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) body: Vec<u8>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What the cloud is and was asked.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) parameters: BTreeMap<String, String>,
    /// Access keys handed out, `AKIA1`, `AKIA2`, …
    pub(crate) keys: u32,
    /// Access key and token of whoever has other credentials than those above.
    pub(crate) trusted: Option<(String, String)>,
    /// Access keys that are not taken.
    pub(crate) expired: BTreeSet<String>,
    /// Seconds for which handed-out keys are said to be good.
    pub(crate) lifetime: i64,
    /// Connections are closed without an answer.
    pub(crate) away: bool,
    /// So many of the next calls answer 503.
    pub(crate) failing: u32,
    /// Objects of a page of a list.
    pub(crate) page: usize,
    /// `GET /bucket/key 304`, without the metadata service, and when.
    pub(crate) asked: Vec<String>,
    pub(crate) times: Vec<Instant>,
    /// Bodies of the calls that are not S3's.
    pub(crate) bodies: Vec<String>,
}

pub(crate) struct Cloud {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) url: String,
    pub(crate) runtime: Runtime,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let state = Arc::new(Mutex::new(State { lifetime: 3600, page: 1000, ..State::default() }));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { state, url, runtime }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints { services: Some(self.url.clone()), metadata: Some(self.url.clone()) }
    }

    pub(crate) fn aws(&self) -> Aws {
        Aws::new("eu-central-1", &self.endpoints(), &Arc::new(Names::default())).unwrap()
    }

    pub(crate) fn put(&self, key: &str, body: &[u8]) {
        let object = Object { body: body.to_vec(), metadata: BTreeMap::new() };
        self.state().objects.insert(key.into(), object);
    }

    /// How often something was asked that begins so.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        self.state().asked.iter().filter(|line| line.starts_with(prefix)).count()
    }
}

impl State {
    /// When something was asked for whose line holds this.
    pub(crate) fn times_of(&self, part: &str) -> Vec<Instant> {
        let lines = self.asked.iter().zip(&self.times);
        lines.filter(|(line, _)| line.contains(part)).map(|(_, time)| *time).collect()
    }
}

type Answered = Result<Response<Full<Bytes>>, std::io::Error>;

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Answered {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let mut state = state.lock().unwrap();
    if head.uri.path().starts_with("/latest/") {
        return Ok(metadata(&mut state, &head));
    }
    if state.away {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    let answer = service(&mut state, &head, &body).unwrap();
    let line = format!("{} {} {}", head.method, head.uri, answer.status().as_u16());
    state.asked.push(line);
    state.times.push(Instant::now());
    Ok(answer)
}

fn service(
    state: &mut State,
    head: &hyper::http::request::Parts,
    body: &Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |name: &str| head.headers.get(name).map_or("", |it| it.to_str().unwrap());
    if state.failing > 0 {
        state.failing -= 1;
        return Ok(plain(503, "<Error><Code>SlowDown</Code></Error>"));
    }
    let authorization = header("authorization");
    let key = authorization.split_once("Credential=").map_or("", |(_, rest)| rest);
    let key = key.split('/').next().unwrap();
    let own = (format!("AKIA{}", state.keys), TOKEN.to_string());
    let (trusted, token) = state.trusted.clone().unwrap_or(own);
    let proved = authorization.starts_with("AWS4-HMAC-SHA256 ")
        && key == trusted
        && header("x-amz-security-token") == token
        && authorization.contains("Signature=");
    if state.expired.contains(key) || !proved {
        let text = "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>";
        return Ok(plain(400, text));
    }
    let target = header("x-amz-target").to_string();
    if !target.is_empty() || head.uri.path() == "/" {
        state.bodies.push(String::from_utf8_lossy(body).into_owned());
        return Ok(call(state, &target, body));
    }
    let hashed = header("x-amz-content-sha256");
    assert_eq!(hashed, digest_of(body), "the body is signed");
    let path = head.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap();
    assert_eq!(bucket, BUCKET);
    if head.method == Method::PUT {
        let object = Object { body: body.to_vec(), metadata: BTreeMap::new() };
        state.objects.insert(key.into(), object);
        return Ok(plain(200, ""));
    }
    if key.is_empty() {
        return Ok(list(state, head.uri.query().unwrap_or_default()));
    }
    let Some(object) = state.objects.get(key) else {
        return Ok(plain(404, "<Error><Code>NoSuchKey</Code></Error>"));
    };
    let etag = format!("\"{}\"", &digest_of(&object.body)[..32]);
    let mut answer = if header("if-none-match") == etag {
        plain(304, "")
    } else {
        Response::new(Full::new(Bytes::from(object.body.clone())))
    };
    answer.headers_mut().insert("etag", etag.parse().unwrap());
    for (name, value) in &object.metadata {
        let name: hyper::header::HeaderName = format!("x-amz-meta-{name}").parse().unwrap();
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    Ok(answer)
}

fn call(state: &mut State, target: &str, body: &Bytes) -> Response<Full<Bytes>> {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = asked["Name"].as_str().unwrap_or_default().to_string();
    match target {
        "AmazonSSM.GetParameter" => match state.parameters.get(&name) {
            Some(value) => plain(200, &json!({"Parameter": {"Value": value}}).to_string()),
            None => plain(400, r#"{"__type":"ParameterNotFound"}"#),
        },
        "AmazonSSM.PutParameter" => {
            state.parameters.insert(name, asked["Value"].as_str().unwrap().into());
            plain(200, "{}")
        }
        "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken" => {
            // AWS:pass:word
            let token = json!([{"authorizationToken": "QVdTOnBhc3M6d29yZA=="}]);
            plain(200, &json!({"authorizationData": token}).to_string())
        }
        "" => plain(200, "<PutMetricDataResponse/>"),
        other => plain(400, &format!("{{\"__type\":\"Unknown{other}\"}}")),
    }
}

fn list(state: &State, query: &str) -> Response<Full<Bytes>> {
    let value = |name: &str| {
        let mut parts = query.split('&').filter_map(|part| part.split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value.replace("%2F", "/"))
    };
    let (prefix, after) = (value("prefix").unwrap(), value("continuation-token"));
    let all = state.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
    let rest: Vec<_> = all.filter(|(key, _)| after.as_ref().is_none_or(|it| *key > it)).collect();
    let mut text = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    for (key, object) in rest.iter().take(state.page) {
        let etag = &digest_of(&object.body)[..32];
        text.push_str(&format!(
            "<Contents><Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag></Contents>"
        ));
    }
    if let Some((last, _)) =
        rest.get(state.page.wrapping_sub(1)).filter(|_| rest.len() > state.page)
    {
        text.push_str(&format!("<NextContinuationToken>{last}</NextContinuationToken>"));
    }
    plain(200, &format!("{text}</ListBucketResult>"))
}

fn metadata(state: &mut State, head: &hyper::http::request::Parts) -> Response<Full<Bytes>> {
    let path = head.uri.path();
    if path == "/latest/api/token" && head.method == Method::PUT {
        return plain(200, "metadata-token");
    }
    if head.headers.get("x-aws-ec2-metadata-token").is_none_or(|it| it != "metadata-token") {
        return plain(401, "");
    }
    match path {
        "/latest/dynamic/instance-identity/document" => plain(
            200,
            &json!({
                "instanceId": "i-1", "instanceType": "t3.large", "privateIp": "10.20.0.7",
                "availabilityZone": "eu-central-1a", "region": "eu-central-1", "accountId": "1",
            })
            .to_string(),
        ),
        "/latest/meta-data/iam/security-credentials/" => plain(200, "node"),
        "/latest/meta-data/iam/security-credentials/node" => {
            state.keys += 1;
            let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let until = until + Duration::from_secs(state.lifetime.unsigned_abs());
            let until = jiff::Timestamp::from_second(until.as_secs().cast_signed()).unwrap();
            plain(
                200,
                &json!({
                    "Code": "Success", "AccessKeyId": format!("AKIA{}", state.keys),
                    "SecretAccessKey": SECRET, "Token": TOKEN, "Expiration": until.to_string(),
                })
                .to_string(),
            )
        }
        _ => plain(404, ""),
    }
}

fn plain(status: u16, body: &str) -> Response<Full<Bytes>> {
    let body = Full::new(Bytes::from(body.to_string()));
    Response::builder().status(status).body(body).unwrap()
}
