//! What serves all clusters of a region: the bucket, its objects, the queue and
//! the rules.

use std::collections::BTreeMap;

use lyceum_core::cloud::Class;
use lyceum_core::kind::{Body, Bucket, EventRule, Queue, StoredObject};
use lyceum_core::site::{digest, etag_of};
use serde_json::{Value, json};

use super::backdrop::{Backdrop, CLUSTER, REGION, look};

/// Actions know no case. In capitals the emulator does not take them for those
/// of a request: it denies what a statement with a condition names, whatever
/// the condition.
fn tls_only(bucket: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": ["S3:*"],
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}]})
}

pub(super) fn bucket(there: &Backdrop) -> Bucket {
    let name = there.site().bucket(REGION);
    Bucket {
        versioning: true,
        encryption: "AES256".into(),
        public_access_blocked: true,
        policy: tls_only(&name),
        noncurrent_days: 30,
        markers_expire: true,
        name,
    }
}

#[tokio::test]
async fn a_bucket_lives() {
    let there = Backdrop::new().await;
    let first = bucket(&there);
    let turns = [
        Bucket { versioning: false, ..first.clone() },
        Bucket { encryption: "aws:kms".into(), ..first.clone() },
        Bucket { public_access_blocked: false, ..first.clone() },
        Bucket { policy: Value::Null, ..first.clone() },
        Bucket { noncurrent_days: 7, ..first.clone() },
        Bucket { noncurrent_days: 0, ..first.clone() },
        Bucket { markers_expire: false, ..first.clone() },
    ];
    there.life(&there.of_region("artifacts", first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn making_a_bucket_again_finds_it() {
    let there = Backdrop::new().await;
    let wanted = there.of_region("artifacts", bucket(&there));
    let first = there.appear(&wanted).await;
    assert_eq!(there.create(&wanted).await, first);
    there.holds(&wanted).await;
}

#[tokio::test]
async fn an_agent_is_put_once_and_goes_with_its_versions() {
    let folder = std::env::temp_dir().join(format!("lyceum-agent-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (content, file) = ("an agent", folder.join("agent"));
    std::fs::write(&file, content).unwrap();
    let hash = digest(content);
    let there = Backdrop::with(BTreeMap::from([(hash.clone(), file)])).await;
    there.create(&there.of_region("artifacts", bucket(&there))).await;

    let object = |hash: &str, size| StoredObject {
        bucket: there.site().bucket(REGION),
        key: format!("clusters/{CLUSTER}/agents/{hash}"),
        size,
        etag: etag_of(content.as_bytes()),
    };
    let agent = |hash: &str, size| {
        there.of_cluster(REGION, &format!("agent-{}", &hash[..12]), object(hash, size))
    };
    let wanted = agent(&hash, content.len() as u64);
    there.appear(&wanted).await;
    there.create(&wanted).await;
    there.holds(&wanted).await;

    let unknown = agent(&digest("another"), 7);
    assert_eq!(there.try_create(&unknown).await.unwrap_err().class, Class::Invalid);
    let changed = agent(&hash, 7);
    assert_eq!(there.try_create(&changed).await.unwrap_err().class, Class::Invalid);

    there.remove(&wanted).await;
    // The bucket still holds the version and its delete marker.
    there.remove(&there.of_region("artifacts", bucket(&there))).await;
    std::fs::remove_dir_all(folder).unwrap();
}

fn queue(there: &Backdrop) -> Queue {
    let name = format!("lyceum-{}-events", there.site().short());
    let arn = there.site().arn("sqs", REGION, &name);
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com"]},
        "Action": ["sqs:SendMessage"], "Resource": [arn]}]});
    Queue { name, policy, retention_seconds: 600, encrypted: true }
}

#[tokio::test]
async fn a_queue_lives() {
    let there = Backdrop::new().await;
    let first = queue(&there);
    let turns = [
        Queue { policy: Value::Null, ..first.clone() },
        Queue { retention_seconds: 3600, ..first.clone() },
        Queue { encrypted: false, ..first.clone() },
    ];
    there.life(&there.of_region("events", first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn a_queue_with_other_attributes_is_taken_and_mended() {
    let there = Backdrop::new().await;
    let old = Queue { retention_seconds: 60, ..queue(&there) };
    let first = there.create(&there.of_region("events", old)).await;
    let wanted = there.of_region("events", queue(&there));
    assert_eq!(there.create(&wanted).await, first);
    there.holds(&wanted).await;
}

#[tokio::test]
async fn a_rule_lives() {
    let there = Backdrop::new().await;
    let target = |name: &str| there.site().arn("sqs", REGION, name);
    let first = EventRule {
        name: format!("lyceum-{}-terminations", there.site().short()),
        pattern: json!({"source": ["aws.ec2"], "detail": {"state": ["terminated"]}}),
        enabled: true,
        targets: BTreeMap::from([("queue".into(), target("events"))]),
    };
    let turns = [
        EventRule { pattern: json!({"source": ["aws.autoscaling"]}), ..first.clone() },
        EventRule { enabled: false, ..first.clone() },
        EventRule {
            targets: BTreeMap::from([("other".into(), target("events"))]),
            ..first.clone()
        },
        EventRule { targets: BTreeMap::from([("queue".into(), target("other"))]), ..first.clone() },
        EventRule { targets: BTreeMap::new(), ..first.clone() },
    ];
    there.life(&there.of_region("terminations", first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn an_empty_account_has_nothing_and_no_gaps() {
    let there = Backdrop::new().await;
    let state = look(&there.aws).await;
    assert_eq!((state.objects, state.gaps), (vec![], vec![]));
    let mut calls = there.aws.stats().by_operation;
    assert_eq!(calls.remove("ssm:GetParametersByPath"), Some(2), "encrypted and not: {calls:?}");
    assert!(calls.values().all(|times| *times == 1), "one call a kind: {calls:?}");
}
