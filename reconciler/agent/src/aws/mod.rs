//! AWS, as far as a node needs it: its own files, parameters, the login of a
//! registry, a metric. Signed with the instance's role.
//!
//! Invariants: every call ends within its time and number of tries; credentials
//! come from the instance's metadata alone and are in no error; an expired
//! credential is fetched anew, once a call.

pub mod metric;
pub mod parameters;
pub mod registry;
pub mod role;
pub mod s3;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use lyceum_core::node::host::{Answer, Cause, HostError};
use reqwest::{Client, Method, Url};
use serde_json::Value;
use xmlparser::{ElementEnd, Token};

use crate::disk;
use crate::http::{self, Answered, Names};
use role::InstanceRole;

/// Another place than AWS's own that all its services are at, and another of
/// the instance's metadata, as AWS's tools name them.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
const METADATA: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// Time of a try of a small call.
const CALL: Duration = Duration::from_secs(8);
/// Tries of a call.
const TRIES: u32 = 3;
/// Longest pause before a second try; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Longest file of the service's environment.
const LARGEST_FILE: usize = 64 * 1024;
/// Longest answer of a small call.
const LARGEST: usize = 8 * 1024 * 1024;

/// AWS in one region, with the instance's role.
pub struct Aws {
    client: Client,
    role: InstanceRole,
    region: String,
    endpoint: Option<String>,
}

/// Where AWS is, if not at its own addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Of all services.
    pub services: Option<String>,
    /// Of the instance's metadata.
    pub metadata: Option<String>,
}

impl Endpoints {
    /// As the environment says; else as the service's environment in a file
    /// does, so that a run by hand asks the same AWS.
    pub fn here(file: &Path) -> Self {
        let content = disk::read(file, LARGEST_FILE).ok().flatten().unwrap_or_default();
        let content = String::from_utf8_lossy(&content).into_owned();
        let value = |name: &str| {
            let set = std::env::var(name).ok();
            set.or_else(|| assigned(&content, name)).filter(|url| !url.is_empty())
        };
        Self { services: value(ENDPOINT), metadata: value(METADATA) }
    }
}

/// The value a line `NAME=value` gives, as systemd reads it.
fn assigned(content: &str, name: &str) -> Option<String> {
    let mut lines = content.lines().filter_map(|line| line.trim().split_once('='));
    let value = lines.rfind(|(key, _)| *key == name)?.1;
    Some(value.trim().trim_matches(['"', '\'']).to_string())
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The name under which it is signed.
    service: &'static str,
    region: String,
    /// What it is, for errors: `get s3://bucket/key`.
    operation: String,
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Duration,
    tries: u32,
    /// Longest answer in bytes.
    limit: usize,
}

/// An answer that says no, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct No {
    status: u16,
    code: String,
    message: String,
}

impl Aws {
    /// AWS in a region, or at another endpoint.
    pub fn new(region: &str, endpoints: &Endpoints, names: &Arc<Names>) -> Answer<Self> {
        Ok(Self {
            client: http::client(names)?,
            role: InstanceRole::at(endpoints.metadata.as_deref())?,
            region: region.into(),
            endpoint: endpoints.services.as_ref().map(|url| url.trim_end_matches('/').into()),
        })
    }

    /// What the instance's metadata says of it.
    pub fn role(&self) -> &InstanceRole {
        &self.role
    }

    fn host(&self, service: &str) -> String {
        self.host_in(service, &self.region)
    }

    fn host_in(&self, service: &str, region: &str) -> String {
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("{service}.{region}.amazonaws.com{suffix}")
    }

    /// A call of a service that takes JSON.
    fn json_call(&self, service: &'static str, target: &str, body: &Value) -> Call {
        let url =
            self.endpoint.clone().unwrap_or_else(|| format!("https://{}", self.host(service)));
        Call {
            service,
            region: self.region.clone(),
            operation: target.rsplit('.').next().unwrap_or(target).into(),
            method: Method::POST,
            url: format!("{url}/"),
            headers: vec![
                ("content-type".into(), "application/x-amz-json-1.1".into()),
                ("x-amz-target".into(), target.into()),
            ],
            body: body.to_string().into_bytes(),
            timeout: CALL,
            tries: TRIES,
            limit: LARGEST,
        }
    }

    /// Makes a call and tries again what may pass: no answer, too many calls,
    /// a fault on the other side, credentials that have expired.
    async fn make(&self, call: &Call) -> Answer<Answered> {
        let mut renewed = false;
        let mut tried = 0;
        loop {
            tried += 1;
            let credentials = self.role.credentials().await?;
            let error = match self.send(call, &credentials).await {
                Ok(answered) if answered.status < 400 => return Ok(answered),
                Ok(answered) => {
                    let no = no(&answered);
                    if no.is_expired() && !renewed {
                        renewed = true;
                        self.role.forget(&credentials);
                        continue;
                    }
                    let failed = no.failed(&call.operation);
                    if !no.may_pass() {
                        return Err(failed);
                    }
                    failed
                }
                Err(error) if matches!(error.cause, Cause::Timeout | Cause::Unreachable) => error,
                Err(error) => return Err(error),
            };
            if tried >= call.tries {
                return Err(error);
            }
            tokio::time::sleep(pause(tried)).await;
        }
    }

    async fn send(&self, call: &Call, credentials: &Credentials) -> Answer<Answered> {
        let wrong = |message: String| HostError::new(Cause::Invalid, &call.operation, message);
        let url = Url::parse(&call.url).map_err(|error| wrong(error.to_string()))?;
        let signed = signature(call, &url, credentials).map_err(wrong)?;
        let mut request = self.client.request(call.method.clone(), url).timeout(call.timeout);
        for (name, value) in call.headers.iter().chain(&signed) {
            request = request.header(name, value);
        }
        http::send(request.body(call.body.clone()), call.limit, &call.operation).await
    }
}

/// The headers that prove who asks.
fn signature(
    call: &Call,
    url: &Url,
    credentials: &Credentials,
) -> Result<Vec<(String, String)>, String> {
    let mut settings = SigningSettings::default();
    if call.service == "s3" {
        // S3 takes paths as they are and wants the body's digest.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&call.region)
        .name(call.service)
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::Bytes(&call.body);
    let request = SignableRequest::new(call.method.as_str(), url.as_str(), headers, body)
        .map_err(|error| error.to_string())?;
    let signed = sign(request, &params).map_err(|error| error.to_string())?;
    let (instructions, _) = signed.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.into(), value.into())).collect())
}

/// Somewhere up to the double of the one before, so that not all nodes come
/// back at once.
fn pause(tried: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << tried.min(8)).min(LONGEST_PAUSE);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

impl No {
    fn is_expired(&self) -> bool {
        ["ExpiredToken", "ExpiredTokenException", "InvalidToken", "RequestExpired"]
            .contains(&self.code.as_str())
    }

    fn may_pass(&self) -> bool {
        self.status >= 500
            || self.status == 429
            || ["Throttling", "ThrottlingException", "RequestTimeout", "SlowDown", "TooManyUpdates"]
                .contains(&self.code.as_str())
    }

    fn failed(&self, operation: &str) -> HostError {
        let cause = match (self.status, self.code.as_str()) {
            (_, "ParameterNotFound" | "NoSuchKey" | "NoSuchBucket") => Cause::NotFound,
            (_, "AccessDenied" | "AccessDeniedException") => Cause::Denied,
            (_, code) if self.is_expired() || code.contains("Signature") => Cause::Refused,
            (401 | 403, _) => Cause::Denied,
            (404, _) => Cause::NotFound,
            (429, _) | (500.., _) => Cause::Unreachable,
            (400, _) => Cause::Invalid,
            _ => Cause::Failed,
        };
        let code = if self.code.is_empty() { self.status.to_string() } else { self.code.clone() };
        let message = match self.message.as_str() {
            "" => code,
            message => format!("{code}: {message}"),
        };
        HostError::new(cause, operation, message)
    }
}

/// Services answer in JSON or in XML.
fn no(answered: &Answered) -> No {
    let status = answered.status;
    let parsed: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    if parsed.is_object() {
        let kind = parsed["__type"].as_str().unwrap_or_default();
        let message = parsed["message"].as_str().or(parsed["Message"].as_str()).unwrap_or_default();
        let code = kind.rsplit('#').next().unwrap_or(kind).to_string();
        return No { status, code, message: message.into() };
    }
    let text = String::from_utf8_lossy(&answered.body);
    let code = xml_texts(&text, "Code").pop().unwrap_or_default();
    let message = xml_texts(&text, "Message").pop().unwrap_or_default();
    No { status, code, message }
}

/// The texts of all elements of a name, in order.
fn xml_texts(document: &str, element: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut open: Option<String> = None;
    for token in xmlparser::Tokenizer::from(document) {
        match token {
            Ok(Token::ElementStart { local, .. }) => {
                open = (local.as_str() == element).then(String::new);
            }
            Ok(Token::Text { text }) => {
                if let Some(open) = &mut open {
                    open.push_str(text.as_str());
                }
            }
            Ok(Token::ElementEnd { end: ElementEnd::Close(..), .. }) => {
                texts.extend(open.take().map(|text| unescaped(&text)));
            }
            Err(_) => break,
            _ => {}
        }
    }
    texts
}

fn unescaped(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#34;", "\""),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> No {
        no(&Answered { status, headers: Default::default(), body: body.as_bytes().to_vec() })
    }

    #[test]
    fn what_aws_refuses_has_a_meaning() {
        let json = r#"{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"no"}"#;
        assert_eq!(answer(400, json).failed("x").cause, Cause::NotFound);
        let xml = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>a &amp; b</Message></Error>";
        let denied = answer(403, xml).failed("get s3://b/k");
        assert_eq!(denied.cause, Cause::Denied);
        assert_eq!(denied.message, "AccessDenied: a & b");
        let xml =
            "<ErrorResponse><Error><Code>ExpiredToken</Code><Message/></Error></ErrorResponse>";
        assert!(answer(400, xml).is_expired());
        assert!(answer(503, "").may_pass() && !answer(403, "").may_pass());
        assert!(answer(400, r#"{"__type":"ThrottlingException"}"#).may_pass());
    }

    #[test]
    fn the_services_environment_is_read_as_systemd_does() {
        let file =
            "# comment\nAWS_ENDPOINT_URL=http://old\nAWS_ENDPOINT_URL=\"http://10.0.0.1:80\"\n";
        assert_eq!(assigned(file, ENDPOINT).as_deref(), Some("http://10.0.0.1:80"));
        assert_eq!(assigned(file, METADATA), None);
    }

    #[test]
    fn elements_are_read_in_order() {
        let list =
            "<L><C><Key>a&amp;b</Key><ETag>1</ETag></C><C><Key>c</Key><ETag>2</ETag></C></L>";
        assert_eq!(xml_texts(list, "Key"), ["a&b", "c"]);
        assert_eq!(xml_texts(list, "ETag"), ["1", "2"]);
    }
}
