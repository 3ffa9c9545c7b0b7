//! What nodes report, as it lies in the bucket.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Cloud, Scope};
use lyceum_core::kind::{Body, NodeReport, Said};
use lyceum_core::observed::Object;

use super::backdrop::{Backdrop, CLUSTER, REGION, look};

/// What somebody with access to the bucket puts there.
async fn put(there: &Backdrop, key: &str, content: &[u8]) {
    let s3 = aws_sdk_s3::Client::new(&there.config);
    let bucket = there.site().bucket(REGION);
    s3.create_bucket().bucket(&bucket).send().await.ok();
    let body = ByteStream::from(content.to_vec());
    s3.put_object().bucket(&bucket).key(key).body(body).send().await.unwrap();
}

fn key(id: &str) -> String {
    format!("clusters/{CLUSTER}/nodes/{id}.json")
}

async fn seen(there: &Backdrop, id: &str) -> Option<Object> {
    there.seen(&Address::new(CLUSTER, "node-report", id)).await
}

async fn said(there: &Backdrop, id: &str) -> Arc<Said> {
    let object = seen(there, id).await.unwrap();
    match there.aws.read(&object).await.unwrap().unwrap().body {
        Body::NodeReport(NodeReport { said: Some(said), .. }) => said,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_report_is_listed_read_and_removed() {
    let there = Backdrop::new().await;
    put(&there, &key("i-1"), br#"{"ready": true, "sessions": 2}"#).await;
    put(&there, &key("hub"), b"no report").await;
    let object = seen(&there, "i-1").await.unwrap();
    assert!(object.outputs["modified"].parse::<i64>().unwrap() > 1_700_000_000);
    assert!(
        matches!(&*said(&there, "i-1").await, Said::Report(it) if it.ready && it.sessions == 2)
    );
    let etag = object.outputs["etag"].clone();
    put(&there, &key("i-1"), br#"{"ready": false}"#).await;
    assert_ne!(seen(&there, "i-1").await.unwrap().outputs["etag"], etag);
    for _ in 0..2 {
        there.aws.delete(&object).await.unwrap();
    }
    assert_eq!(seen(&there, "i-1").await, None);
    assert_eq!(there.aws.read(&object).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_no_report_or_too_long_says_so_and_fails_nothing() {
    let there = Backdrop::new().await;
    put(&there, &key("i-1"), b"<html>").await;
    put(&there, &key("i-2"), &vec![b' '; 300 * 1024]).await;
    let why = async |id: &str| match &*said(&there, id).await {
        Said::Unreadable(why) => why.clone(),
        Said::Report(_) => panic!("{id} was read"),
    };
    assert!(why("i-1").await.contains("it is no report"));
    assert!(why("i-2").await.contains("307200 bytes"));
}

#[tokio::test]
async fn a_look_at_the_bucket_alone_is_one_call_and_leaves_the_rest() {
    let there = Backdrop::new().await;
    put(&there, &key("i-1"), b"{}").await;
    let before = look(&there.aws).await;
    put(&there, &key("i-2"), b"{}").await;
    let sum = || there.aws.stats().by_operation.values().sum::<u64>();
    let calls = sum();
    let scope = Scope { regions: BTreeSet::from([REGION.into()]), ..Scope::default() };
    let after = there.aws.observe_stored(&scope, before.clone()).await;
    assert_eq!(sum() - calls, 1);
    let names = |state: &lyceum_core::observed::ObservedState| -> BTreeSet<String> {
        state.objects.iter().map(|object| object.address.to_string()).collect()
    };
    let new = format!("{CLUSTER}/node-report/i-2");
    assert!(!names(&before).contains(&new) && names(&after).contains(&new));
    assert_eq!((after.surroundings, after.gaps), (before.surroundings, before.gaps));
}
