//! The aspects of a bucket: each is read and written by a call of its own.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use lyceum_core::cloud::CloudError;
use lyceum_core::kind::Bucket;
use serde_json::Value;

use crate::calls::Call;
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::policy;

/// Days an upload that was never finished is kept.
const UNFINISHED_DAYS: i32 = 7;

/// What a bucket that exists is: five calls.
pub(super) async fn read(clients: &Clients, name: &str) -> Result<Bucket, CloudError> {
    let (versioning, encryption, public_access_blocked, policy, lifecycle) = tokio::try_join!(
        read_versioning(clients, name),
        read_encryption(clients, name),
        read_public_access(clients, name),
        read_policy(clients, name),
        read_lifecycle(clients, name),
    )?;
    Ok(Bucket {
        name: name.into(),
        versioning,
        encryption,
        public_access_blocked,
        policy,
        noncurrent_days: lifecycle.days,
        markers_expire: lifecycle.markers,
    })
}

/// Writes what differs. Public access is blocked before anything else is set.
pub(super) async fn write(
    clients: &Clients,
    seen: &Bucket,
    want: &Bucket,
) -> Result<(), CloudError> {
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
    let lifecycle = |bucket: &Bucket| Lifecycle {
        days: bucket.noncurrent_days,
        markers: bucket.markers_expire,
    };
    if lifecycle(seen) != lifecycle(want) {
        write_lifecycle(clients, name, lifecycle(want)).await?;
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
            let request = clients
                .s3
                .put_public_access_block()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account);
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
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        .build();
    let configuration =
        ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(incomplete)?;
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketEncryption"), || {
            let request = clients
                .s3
                .put_bucket_encryption()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account);
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
            let request = clients
                .s3
                .put_bucket_versioning()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account);
            request.versioning_configuration(configuration.clone()).send()
        })
        .await
        .map(drop)
}

async fn write_policy(clients: &Clients, name: &str, policy: &Value) -> Result<(), CloudError> {
    if policy.is_null() {
        let call = Call::repeatable("s3", "DeleteBucketPolicy");
        let send = || {
            clients
                .s3
                .delete_bucket_policy()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
        };
        return clients.calls.send(call, send).await.map(drop);
    }
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketPolicy"), || {
            clients
                .s3
                .put_bucket_policy()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .policy(policy.to_string())
                .send()
        })
        .await
        .map(drop)
}

/// What becomes of old versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lifecycle {
    days: i32,
    markers: bool,
}

/// The rules are written whole: what is no longer current goes after some days,
/// the marker of its deletion with the last of it, and so does what was never
/// finished.
async fn write_lifecycle(
    clients: &Clients,
    name: &str,
    Lifecycle { days, markers }: Lifecycle,
) -> Result<(), CloudError> {
    let markers =
        markers.then(|| LifecycleExpiration::builder().expired_object_delete_marker(true).build());
    let abort =
        AbortIncompleteMultipartUpload::builder().days_after_initiation(UNFINISHED_DAYS).build();
    let expiration =
        (days > 0).then(|| NoncurrentVersionExpiration::builder().noncurrent_days(days).build());
    let rule = LifecycleRule::builder()
        .id("lyceum")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .set_noncurrent_version_expiration(expiration)
        .set_expiration(markers)
        .abort_incomplete_multipart_upload(abort)
        .build()
        .map_err(incomplete)?;
    let rules = BucketLifecycleConfiguration::builder().rules(rule).build().map_err(incomplete)?;
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketLifecycleConfiguration"), || {
            let request = clients
                .s3
                .put_bucket_lifecycle_configuration()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account);
            request.lifecycle_configuration(rules.clone()).send()
        })
        .await
        .map(drop)
}

async fn read_versioning(clients: &Clients, name: &str) -> Result<bool, CloudError> {
    clients
        .calls
        .send(Call::read("s3", "GetBucketVersioning"), || async {
            match clients
                .s3
                .get_bucket_versioning()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
                .await
            {
                Ok(answer) => Ok(answer.status() == Some(&BucketVersioningStatus::Enabled)),
                Err(error) => unnamed_versioning(&error).ok_or(error),
            }
        })
        .await
}

/// Some endpoints give this answer's root element another name, and the SDK
/// refuses an answer that is whole but for that.
fn unnamed_versioning<E>(error: &SdkError<E, HttpResponse>) -> Option<bool> {
    let answer = error.raw_response().filter(|answer| answer.status().is_success())?;
    let text = std::str::from_utf8(answer.body().bytes()?).ok()?;
    text.contains("VersioningResponse").then(|| text.contains("<Status>Enabled</Status>"))
}

async fn read_encryption(clients: &Clients, name: &str) -> Result<String, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketEncryption"), || {
            clients
                .s3
                .get_bucket_encryption()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
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
            clients
                .s3
                .get_public_access_block()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
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
            clients
                .s3
                .get_bucket_policy()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
        })
        .await;
    let text = found(answer)?.and_then(|answer| answer.policy).unwrap_or_default();
    Ok(policy::parse(&text))
}

/// What the rules say that cover the whole bucket.
async fn read_lifecycle(clients: &Clients, name: &str) -> Result<Lifecycle, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketLifecycleConfiguration"), || {
            clients
                .s3
                .get_bucket_lifecycle_configuration()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
        })
        .await;
    let rules = found(answer)?.and_then(|answer| answer.rules).unwrap_or_default();
    let enabled = |rule: &&LifecycleRule| rule.status() == &ExpirationStatus::Enabled;
    let whole = || rules.iter().filter(enabled).filter(|rule| covers_all(rule));
    let days = |rule: &LifecycleRule| rule.noncurrent_version_expiration()?.noncurrent_days();
    let markers = |rule: &LifecycleRule| rule.expiration()?.expired_object_delete_marker();
    Ok(Lifecycle {
        days: whole().find_map(days).unwrap_or(0),
        markers: whole().any(|rule| markers(rule) == Some(true)),
    })
}

fn covers_all(rule: &LifecycleRule) -> bool {
    rule.filter().is_none_or(|filter| {
        filter.prefix().is_none_or(str::is_empty)
            && filter.tag().is_none()
            && filter.and().is_none()
    })
}
