//! What tells the nodes what to be: bundles, the key, pointers.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_ssm::types::ParameterType;
use lyceum_core::cloud::{Class, Cloud, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::{Body, Pointer, SigningKey, StoredObject};
use lyceum_core::node::pointer::{self, Target, Trust};
use lyceum_core::observed::Object;
use lyceum_core::site::{digest_of, etag_of};

use super::backdrop::{Backdrop, CLUSTER, REGION};
use super::regional::bucket;

const KEY: &str = "clusters/geo-101/pointers/hub.json";

fn signing_key() -> SigningKey {
    SigningKey {
        name: "/lyceum/geo-101/node-key".into(),
        private_name: "/lyceum/geo-101/node-key-private".into(),
        private_half: true,
        public_half: true,
    }
}

async fn with_bucket() -> Backdrop {
    let there = Backdrop::new().await;
    there.create(&there.of_region("artifacts", bucket(&there))).await;
    there
}

async fn with_key(there: &Backdrop) -> String {
    there.create(&there.of_cluster(REGION, "node", signing_key())).await["public_key"].clone()
}

fn wished(there: &Backdrop, public_key: &str, bundle: &str) -> Resource {
    let body = pointer::Body {
        cluster: CLUSTER.into(),
        group: "hub".into(),
        public_key: public_key.into(),
        target: Target { bundle: bundle.into(), ..Target::default() },
        ..pointer::Body::default()
    };
    let pointer = Pointer::new(there.site().bucket(REGION), KEY.into(), &body);
    let mut wished = there.of_cluster(REGION, "hub", pointer);
    wished.along.revision = "abc".into();
    wished
}

/// The pointer as it stands there, whole.
async fn read(there: &Backdrop) -> Object {
    let address = "geo-101/pointer/hub".parse().unwrap();
    let seen = there.seen(&address).await.unwrap();
    assert_eq!(
        seen.outputs.keys().collect::<Vec<_>>(),
        ["etag", "modified"],
        "a list tells no more"
    );
    there.aws.read(&seen).await.unwrap().unwrap()
}

/// The pointer as a node gets it.
async fn fetched(there: &Backdrop) -> pointer::Pointer {
    let s3 = s3(there);
    let answer = s3.get_object().bucket(there.site().bucket(REGION)).key(KEY).send().await.unwrap();
    let mut metadata = answer.metadata.unwrap();
    let body = answer.body.collect().await.unwrap().into_bytes();
    pointer::Pointer {
        body: String::from_utf8(body.to_vec()).unwrap(),
        sequence: metadata["lyceum-sequence"].parse().unwrap(),
        revision: metadata.remove("lyceum-revision").unwrap(),
        signature: metadata.remove("lyceum-signature").unwrap(),
    }
}

fn s3(there: &Backdrop) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&there.config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// What lies under a key.
async fn stored(there: &Backdrop, key: &str) -> Vec<u8> {
    let answer = s3(there).get_object().bucket(there.site().bucket(REGION)).key(key);
    answer.send().await.unwrap().body.collect().await.unwrap().to_vec()
}

/// Puts something else there, with this metadata.
async fn overwritten(there: &Backdrop, body: &str, metadata: &[(&str, String)]) {
    let metadata = metadata.iter().map(|(name, value)| (name.to_string(), value.clone()));
    let request = s3(there).put_object().bucket(there.site().bucket(REGION)).key(KEY);
    let request = request.set_metadata(Some(metadata.collect()));
    request.body(ByteStream::from(body.as_bytes().to_vec())).send().await.unwrap();
}

#[tokio::test]
async fn a_bundle_is_put_once_from_memory() {
    let there = with_bucket().await;
    let content: Arc<[u8]> = b"a bundle".to_vec().into();
    let digest = digest_of(&content);
    let object = StoredObject {
        bucket: there.site().bucket(REGION),
        key: format!("clusters/{CLUSTER}/bundles/{digest}"),
        size: content.len() as u64,
        etag: etag_of(&content),
    };
    let name = format!("bundle-{}", &digest[..12]);
    let mut wanted = there.of_cluster(REGION, &name, object);
    wanted.along.content = Some(content.clone());
    let made = there.appear(&wanted).await;
    assert_eq!(made["digest"], digest);
    assert_eq!(there.create(&wanted).await, made, "what is there already has this content");
    assert_eq!(stored(&there, &made["id"]).await, &content[..]);

    // Altered where it lies, and as long as before.
    let put = s3(&there).put_object().bucket(there.site().bucket(REGION)).key(&made["id"]);
    put.body(ByteStream::from_static(b"a bumble")).send().await.unwrap();
    assert_ne!(there.seen(&wanted.address).await.unwrap().body, wanted.body);
    there.turn(&wanted).await;
    assert_eq!(stored(&there, &made["id"]).await, &content[..]);

    // What somebody else has put there is as long and not the same: it is put
    // right.
    there.holds(&wanted).await;
    let altered = s3(&there).put_object().bucket(there.site().bucket(REGION)).key(&made["id"]);
    altered.body(ByteStream::from_static(b"a bundlf")).send().await.unwrap();
    let seen = there.seen(&wanted.address).await.unwrap();
    let Body::StoredObject(found) = &seen.body else { panic!("an object") };
    assert_eq!((found.size, found.etag.as_str()), (8, etag_of(b"a bundlf").as_str()));
    there.turn(&wanted).await;

    // Nothing is put under a digest that is not its own.
    wanted.along.content = Some(b"another".to_vec().into());
    there.remove(&wanted).await;
    assert!(there.try_create(&wanted).await.is_err());
}

#[tokio::test]
async fn a_signing_key_lives_and_its_private_half_is_in_no_answer() {
    let there = Backdrop::new().await;
    let wanted = there.of_cluster(REGION, "node", signing_key());
    let made = there.appear(&wanted).await;
    assert_eq!(made.keys().collect::<Vec<_>>(), ["id", "public_key"]);
    assert_eq!(there.create(&wanted).await, made, "a second making takes the first");
    let ssm = aws_sdk_ssm::Client::new(&there.config);
    let private = ssm.get_parameter().name("/lyceum/geo-101/node-key-private");
    let private = private.with_decryption(true).send().await.unwrap().parameter.unwrap();
    assert_eq!(private.r#type, Some(ParameterType::SecureString));
    let state = super::backdrop::look(&there.aws).await;
    assert!(!format!("{state:?}").contains(&private.value.unwrap()));
    let kinds: Vec<&str> = state.objects.iter().map(|object| object.address.kind()).collect();
    assert_eq!(kinds, ["signing-key"], "its halves are no parameters of their own");
    there.remove(&wanted).await;
}

#[tokio::test]
async fn a_half_that_is_missing_is_seen_and_the_public_one_made_again() {
    let there = Backdrop::new().await;
    let wanted = there.of_cluster(REGION, "node", signing_key());
    let public = there.create(&wanted).await["public_key"].clone();
    let ssm = aws_sdk_ssm::Client::new(&there.config);
    ssm.delete_parameter().name("/lyceum/geo-101/node-key").send().await.unwrap();
    let seen = there.seen(&wanted.address).await.unwrap();
    assert_eq!(seen.body, SigningKey { public_half: false, ..signing_key() }.into());
    assert_eq!(seen.output("public_key"), None);
    let outputs = there.aws.update(&seen, &wanted).await.unwrap();
    assert_eq!(outputs["public_key"], public);
    there.holds(&wanted).await;

    ssm.delete_parameter().name("/lyceum/geo-101/node-key-private").send().await.unwrap();
    let seen = there.seen(&wanted.address).await.unwrap();
    assert_eq!(seen.body, SigningKey { private_half: false, ..signing_key() }.into());
    assert_eq!(seen.output("public_key"), Some(public));
}

#[tokio::test]
async fn a_pointer_lives_signed_and_its_sequence_goes_up() {
    let there = with_bucket().await;
    let public_key = with_key(&there).await;
    let first = wished(&there, &public_key, "one");
    let made = there.create(&first).await;
    assert_eq!(there.create(&first).await, made, "what is there already says so");
    let trust = Trust { public_key: &public_key, cluster: CLUSTER, group: "hub", taken: 0 };
    let one = fetched(&there).await;
    assert_eq!(
        (one.accept(&trust).unwrap().target.bundle.as_str(), one.revision.as_str()),
        ("one", "abc")
    );
    assert_eq!(read(&there).await.body, first.body);

    let before = read(&there).await;
    let after = wished(&there, &public_key, "two");
    let done: Outputs = there.aws.update(&before, &after).await.unwrap();
    assert_eq!(there.aws.update(&before, &after).await.unwrap(), done, "once more is no more");
    let two = fetched(&there).await;
    assert_eq!(two.accept(&trust).unwrap().target.bundle, "two");
    assert!(two.sequence > one.sequence, "{} {}", two.sequence, one.sequence);
    assert_eq!(read(&there).await.body, after.body);

    // Who looked before somebody else wrote has to look again.
    let third = wished(&there, &public_key, "three");
    let error = there.aws.update(&before, &third).await.unwrap_err();
    assert_eq!(error.class, Class::NotYet, "{error}");
    assert_eq!(there.try_create(&third).await.unwrap_err().class, Class::NotYet);
    there.remove(&after).await;
    there.create(&after).await;
    let three = fetched(&there).await;
    assert!(three.sequence >= two.sequence, "removed, it goes on where it was");
}

#[tokio::test]
async fn what_was_altered_is_seen_and_followed_by_a_higher_sequence() {
    let there = with_bucket().await;
    let public_key = with_key(&there).await;
    let wanted = wished(&there, &public_key, "one");
    there.create(&wanted).await;
    let genuine = fetched(&there).await;
    let metadata = |sequence: u64, signature: &str| {
        [
            ("lyceum-sequence", sequence.to_string()),
            ("lyceum-revision", "abc".to_string()),
            ("lyceum-signature", signature.to_string()),
        ]
    };
    let altered = [
        (genuine.body.replace("one", "evil"), metadata(genuine.sequence, &genuine.signature)),
        (genuine.body.clone(), metadata(u64::MAX, &genuine.signature)),
        (genuine.body.clone(), metadata(genuine.sequence, "")),
        ("no pointer".into(), metadata(1, "")),
    ];
    for (body, metadata) in altered {
        overwritten(&there, &body, &metadata).await;
        let seen = read(&there).await;
        assert_ne!(seen.body, wanted.body, "{body}");
        there.aws.update(&seen, &wanted).await.unwrap();
        let now = fetched(&there).await;
        let taken = genuine.sequence;
        let trust = Trust { public_key: &public_key, cluster: CLUSTER, group: "hub", taken };
        assert!(now.accept(&trust).is_ok(), "{body}");
        assert!(now.sequence < u64::MAX);
        assert_eq!(read(&there).await.body, wanted.body);
    }
}

#[tokio::test]
async fn nothing_is_signed_with_halves_that_do_not_belong_together() {
    let there = with_bucket().await;
    let public_key = with_key(&there).await;
    let other = pointer::public_key(&[9; 32]);
    let ssm = aws_sdk_ssm::Client::new(&there.config);
    let put = ssm.put_parameter().name("/lyceum/geo-101/node-key").value(&other);
    put.r#type(ParameterType::String).overwrite(true).send().await.unwrap();
    let error = there.try_create(&wished(&there, &other, "one")).await.unwrap_err();
    assert_eq!(error.class, Class::NotYet, "{error}");
    let key = there.seen(&"geo-101/signing-key/node".parse().unwrap()).await.unwrap();
    assert_eq!(key.output("public_key"), Some(public_key.clone()), "the right one is back");
    there.create(&wished(&there, &public_key, "one")).await;

    ssm.delete_parameter().name("/lyceum/geo-101/node-key-private").send().await.unwrap();
    let seen = read(&there).await;
    let error = there.aws.update(&seen, &wished(&there, &public_key, "two")).await.unwrap_err();
    assert_eq!(error.class, Class::Invalid, "{error}");
    let told: BTreeMap<&str, Body> = BTreeMap::from([("hub", seen.body)]);
    assert_eq!(told["hub"], wished(&there, &public_key, "one").body);
}
