//! The clients of AWS: what they send, what they make of the answers.

use std::time::{Duration, Instant};

use lyceum_agent::aws::s3::Fetched;
use lyceum_core::node::host::{Cause, Confidential};

use crate::cloud::{BUCKET, Cloud, SECRET, TOKEN};

const LIMIT: usize = 1000;

#[test]
fn an_object_that_is_known_is_not_fetched_again() {
    let cloud = Cloud::start();
    cloud.put("clusters/a/x.json", b"one");
    cloud.state().objects.get_mut("clusters/a/x.json").unwrap().metadata =
        [("lyceum-sequence".into(), "7".into())].into();
    let aws = cloud.aws();
    let get = |etag: Option<&str>| {
        cloud.runtime.block_on(aws.get(BUCKET, "clusters/a/x.json", etag, LIMIT)).unwrap()
    };
    let Fetched::Object(object) = get(None) else { panic!("nothing was fetched") };
    assert_eq!(
        (object.body.as_slice(), object.metadata["lyceum-sequence"].as_str()),
        (&b"one"[..], "7")
    );
    assert_eq!(get(Some(&object.etag)), Fetched::Same);
    cloud.put("clusters/a/x.json", b"two");
    assert!(matches!(get(Some(&object.etag)), Fetched::Object(new) if new.body == b"two"));
    cloud.state().objects.clear();
    assert_eq!(get(Some(&object.etag)), Fetched::Absent);
}

#[test]
fn an_object_that_is_too_long_is_not_read() {
    let cloud = Cloud::start();
    cloud.put("x", &vec![b'x'; LIMIT + 1]);
    let got = cloud.runtime.block_on(cloud.aws().get(BUCKET, "x", None, LIMIT));
    assert_eq!(got.unwrap_err().cause, Cause::Invalid);
}

#[test]
fn a_list_has_all_its_pages() {
    let cloud = Cloud::start();
    cloud.state().page = 2;
    for name in ["a", "b", "c", "d", "e"] {
        cloud.put(&format!("clusters/a/nodes/{name}.json"), name.as_bytes());
    }
    cloud.put("clusters/b/nodes/other.json", b"x");
    let listed = cloud.runtime.block_on(cloud.aws().list(BUCKET, "clusters/a/nodes/")).unwrap();
    let keys: Vec<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["a", "b", "c", "d", "e"].map(|it| format!("clusters/a/nodes/{it}.json")));
    assert!(listed[0].etag.starts_with('"'), "{listed:?}");
    assert_eq!(cloud.count("GET /lyceum-artifacts/?"), 3);
}

#[test]
fn what_may_pass_is_tried_again_and_what_does_not_is_not() {
    let cloud = Cloud::start();
    cloud.put("x", b"one");
    let aws = cloud.aws();
    cloud.state().failing = 2;
    let got = cloud.runtime.block_on(aws.get(BUCKET, "x", None, LIMIT)).unwrap();
    assert!(matches!(got, Fetched::Object(_)));
    assert_eq!(cloud.count("GET"), 3);
    cloud.state().failing = 100;
    let error = cloud.runtime.block_on(aws.get(BUCKET, "x", None, LIMIT)).unwrap_err();
    assert_eq!(error.cause, Cause::Unreachable);
    assert_eq!(cloud.count("GET"), 6, "bounded");
}

#[test]
fn a_cloud_that_is_away_is_said_to_be_within_bounds() {
    let cloud = Cloud::start();
    let aws = cloud.aws();
    cloud.state().away = true;
    let began = Instant::now();
    let error = cloud.runtime.block_on(aws.get(BUCKET, "x", None, LIMIT)).unwrap_err();
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn credentials_are_renewed_before_they_expire_and_when_they_have() {
    let cloud = Cloud::start();
    cloud.put("x", b"one");
    let aws = cloud.aws();
    let get = || cloud.runtime.block_on(aws.get(BUCKET, "x", None, LIMIT));
    get().unwrap();
    get().unwrap();
    assert_eq!(cloud.state().keys, 1, "good ones are kept");
    cloud.state().expired.insert("AKIA1".into());
    get().unwrap();
    assert_eq!(cloud.state().keys, 2);
    cloud.state().expired.extend((2..100).map(|number| format!("AKIA{number}")));
    assert_eq!(get().unwrap_err().cause, Cause::Refused, "once a call");
    let state = cloud.state();
    assert_eq!(state.keys, 3);
    drop(state);

    let cloud = Cloud::start();
    cloud.put("x", b"one");
    cloud.state().lifetime = 200;
    let aws = cloud.aws();
    for _ in 0..2 {
        cloud.runtime.block_on(aws.get(BUCKET, "x", None, LIMIT)).unwrap();
    }
    assert_eq!(cloud.state().keys, 2, "what is about to expire is renewed");
}

#[test]
fn parameters_are_read_and_written_encrypted() {
    let cloud = Cloud::start();
    let aws = cloud.aws();
    let name = "/lyceum/a/swarm-join-token";
    let read = |name: &str| cloud.runtime.block_on(aws.parameter(name)).unwrap();
    assert_eq!(read(name), None);
    let value = Confidential::new("SWMTKN-1");
    cloud.runtime.block_on(aws.put_parameter(name, &value)).unwrap();
    assert_eq!(read(name), Some(value));
    let bodies = cloud.state().bodies.clone();
    assert!(bodies[0].contains("\"WithDecryption\":true"), "{bodies:?}");
    assert!(bodies[1].contains("SecureString") && bodies[1].contains("\"Overwrite\":true"));
}

#[test]
fn sessions_are_published_under_the_name_the_policy_tracks() {
    let cloud = Cloud::start();
    cloud.runtime.block_on(cloud.aws().put_sessions(("lyceum", "geo-101"), 3)).unwrap();
    let body = cloud.state().bodies.pop().unwrap();
    for part in [
        "Namespace=Lyceum%2Flyceum%2Fgeo-101&",
        "MetricName=SessionsPerNode",
        "Dimensions.member.1.Name=Cluster",
        "Dimensions.member.1.Value=geo-101",
        "MetricData.member.1.Value=3",
    ] {
        assert!(body.contains(part), "{part} is not in {body}");
    }
}

#[test]
fn a_registry_gives_its_login() {
    let cloud = Cloud::start();
    let password = cloud.runtime.block_on(cloud.aws().registry_password("eu-west-1")).unwrap();
    assert_eq!(password.reveal(), "pass:word");
}

#[test]
fn no_secret_is_in_an_error() {
    let cloud = Cloud::start();
    let aws = cloud.aws();
    cloud.state().expired.extend((1..100).map(|number| format!("AKIA{number}")));
    let secret = Confidential::new("join-token-secret");
    let errors = [
        cloud.runtime.block_on(aws.get(BUCKET, "x", None, LIMIT)).unwrap_err(),
        cloud.runtime.block_on(aws.put_parameter("/lyceum/a/t", &secret)).unwrap_err(),
    ];
    for error in errors {
        let text = format!("{error} {error:?}");
        for secret in [SECRET, TOKEN, "AKIA", secret.reveal()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
