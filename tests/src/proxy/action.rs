//! What a request asks for: service, operation, region, from the request alone.
//!
//! The service and region stand in the credential scope of the signature; the
//! operation where the service's protocol puts it.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

const SUMMARY: usize = 300;
const READS: &[&str] =
    &["Describe", "List", "Get", "Head", "Discover", "Search", "Receive", "Assume", "Simulate"];

/// One request to AWS, understood.
#[derive(Clone, Debug)]
pub struct Call {
    /// `ec2`, `efs`, `cloudwatch`, …
    pub service: String,
    /// `CreateVpc`.
    pub operation: String,
    /// As signed for; `us-east-1` for global services.
    pub region: String,
    /// How the service speaks.
    pub protocol: Protocol,
    /// Parameters of the query protocol; of a REST call, those of its query string.
    pub params: BTreeMap<String, String>,
    /// The path, without the query string.
    pub path: String,
    /// The body as sent.
    pub body: Bytes,
    /// Its `Authorization` header, for questions of the proxy's own.
    pub authorization: String,
}

/// How a service speaks, which decides how its errors are worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// EC2's own dialect of the query protocol.
    Ec2,
    /// Form in, XML out: IAM, STS, Auto Scaling, older CloudWatch and SQS.
    Query,
    /// `X-Amz-Target`: SSM, EventBridge, Cloud Map, SQS.
    Json,
    /// `smithy-protocol: rpc-v2-cbor`: newer CloudWatch.
    Cbor,
    /// Paths and JSON: EFS.
    RestJson,
    /// Paths and XML: Route 53, S3.
    RestXml,
}

impl Call {
    /// Understands a request. What it cannot place has an empty service.
    pub fn new(parts: &Parts, body: Bytes) -> Self {
        let authorization = header(&parts.headers, "authorization").to_string();
        let (region, scope) = credential_scope(&authorization);
        let service = service_name(scope);
        let path = parts.uri.path().to_string();
        let mut params = decode(parts.uri.query().unwrap_or_default().as_bytes());
        let (protocol, operation) = match placed(parts, &path) {
            Some(found) => found,
            None if service == "efs" => (Protocol::RestJson, efs(&parts.method, &path)),
            None if service == "route53" => (Protocol::RestXml, route53(&parts.method, &path)),
            None if service == "s3" => (Protocol::RestXml, s3(&parts.method, &path, &params)),
            None => {
                params = decode(&body);
                let protocol = if service == "ec2" { Protocol::Ec2 } else { Protocol::Query };
                (protocol, params.get("Action").cloned().unwrap_or_default())
            }
        };
        Self { service, operation, region, protocol, params, path, body, authorization }
    }

    /// `ec2:CreateVpc`.
    pub fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// Changes something.
    pub fn mutating(&self) -> bool {
        !self.operation.is_empty() && !READS.iter().any(|read| self.operation.starts_with(read))
    }

    /// A parameter by name; empty when absent.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// Parameters, path and body as one text, for matching.
    pub fn text(&self) -> String {
        match self.protocol {
            Protocol::Ec2 | Protocol::Query => self.pairs().join("&"),
            _ => {
                let body = String::from_utf8_lossy(&self.body);
                format!("{} {} {body}", self.path, self.pairs().join("&"))
            }
        }
    }

    /// The start of what it says, for a log.
    pub fn summary(&self) -> String {
        self.text().chars().filter(|c| !c.is_control()).take(SUMMARY).collect()
    }

    fn pairs(&self) -> Vec<String> {
        self.params
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "Action" | "Version"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }
}

/// A form or a query string as a map.
pub(super) fn decode(form: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(form).into_owned().collect()
}

/// A map as a form.
pub(super) fn encode(params: &BTreeMap<String, String>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

/// Region and service of `Credential=AKID/20260101/us-east-1/ec2/aws4_request`.
fn credential_scope(authorization: &str) -> (String, &str) {
    let mut scope = authorization
        .split_once("Credential=")
        .map_or("", |(_, rest)| rest.split([',', ' ']).next().unwrap_or_default())
        .split('/')
        .skip(2);
    (scope.next().unwrap_or_default().into(), scope.next().unwrap_or_default())
}

/// Services as the rest of the program calls them, not as they are signed for.
fn service_name(signed: &str) -> String {
    match signed {
        "monitoring" => "cloudwatch",
        "elasticfilesystem" => "efs",
        other => other,
    }
    .into()
}

/// The operation where a header or the path names it outright.
fn placed(parts: &Parts, path: &str) -> Option<(Protocol, String)> {
    if let Some((_, operation)) = header(&parts.headers, "x-amz-target").rsplit_once('.') {
        return Some((Protocol::Json, operation.into()));
    }
    if header(&parts.headers, "smithy-protocol") == "rpc-v2-cbor" {
        let (_, operation) = path.rsplit_once('/')?;
        return Some((Protocol::Cbor, operation.into()));
    }
    None
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The verb a method stands for.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "Get",
        Method::HEAD => "Head",
        Method::PUT => "Put",
        Method::POST => "Post",
        Method::DELETE => "Delete",
        _ => "Call",
    }
}

fn efs(method: &Method, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).skip(1).collect();
    let noun = match parts.first() {
        Some(&"file-systems") => "FileSystem",
        Some(&"mount-targets") => "MountTarget",
        Some(&"access-points") => "AccessPoint",
        Some(&"resource-tags" | &"tags" | &"create-tags" | &"delete-tags") => {
            return efs_tags(method, parts[0]).into();
        }
        _ => return format!("{}{}", verb(method), path.replace('/', "-")),
    };
    match (method, parts.get(2)) {
        (&Method::PUT, Some(&"lifecycle-configuration")) => "PutLifecycleConfiguration".into(),
        (&Method::GET, Some(&"lifecycle-configuration")) => "DescribeLifecycleConfiguration".into(),
        (&Method::PUT, Some(&"backup-policy")) => "PutBackupPolicy".into(),
        (&Method::GET, Some(&"backup-policy")) => "DescribeBackupPolicy".into(),
        (&Method::PUT, Some(&"policy")) => "PutFileSystemPolicy".into(),
        (&Method::GET, Some(&"policy")) => "DescribeFileSystemPolicy".into(),
        (&Method::PUT, Some(&"security-groups")) => "ModifyMountTargetSecurityGroups".into(),
        (&Method::GET, Some(&"security-groups")) => "DescribeMountTargetSecurityGroups".into(),
        (&Method::PUT, Some(&"protection")) => "UpdateFileSystemProtection".into(),
        (&Method::POST, _) => format!("Create{noun}"),
        (&Method::DELETE, _) => format!("Delete{noun}"),
        (&Method::PUT, _) => format!("Update{noun}"),
        _ => format!("Describe{noun}s"),
    }
}

fn efs_tags(method: &Method, part: &str) -> &'static str {
    match (method, part) {
        (&Method::GET, "resource-tags") => "ListTagsForResource",
        (&Method::GET, _) => "DescribeTags",
        (&Method::DELETE, "resource-tags") => "UntagResource",
        (&Method::POST, "resource-tags") => "TagResource",
        (_, "create-tags") => "CreateTags",
        _ => "DeleteTags",
    }
}

fn route53(method: &Method, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).skip(1).collect();
    match (method, parts.as_slice()) {
        (&Method::POST, ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets".into(),
        (&Method::GET, ["hostedzone", _, "rrset"]) => "ListResourceRecordSets".into(),
        (&Method::GET, ["hostedzonesbyname"]) => "ListHostedZonesByName".into(),
        (&Method::GET, ["hostedzonesbyvpc"]) => "ListHostedZonesByVPC".into(),
        (&Method::GET, ["hostedzone"]) => "ListHostedZones".into(),
        (&Method::POST, ["hostedzone"]) => "CreateHostedZone".into(),
        (&Method::GET, ["hostedzone", _]) => "GetHostedZone".into(),
        (&Method::DELETE, ["hostedzone", _]) => "DeleteHostedZone".into(),
        (&Method::GET, ["change", _]) => "GetChange".into(),
        (&Method::GET, ["tags", ..]) => "ListTagsForResource".into(),
        (&Method::POST, ["tags", _]) => "ListTagsForResources".into(),
        (&Method::POST, ["tags", ..]) => "ChangeTagsForResource".into(),
        _ => format!("{}{}", verb(method), path.replace('/', "-")),
    }
}

/// Subresources of a bucket, as their operations call them.
const BUCKET_PARTS: &[(&str, &str)] = &[
    ("versioning", "BucketVersioning"),
    ("encryption", "BucketEncryption"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("policy", "BucketPolicy"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("tagging", "BucketTagging"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("location", "BucketLocation"),
    ("notification", "BucketNotificationConfiguration"),
    ("acl", "BucketAcl"),
];

fn s3(method: &Method, path: &str, params: &BTreeMap<String, String>) -> String {
    let (bucket, key) =
        path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
    if !key.is_empty() {
        return s3_object(method, params);
    }
    if let Some((_, noun)) = BUCKET_PARTS.iter().find(|(part, _)| params.contains_key(*part)) {
        return format!("{}{noun}", verb(method));
    }
    match *method {
        Method::GET if bucket.is_empty() => "ListBuckets".into(),
        Method::GET if params.contains_key("versions") => "ListObjectVersions".into(),
        Method::GET if params.contains_key("list-type") => "ListObjectsV2".into(),
        Method::GET => "ListObjects".into(),
        Method::POST if params.contains_key("delete") => "DeleteObjects".into(),
        Method::PUT => "CreateBucket".into(),
        _ => format!("{}Bucket", verb(method)),
    }
}

fn s3_object(method: &Method, params: &BTreeMap<String, String>) -> String {
    let noun = if params.contains_key("tagging") { "ObjectTagging" } else { "Object" };
    format!("{}{noun}", verb(method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn call(method: &str, uri: &str, signed: &str, headers: &[(&str, &str)], body: &str) -> Call {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AK/20260101/us-west-2/{signed}/aws4_request, SignedHeaders=host"
        );
        let mut request = Request::builder().method(method).uri(uri).header("authorization", scope);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Call::new(&parts, Bytes::from(body.to_string()))
    }

    #[test]
    fn query_calls_name_their_action_in_the_body() {
        let call =
            call("POST", "/", "ec2", &[], "Action=CreateVpc&CidrBlock=10.0.0.0%2F16&Version=x");
        assert_eq!((call.action().as_str(), call.region.as_str()), ("ec2:CreateVpc", "us-west-2"));
        assert!(call.mutating());
        assert_eq!(call.summary(), "CidrBlock=10.0.0.0/16");
    }

    #[test]
    fn json_and_cbor_calls_name_it_in_a_header_or_the_path() {
        let json = call("POST", "/", "ssm", &[("x-amz-target", "AmazonSSM.PutParameter")], "{}");
        assert_eq!((json.action().as_str(), json.protocol), ("ssm:PutParameter", Protocol::Json));
        let uri = "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm";
        let cbor = call("POST", uri, "monitoring", &[("smithy-protocol", "rpc-v2-cbor")], "");
        assert_eq!(cbor.action(), "cloudwatch:PutMetricAlarm");
    }

    #[test]
    fn rest_calls_are_named_by_method_and_path() {
        let cases = [
            ("POST", "/2015-02-01/file-systems", "elasticfilesystem", "efs:CreateFileSystem"),
            (
                "PUT",
                "/2015-02-01/file-systems/fs-1/backup-policy",
                "elasticfilesystem",
                "efs:PutBackupPolicy",
            ),
            (
                "GET",
                "/2015-02-01/mount-targets?FileSystemId=fs-1",
                "elasticfilesystem",
                "efs:DescribeMountTargets",
            ),
            (
                "POST",
                "/2013-04-01/hostedzone/Z1/rrset/",
                "route53",
                "route53:ChangeResourceRecordSets",
            ),
            ("PUT", "/b?versioning", "s3", "s3:PutBucketVersioning"),
            ("PUT", "/b/a/key", "s3", "s3:PutObject"),
            ("GET", "/b?list-type=2&prefix=a", "s3", "s3:ListObjectsV2"),
            ("PUT", "/b", "s3", "s3:CreateBucket"),
        ];
        for (method, uri, signed, action) in cases {
            assert_eq!(call(method, uri, signed, &[], "").action(), action);
        }
    }
}
