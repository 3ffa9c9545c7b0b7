//! Content-addressed objects in the artifact bucket. They carry no tags: they are
//! ours by the bucket they are in and by their key.

use std::path::PathBuf;
use std::sync::Arc;

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_smithy_runtime_api::client::result::SdkError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::StoredObject;
use lyceum_core::observed::Object;
use lyceum_core::site::digest_of;

use crate::calls::Call;
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::stored::{self, Stored};

/// Digits of the digest that stand in an object's address.
const SHORT: usize = 12;

/// The agents and bundles among what is stored; other keys are not ours.
pub(crate) fn listing(clients: &Clients, stored: &[Stored]) -> Listing {
    let mut listing = Listing::default();
    for Stored { bucket, key, size, etag, .. } in stored {
        let Some(address) = address(key) else { continue };
        let (bucket, etag) = (bucket.clone(), etag.clone());
        let body = StoredObject { bucket, key: key.clone(), size: *size, etag };
        let outputs = outputs(&body);
        let found = Found { id: key.clone(), tags: Default::default(), outputs, body: body.into() };
        listing.push(address, &clients.region, found);
    }
    listing
}

fn outputs(body: &StoredObject) -> Outputs {
    Outputs::from([("digest".into(), body.digest().into())])
}

/// Puts the content there: what goes along with the resource, or the file of its
/// digest. S3 checks it against the digest, and an object that is there already
/// has this content.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &StoredObject,
) -> Result<Outputs, CloudError> {
    match put(clients, resource, want, Some("*")).await {
        // It is there. Any other conflict says only that somebody else writes.
        Err(error) if error.code != "PreconditionFailed" => Err(error),
        _ => {
            let mut outputs = outputs(want);
            outputs.insert("id".into(), want.key.clone());
            Ok(outputs)
        }
    }
}

/// What is put there.
enum Content<'a> {
    Bytes(Arc<[u8]>),
    File(&'a PathBuf),
}

impl Content<'_> {
    /// From its beginning. The bytes are shared, not copied; of a file a part at a
    /// time is in memory.
    async fn stream(&self) -> Result<ByteStream, ByteStreamError> {
        match self {
            Self::Bytes(bytes) => Ok(ByteStream::from(bytes::Bytes::from_owner(bytes.clone()))),
            Self::File(path) => ByteStream::from_path(path).await,
        }
    }
}

/// Writes the content once more over what somebody else has put there.
pub(crate) async fn update(
    clients: &Clients,
    (_before, seen): (&Object, &StoredObject),
    (after, want): (&Resource, &StoredObject),
) -> Result<Outputs, CloudError> {
    if seen != want {
        put(clients, after, want, None).await?;
    }
    Ok(Outputs::new())
}

/// Removes the current version; the bucket keeps it for its days.
pub(crate) async fn delete(
    clients: &Clients,
    _object: &Object,
    seen: &StoredObject,
) -> Result<(), CloudError> {
    stored::remove(clients, (&seen.bucket, &seen.key)).await
}

/// Puts the content, where a version that it must not match is not there.
async fn put(
    clients: &Clients,
    resource: &Resource,
    want: &StoredObject,
    not_there: Option<&str>,
) -> Result<(), CloudError> {
    let checksum = checksum(want.digest())?;
    let content = match &resource.along.content {
        Some(content) if digest_of(content) != want.digest() => {
            let message = format!("the content has not the SHA-256 {}", want.digest());
            return Err(CloudError::new(Class::Invalid, "s3:PutObject", message));
        }
        Some(content) => Content::Bytes(content.clone()),
        None => Content::File(file(clients, want).await?),
    };
    clients
        .calls
        .send(Call::repeatable("s3", "PutObject"), || async {
            let body = content.stream().await.map_err(SdkError::construction_failure)?;
            let request = clients
                .s3
                .put_object()
                .bucket(&want.bucket)
                .expected_bucket_owner(&clients.site.account)
                .key(&want.key);
            let request = request.set_if_none_match(not_there.map(str::to_string));
            request.checksum_sha256(&checksum).body(body).send().await
        })
        .await
        .map(drop)
}

/// `clusters/geo-101/agents/<digest>` is `geo-101/object/agent-<12 digits>`, and
/// `bundles/` likewise.
fn address(key: &str) -> Option<Address> {
    let (cluster, rest) = key.strip_prefix("clusters/")?.split_once('/')?;
    let (folder, digest) = rest.split_once('/')?;
    let what = match folder {
        "agents" => "agent",
        "bundles" => "bundle",
        _ => return None,
    };
    let whole = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    (whole && !cluster.is_empty())
        .then(|| Address::new(cluster, "object", &format!("{what}-{}", &digest[..SHORT])))
}

/// As S3 takes a SHA-256: base64 of its bytes.
fn checksum(digest: &str) -> Result<String, CloudError> {
    let byte = |at| u8::from_str_radix(digest.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
    bytes.filter(|_| digest.len() == 64).map(|bytes| STANDARD.encode(bytes)).ok_or_else(|| {
        let message = format!("the key does not end in a SHA-256 but in `{digest}`");
        CloudError::new(Class::Invalid, "s3:PutObject", message)
    })
}

/// The file with the content, as long as it should be.
async fn file<'a>(clients: &'a Clients, want: &StoredObject) -> Result<&'a PathBuf, CloudError> {
    let digest = want.digest();
    let refuse = |message| Err(CloudError::new(Class::Invalid, "s3:PutObject", message));
    let Some(path) = clients.artifacts.get(digest) else {
        return refuse(format!("no file with the SHA-256 {digest} is at hand"));
    };
    match tokio::fs::metadata(path).await.map(|found| found.len()) {
        Ok(size) if size == want.size => Ok(path),
        Ok(size) => refuse(format!(
            "{} has {size} bytes instead of {}; it changed meanwhile",
            path.display(),
            want.size
        )),
        Err(error) => refuse(format!("{}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agents_and_bundles_have_addresses() {
        let digest = "ab".repeat(32);
        let agent = address(&format!("clusters/geo-101/agents/{digest}"));
        assert_eq!(agent, Some(Address::new("geo-101", "object", "agent-abababababab")));
        let bundle = address(&format!("clusters/geo-101/bundles/{digest}"));
        assert_eq!(bundle, Some(Address::new("geo-101", "object", "bundle-abababababab")));
        assert_eq!(address(&format!("clusters/geo-101/nodes/{digest}")), None);
        assert_eq!(address("clusters/geo-101/agents/latest"), None);
        assert_eq!(address(&format!("clusters/a/b/agents/{digest}")), None);
    }

    #[test]
    fn a_digest_becomes_base64() {
        assert_eq!(checksum(&"00".repeat(32)).unwrap(), format!("{}=", "A".repeat(43)));
        assert_eq!(checksum("latest").unwrap_err().class, Class::Invalid);
    }
}
