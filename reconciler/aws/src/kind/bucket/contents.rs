//! What is in a bucket, every version of it: it goes before the bucket can.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use lyceum_core::cloud::{Class, CloudError};

use crate::calls::Call;
use crate::clients::Clients;
use crate::error::incomplete;

/// Rounds of at most a thousand versions that one deletion removes.
const ROUNDS: usize = 100;

/// Removes every version of every object, as many as one pass may.
pub(super) async fn empty(clients: &Clients, name: &str) -> Result<(), CloudError> {
    for _ in 0..ROUNDS {
        let versions = some_versions(clients, name).await?;
        if versions.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder()
            .set_objects(Some(versions))
            .quiet(true)
            .build()
            .map_err(incomplete)?;
        let answer = clients
            .calls
            .send(Call::repeatable("s3", "DeleteObjects"), || {
                clients
                    .s3
                    .delete_objects()
                    .bucket(name)
                    .expected_bucket_owner(&clients.site.account)
                    .delete(delete.clone())
                    .send()
            })
            .await?;
        if let Some(error) = answer.errors().first() {
            let message = format!(
                "{}: {}",
                error.key().unwrap_or_default(),
                error.message().unwrap_or_default()
            );
            let class =
                if error.code() == Some("AccessDenied") { Class::Denied } else { Class::NotYet };
            return Err(CloudError::new(class, "s3:DeleteObjects", message));
        }
    }
    let message = format!("more than {ROUNDS} thousand versions");
    Err(CloudError::new(Class::NotYet, "s3:DeleteObjects", message))
}

/// The first versions and delete markers, at most a thousand.
async fn some_versions(clients: &Clients, name: &str) -> Result<Vec<ObjectIdentifier>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "ListObjectVersions"), || {
            clients
                .s3
                .list_object_versions()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
        })
        .await?;
    let versions = answer.versions().iter().map(|found| (found.key(), found.version_id()));
    let markers = answer.delete_markers().iter().map(|found| (found.key(), found.version_id()));
    versions
        .chain(markers)
        .map(|(key, version)| {
            ObjectIdentifier::builder()
                .key(key.unwrap_or_default())
                .set_version_id(version.map(str::to_string))
                .build()
                .map_err(incomplete)
        })
        .collect()
}
