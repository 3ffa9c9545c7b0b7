//! What lies in the artifact bucket, whatever it is: the one list of it, and
//! reading and removing one thing of it. Kinds know what a key means.

use std::collections::HashMap;

use aws_sdk_s3::primitives::ByteStream;
use lyceum_core::cloud::{Class, CloudError, Outputs};

use crate::calls::Call;
use crate::clients::Clients;
use crate::error::found;

/// One thing in the bucket, as a list gives it.
pub(crate) struct Stored {
    /// The bucket.
    pub(crate) bucket: String,
    /// The key.
    pub(crate) key: String,
    /// Size in bytes.
    pub(crate) size: u64,
    /// The ETag, without quotes.
    pub(crate) etag: String,
    /// Seconds since 1970, UTC, when it was written.
    pub(crate) modified: i64,
}

impl Stored {
    /// Which version it is, for who reads only what is new.
    pub(crate) fn version(&self) -> Outputs {
        Outputs::from([
            ("etag".into(), self.etag.clone()),
            ("modified".into(), self.modified.to_string()),
        ])
    }
}

/// One thing read.
pub(crate) struct Content {
    /// Its bytes; none where it is longer than was asked for.
    pub(crate) bytes: Option<Vec<u8>>,
    /// The ETag, without quotes.
    pub(crate) etag: String,
    /// What stands beside it.
    pub(crate) metadata: HashMap<String, String>,
}

/// Everything under the clusters' prefix, a call for a thousand keys: S3 cannot
/// narrow a list by what comes after the cluster's name. With more keys than a
/// list has pages for (200,000) all that lies there is a gap, and says so.
pub(crate) async fn described(clients: &Clients) -> Result<Vec<Stored>, CloudError> {
    let bucket = clients.site.bucket(&clients.region);
    let listed = clients
        .calls
        .pages(
            Call::read("s3", "ListObjectsV2"),
            |token| {
                let request = clients
                    .s3
                    .list_objects_v2()
                    .bucket(&bucket)
                    .expected_bucket_owner(&clients.site.account)
                    .prefix("clusters/");
                request.set_continuation_token(token).send()
            },
            |page| (page.contents.unwrap_or_default(), page.next_continuation_token),
        )
        .await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) if error.class == Class::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let stored = listed.into_iter().map(|object| Stored {
        bucket: bucket.clone(),
        size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        etag: bare(object.e_tag().unwrap_or_default()),
        modified: object.last_modified().map_or(0, |time| time.secs()),
        key: object.key.unwrap_or_default(),
    });
    Ok(stored.collect())
}

/// Reads one thing, if it has at most so many bytes; none where it is gone.
pub(crate) async fn read(
    clients: &Clients,
    (bucket, key): (&str, &str),
    most: u64,
) -> Result<Option<Content>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetObject"), || {
            clients
                .s3
                .get_object()
                .bucket(bucket)
                .expected_bucket_owner(&clients.site.account)
                .key(key)
                .send()
        })
        .await;
    let Some(answer) = found(answer)? else { return Ok(None) };
    let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
    let bytes = match length {
        Some(length) if length <= most => Some(collected(answer.body).await?),
        _ => None,
    };
    let etag = bare(answer.e_tag.as_deref().unwrap_or_default());
    Ok(Some(Content { bytes, etag, metadata: answer.metadata.unwrap_or_default() }))
}

/// Removes the current version; the bucket keeps it for its days.
pub(crate) async fn remove(
    clients: &Clients,
    (bucket, key): (&str, &str),
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("s3", "DeleteObject"), || {
            clients
                .s3
                .delete_object()
                .bucket(bucket)
                .expected_bucket_owner(&clients.site.account)
                .key(key)
                .send()
        })
        .await
        .map(drop)
}

/// An ETag as S3 gives it, without its quotes.
pub(crate) fn bare(etag: &str) -> String {
    etag.trim_matches('"').into()
}

async fn collected(body: ByteStream) -> Result<Vec<u8>, CloudError> {
    let bytes = body.collect().await.map_err(|error| {
        CloudError::new(Class::Ambiguous, "s3:GetObject", format!("the answer broke off: {error}"))
    })?;
    Ok(bytes.into_bytes().to_vec())
}
