//! Objects of the artifact bucket.

use std::collections::BTreeMap;
use std::time::Duration;

use lyceum_core::node::host::{Answer, Cause, HostError};
use reqwest::Method;

use super::{Aws, CALL, Call, LARGEST, TRIES, xml_texts};

/// Time of a try of a large object.
const LARGE: Duration = Duration::from_secs(120);
/// From here on an object is large.
const LARGE_FROM: usize = 1024 * 1024;
/// Pages of a list: a thousand objects each.
const PAGES: usize = 20;
const METADATA: &str = "x-amz-meta-";

/// An object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Tells one content from another.
    pub etag: String,
    /// Metadata of whoever wrote it, names without their prefix.
    pub metadata: BTreeMap<String, String>,
    /// Its content.
    pub body: Vec<u8>,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is what was known already.
    Same,
    /// There is none.
    Absent,
    /// It.
    Object(Object),
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Tells one content from another.
    pub etag: String,
}

impl Aws {
    /// An object of at most `limit` bytes, unless it is still the one of this
    /// `etag`.
    pub async fn get(
        &self,
        bucket: &str,
        key: &str,
        etag: Option<&str>,
        limit: usize,
    ) -> Answer<Fetched> {
        let mut call = self.object_call(Method::GET, bucket, key);
        call.limit = limit;
        if limit >= LARGE_FROM {
            call.timeout = LARGE;
        }
        if let Some(etag) = etag {
            call.headers.push(("if-none-match".into(), etag.into()));
        }
        let answered = match self.make(&call).await {
            Err(error) if error.cause == Cause::NotFound => return Ok(Fetched::Absent),
            other => other?,
        };
        if answered.status == 304 {
            return Ok(Fetched::Same);
        }
        let named = answered.headers.iter().filter_map(|(name, value)| {
            Some((
                name.as_str().strip_prefix(METADATA)?.to_string(),
                value.to_str().ok()?.to_string(),
            ))
        });
        let (metadata, etag) = (named.collect(), answered.header("etag").to_string());
        Ok(Fetched::Object(Object { etag, metadata, body: answered.body }))
    }

    /// Writes an object.
    pub async fn put(&self, bucket: &str, key: &str, body: Vec<u8>, kind: &str) -> Answer<()> {
        let mut call = self.object_call(Method::PUT, bucket, key);
        call.headers.push(("content-type".into(), kind.into()));
        call.body = body;
        self.make(&call).await.map(|_| ())
    }

    /// Objects under a prefix.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Answer<Vec<Listed>> {
        let mut listed = Vec::new();
        let mut after = String::new();
        for _ in 0..PAGES {
            let call = self.list_call(bucket, prefix, &after);
            let body = self.make(&call).await?.body;
            let page = String::from_utf8_lossy(&body);
            let keys = xml_texts(&page, "Key").into_iter();
            let etags = xml_texts(&page, "ETag").into_iter();
            listed.extend(keys.zip(etags).map(|(key, etag)| Listed { key, etag }));
            match xml_texts(&page, "NextContinuationToken").pop() {
                Some(token) => after = token,
                None => return Ok(listed),
            }
        }
        let message = format!("more than {} objects", PAGES * 1000);
        Err(HostError::new(Cause::Invalid, format!("list s3://{bucket}/{prefix}"), message))
    }

    fn object_call(&self, method: Method, bucket: &str, key: &str) -> Call {
        Call {
            service: "s3",
            region: self.region.clone(),
            operation: format!("{} s3://{bucket}/{key}", method.as_str().to_lowercase()),
            method,
            url: format!("{}/{key}", self.bucket_url(bucket)),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: CALL,
            tries: TRIES,
            limit: LARGEST,
        }
    }

    fn list_call(&self, bucket: &str, prefix: &str, after: &str) -> Call {
        // Signing sorts them itself, but S3 wants none that is empty.
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !after.is_empty() {
            query.append_pair("continuation-token", after);
        }
        query.append_pair("list-type", "2").append_pair("prefix", prefix);
        // A form writes a blank as `+`, a signature knows it as `%20` alone.
        let query = query.finish().replace('+', "%20");
        let mut call = self.object_call(Method::GET, bucket, "");
        call.operation = format!("list s3://{bucket}/{prefix}");
        call.url = format!("{}?{query}", call.url);
        call
    }

    fn bucket_url(&self, bucket: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("{endpoint}/{bucket}"),
            None => format!("https://{bucket}.{}", self.host("s3")),
        }
    }
}
