//! Roles and instance profiles.

use std::collections::{BTreeMap, BTreeSet};

use lyceum_core::cloud::Class;
use lyceum_core::desired::Resource;
use lyceum_core::kind::{Body, InstanceProfile, Role};
use serde_json::{Value, json};

use super::backdrop::{Backdrop, CLUSTER, GLOBAL};

const NAME: &str = "lyceum-geo-101-hub";

fn trust(service: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": [service]}}]})
}

fn policy(actions: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": actions, "Resource": ["arn:aws:s3:::b/a%2Fb+c"],
        "Condition": {"StringLike": {"s3:prefix": ["clusters/geo-101/*"]}}}]})
}

/// A managed policy: the emulator has none of AWS's own.
async fn managed(there: &Backdrop, name: &str) -> String {
    let iam = aws_sdk_iam::Client::new(&there.config);
    let document = policy(&["s3:GetObject"]).to_string();
    let made = iam.create_policy().policy_name(name).policy_document(document).send().await;
    made.unwrap().policy.unwrap().arn.unwrap()
}

fn role(there: &Backdrop) -> Role {
    Role {
        name: NAME.into(),
        path: there.site().iam_path(CLUSTER),
        trust: trust("ec2.amazonaws.com"),
        policies: BTreeMap::from([("bucket".into(), policy(&["s3:GetObject", "s3:PutObject"]))]),
        attached: BTreeSet::new(),
    }
}

fn hub(there: &Backdrop, role: Role) -> Resource {
    there.of_cluster(GLOBAL, "hub", role)
}

#[tokio::test]
async fn a_role_lives() {
    let there = Backdrop::new().await;
    let attached = BTreeSet::from([managed(&there, "one").await]);
    let first = Role { attached, ..role(&there) };
    let more = [("bucket", policy(&["s3:GetObject"])), ("queue", policy(&["sqs:SendMessage"]))];
    let turns = [
        Role { trust: trust("ssm.amazonaws.com"), ..first.clone() },
        Role { policies: more.map(|(name, it)| (name.into(), it)).into(), ..first.clone() },
        Role { policies: BTreeMap::new(), ..first.clone() },
        Role { attached: BTreeSet::new(), ..first.clone() },
        Role { attached: BTreeSet::from([managed(&there, "other").await]), ..first.clone() },
    ];
    there.life(&hub(&there, first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn a_role_of_ours_is_taken_and_a_foreign_one_is_not() {
    let there = Backdrop::new().await;
    let old = Role { trust: trust("ssm.amazonaws.com"), ..role(&there) };
    let made = there.create(&hub(&there, old)).await;
    let wanted = hub(&there, role(&there));
    assert_eq!(there.create(&wanted).await, made);
    there.holds(&wanted).await;
    there.is_a_gap_to_others(CLUSTER).await;

    let foreign = aws_sdk_iam::Client::new(&there.config);
    let document = trust("ec2.amazonaws.com").to_string();
    let request = foreign.create_role().role_name("lyceum-geo-101-workers");
    request.assume_role_policy_document(document).send().await.unwrap();
    let body = Role { name: "lyceum-geo-101-workers".into(), ..role(&there) };
    let refused = there.try_create(&there.of_cluster(GLOBAL, "workers", body)).await;
    assert_eq!(refused.unwrap_err().class, Class::Exists);
}

#[tokio::test]
async fn a_profile_lives_and_holds_one_role() {
    let there = Backdrop::new().await;
    let other = Role { name: "lyceum-geo-101-workers".into(), ..role(&there) };
    there.create(&hub(&there, role(&there))).await;
    there.create(&there.of_cluster(GLOBAL, "workers", other.clone())).await;
    let path = there.site().iam_path(CLUSTER);
    let first = InstanceProfile { name: NAME.into(), path, role: NAME.into() };
    let turns = [
        InstanceProfile { role: other.name.clone(), ..first.clone() },
        InstanceProfile { role: String::new(), ..first.clone() },
    ];
    let wanted = there.of_cluster(GLOBAL, "hub", first);
    there.life(&wanted, &turns.map(Body::from)).await;

    // Made twice is made once.
    let made = there.create(&wanted).await;
    assert_eq!(there.create(&wanted).await, made);
    there.holds(&wanted).await;
}
