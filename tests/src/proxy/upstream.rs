//! The emulator behind the proxy: forwarded calls and questions of our own.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::http::request::Parts;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::action::{Call, encode};
use super::xml::Element;

/// No answer came from the emulator.
#[derive(Debug, thiserror::Error)]
#[error("the emulator gave no answer")]
pub(super) struct NoAnswer(#[source] anyhow::Error);

/// A pool of connections to the emulator.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

impl Upstream {
    /// To an emulator at an address.
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, address }
    }

    /// Sends a request on, with another body where a limit was rewritten.
    pub(super) async fn forward(
        &self,
        parts: &Parts,
        body: Bytes,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        // The client sets both from the body and the connection.
        request.headers_mut().remove("content-length");
        request.headers_mut().remove("connection");
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = self.uri(path).map_err(NoAnswer)?;
        self.send(request).await
    }

    /// Asks EC2 or another query service in the name of a call: same account,
    /// same region. `None` where it does not answer with a document.
    pub(super) async fn ask(&self, call: &Call, params: &[(&str, &str)]) -> Option<Element> {
        let version = [("Version", call.param("Version"))];
        let form: BTreeMap<String, String> = params
            .iter()
            .chain(&version)
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let request = Request::post(self.uri("/").ok()?)
            .header("authorization", &call.authorization)
            .header("host", self.address.to_string())
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Full::new(Bytes::from(encode(&form))))
            .ok()?;
        let answer = self.send(request).await.ok()?;
        answer.status().is_success().then(|| Element::parse(answer.body()))?
    }

    /// Asks Cloud Map in the name of a call.
    pub(super) async fn ask_cloud_map(
        &self,
        call: &Call,
        operation: &str,
        body: &serde_json::Value,
    ) -> Option<serde_json::Value> {
        let request = Request::post(self.uri("/").ok()?)
            .header("authorization", &call.authorization)
            .header("host", self.address.to_string())
            .header("x-amz-target", format!("Route53AutoNaming_v20170314.{operation}"))
            .header("content-type", "application/x-amz-json-1.1")
            .body(Full::new(Bytes::from(body.to_string())))
            .ok()?;
        let answer = self.send(request).await.ok()?;
        answer.status().is_success().then(|| serde_json::from_slice(answer.body()).ok())?
    }

    fn uri(&self, path: &str) -> anyhow::Result<Uri> {
        Ok(format!("http://{}{path}", self.address).parse()?)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, NoAnswer> {
        let answer = self.client.request(request).await.map_err(|error| NoAnswer(error.into()))?;
        let (mut parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| NoAnswer(error.into()))?.to_bytes();
        // The body is whole now. Its length stays: a HEAD answer carries the
        // length of a body it does not have.
        parts.headers.remove("transfer-encoding");
        parts.headers.remove("connection");
        Ok(Response::from_parts(parts, body))
    }
}
