//! The artifact bucket of a region. Its name is ours alone: it carries a digest
//! of source and account. Every aspect of it is a call of its own.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
    BucketVersioningStatus, CreateBucketConfiguration, Delete, ExpirationStatus, LifecycleRule,
    LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectIdentifier,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    VersioningConfiguration,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Bucket;
use lyceum_core::observed::Object;
use lyceum_core::site::Site;
use serde_json::Value;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::{policy, tags};

/// Days an upload that was never finished is kept.
const UNFINISHED_DAYS: i32 = 7;
/// Rounds of at most a thousand versions that one deletion removes.
const ROUNDS: usize = 100;

/// The region's bucket: seven calls where it exists, one where it does not.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let name = clients.site.bucket(&clients.region);
    let mut listing = Listing::default();
    let Some(tags) = read_tags(clients, &name).await? else { return Ok(listing) };
    let (versioning, encryption, blocked, policy, noncurrent_days) = tokio::try_join!(
        read_versioning(clients, &name),
        read_encryption(clients, &name),
        read_public_access(clients, &name),
        read_policy(clients, &name),
        read_lifecycle(clients, &name),
    )?;
    let body = Bucket {
        name: name.clone(),
        versioning,
        encryption,
        public_access_blocked: blocked,
        policy,
        noncurrent_days,
    };
    let scope = Site::region_scope(&clients.region);
    let outputs = outputs(clients, &name);
    let found = Found { id: name, tags, outputs, body: body.into() };
    listing.push(Address::new(&scope, "bucket", "artifacts"), &clients.region, found);
    Ok(listing)
}

/// Makes a bucket, then sets its aspects. A bucket of this name that is this
/// account's is ours.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Bucket,
) -> Result<Outputs, CloudError> {
    let place = (clients.region != "us-east-1").then(|| {
        let region = BucketLocationConstraint::from(clients.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let made = clients
        .calls
        .send(Call::repeatable("s3", "CreateBucket"), || {
            let request = clients.s3.create_bucket().bucket(&want.name);
            request.set_create_bucket_configuration(place.clone()).send()
        })
        .await;
    match made {
        Err(error) if error.code != "BucketAlreadyOwnedByYou" => return Err(error),
        _ => until("s3:HeadBucket", VISIBLE, || visible(clients, &want.name)).await?,
    }
    write_tags(clients, &want.name, &tags::at_creation(resource)).await?;
    write(clients, &Bucket { name: want.name.clone(), ..Bucket::default() }, want).await?;
    let mut outputs = outputs(clients, &want.name);
    outputs.insert("id".into(), want.name.clone());
    Ok(outputs)
}

/// Sets tags and aspects that differ. Foreign tags are kept.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Bucket),
    (after, want): (&Resource, &Bucket),
) -> Result<Outputs, CloudError> {
    let changed = tags::to_write(before, after);
    if !changed.is_empty() {
        let mut all = before.tags.clone();
        all.extend(changed);
        write_tags(clients, &before.id, &all).await?;
    }
    write(clients, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a bucket with everything in it. That it may go was consented to.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Bucket,
) -> Result<(), CloudError> {
    empty(clients, &object.id).await?;
    clients
        .calls
        .send(Call::repeatable("s3", "DeleteBucket"), || {
            clients.s3.delete_bucket().bucket(&object.id).send()
        })
        .await
        .map(drop)
}

fn outputs(clients: &Clients, name: &str) -> Outputs {
    Outputs::from([("arn".into(), format!("arn:{}:s3:::{name}", clients.site.partition))])
}

/// The bucket's tags; nothing where there is no bucket.
async fn read_tags(
    clients: &Clients,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketTagging"), || {
            clients.s3.get_bucket_tagging().bucket(name).send()
        })
        .await;
    match answer {
        Ok(answer) => Ok(Some(
            answer.tag_set.into_iter().map(|tag: Tag| (tag.key, tag.value)).collect(),
        )),
        Err(error) if error.code == "NoSuchTagSet" => Ok(Some(BTreeMap::new())),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read_versioning(clients: &Clients, name: &str) -> Result<bool, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketVersioning"), || {
            clients.s3.get_bucket_versioning().bucket(name).send()
        })
        .await?;
    Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
}

async fn read_encryption(clients: &Clients, name: &str) -> Result<String, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketEncryption"), || {
            clients.s3.get_bucket_encryption().bucket(name).send()
        })
        .await;
    let rules = found(answer)?
        .and_then(|answer| answer.server_side_encryption_configuration)
        .map(|configuration| configuration.rules)
        .unwrap_or_default();
    Ok(rules
        .iter()
        .find_map(|rule| rule.apply_server_side_encryption_by_default())
        .map(|default| default.sse_algorithm().as_str().to_string())
        .unwrap_or_default())
}

async fn read_public_access(clients: &Clients, name: &str) -> Result<bool, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetPublicAccessBlock"), || {
            clients.s3.get_public_access_block().bucket(name).send()
        })
        .await;
    let blocks = found(answer)?.and_then(|answer| answer.public_access_block_configuration);
    Ok(blocks.is_some_and(|blocks| {
        let all = [
            blocks.block_public_acls,
            blocks.ignore_public_acls,
            blocks.block_public_policy,
            blocks.restrict_public_buckets,
        ];
        all.iter().all(|on| on.unwrap_or(false))
    }))
}

async fn read_policy(clients: &Clients, name: &str) -> Result<Value, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketPolicy"), || {
            clients.s3.get_bucket_policy().bucket(name).send()
        })
        .await;
    let text = found(answer)?.and_then(|answer| answer.policy).unwrap_or_default();
    Ok(policy::parse(&text))
}

/// The days of the rule that covers the whole bucket; 0 without one.
async fn read_lifecycle(clients: &Clients, name: &str) -> Result<i32, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketLifecycleConfiguration"), || {
            clients.s3.get_bucket_lifecycle_configuration().bucket(name).send()
        })
        .await;
    let rules = found(answer)?.and_then(|answer| answer.rules).unwrap_or_default();
    Ok(rules
        .iter()
        .filter(|rule| rule.status() == &ExpirationStatus::Enabled && covers_all(rule))
        .find_map(|rule| rule.noncurrent_version_expiration()?.noncurrent_days())
        .unwrap_or(0))
}

fn covers_all(rule: &LifecycleRule) -> bool {
    rule.filter().is_none_or(|filter| {
        filter.prefix().is_none_or(str::is_empty) && filter.tag().is_none() && filter.and().is_none()
    })
}

async fn visible(clients: &Clients, name: &str) -> Result<Option<()>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "HeadBucket"), || clients.s3.head_bucket().bucket(name).send())
        .await;
    Ok(found(answer)?.map(drop))
}

async fn write_tags(
    clients: &Clients,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let tags = tags::build(tags, |key, value| Tag::builder().key(key).value(value).build())?;
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(incomplete)?;
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketTagging"), || {
            clients.s3.put_bucket_tagging().bucket(name).tagging(tagging.clone()).send()
        })
        .await
        .map(drop)
}

/// Public access is blocked before anything else is set.
async fn write(clients: &Clients, seen: &Bucket, want: &Bucket) -> Result<(), CloudError> {
    let name = &want.name;
    if seen.public_access_blocked != want.public_access_blocked {
        write_public_access(clients, name, want.public_access_blocked).await?;
    }
    if seen.encryption != want.encryption {
        write_encryption(clients, name, &want.encryption).await?;
    }
    if seen.versioning != want.versioning {
        write_versioning(clients, name, want.versioning).await?;
    }
    if seen.policy != want.policy {
        write_policy(clients, name, &want.policy).await?;
    }
    if seen.noncurrent_days != want.noncurrent_days {
        write_lifecycle(clients, name, want.noncurrent_days).await?;
    }
    Ok(())
}

async fn write_public_access(clients: &Clients, name: &str, on: bool) -> Result<(), CloudError> {
    let blocks = PublicAccessBlockConfiguration::builder()
        .block_public_acls(on)
        .ignore_public_acls(on)
        .block_public_policy(on)
        .restrict_public_buckets(on)
        .build();
    clients
        .calls
        .send(Call::repeatable("s3", "PutPublicAccessBlock"), || {
            let request = clients.s3.put_public_access_block().bucket(name);
            request.public_access_block_configuration(blocks.clone()).send()
        })
        .await
        .map(drop)
}

async fn write_encryption(
    clients: &Clients,
    name: &str,
    algorithm: &str,
) -> Result<(), CloudError> {
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::from(algorithm))
        .build()
        .map_err(incomplete)?;
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
    let configuration =
        ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(incomplete)?;
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketEncryption"), || {
            let request = clients.s3.put_bucket_encryption().bucket(name);
            request.server_side_encryption_configuration(configuration.clone()).send()
        })
        .await
        .map(drop)
}

async fn write_versioning(clients: &Clients, name: &str, on: bool) -> Result<(), CloudError> {
    let status =
        if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    let configuration = VersioningConfiguration::builder().status(status).build();
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketVersioning"), || {
            let request = clients.s3.put_bucket_versioning().bucket(name);
            request.versioning_configuration(configuration.clone()).send()
        })
        .await
        .map(drop)
}

async fn write_policy(clients: &Clients, name: &str, policy: &Value) -> Result<(), CloudError> {
    if policy.is_null() {
        let call = Call::repeatable("s3", "DeleteBucketPolicy");
        let send = || clients.s3.delete_bucket_policy().bucket(name).send();
        return clients.calls.send(call, send).await.map(drop);
    }
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketPolicy"), || {
            clients.s3.put_bucket_policy().bucket(name).policy(policy.to_string()).send()
        })
        .await
        .map(drop)
}

/// The rules are written whole: what is no longer current goes after some days,
/// and so does what was never finished.
async fn write_lifecycle(clients: &Clients, name: &str, days: i32) -> Result<(), CloudError> {
    let abort =
        AbortIncompleteMultipartUpload::builder().days_after_initiation(UNFINISHED_DAYS).build();
    let expiration =
        (days > 0).then(|| NoncurrentVersionExpiration::builder().noncurrent_days(days).build());
    let rule = LifecycleRule::builder()
        .id("lyceum")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .set_noncurrent_version_expiration(expiration)
        .abort_incomplete_multipart_upload(abort)
        .build()
        .map_err(incomplete)?;
    let rules =
        BucketLifecycleConfiguration::builder().rules(rule).build().map_err(incomplete)?;
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketLifecycleConfiguration"), || {
            let request = clients.s3.put_bucket_lifecycle_configuration().bucket(name);
            request.lifecycle_configuration(rules.clone()).send()
        })
        .await
        .map(drop)
}

/// Removes every version of every object, as many as one pass may.
async fn empty(clients: &Clients, name: &str) -> Result<(), CloudError> {
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
                clients.s3.delete_objects().bucket(name).delete(delete.clone()).send()
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
async fn some_versions(
    clients: &Clients,
    name: &str,
) -> Result<Vec<ObjectIdentifier>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "ListObjectVersions"), || {
            clients.s3.list_object_versions().bucket(name).send()
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
