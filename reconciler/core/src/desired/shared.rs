//! What all clusters of a region share: the artifact bucket, the queue that
//! tells of instances about to go, and the rules that feed it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::address::{Address, output_of};
use crate::kind::{Body, Bucket, EventRule, Kind, Queue};
use crate::site::{Site, TAG_PROTECT};

use super::{Along, Resource, policy, tags};

/// The shared resources of a region.
pub(crate) fn resources(site: &Site, region: &str) -> BTreeMap<Address, Resource> {
    let scope = Site::region_scope(region);
    let make = |kind: &str, name: &str, body: Body| {
        let address = Address::new(&scope, kind, name);
        let tags = tags(site, &address);
        Resource { address, region: region.into(), tags, body, along: Along::default() }
    };
    let mut bucket = make(Bucket::NAME, "artifacts", bucket(site, region).into());
    bucket.tags.insert(TAG_PROTECT.into(), "true".into());
    let mut all = vec![bucket, make(Queue::NAME, "events", queue(site, region).into())];
    let queue_arn = output_of(&Address::new(&scope, Queue::NAME, "events"), "arn");
    for (name, pattern) in patterns() {
        let rule = EventRule {
            name: site.rule(name),
            pattern,
            enabled: true,
            targets: BTreeMap::from([("events".into(), queue_arn.clone())]),
        };
        all.push(make(EventRule::NAME, name, rule.into()));
    }
    all.into_iter().map(|resource| (resource.address.clone(), resource)).collect()
}

fn bucket(site: &Site, region: &str) -> Bucket {
    let name = site.bucket(region);
    let arn = format!("arn:{}:s3:::{name}", site.partition);
    // IAM takes action names in any case; written so, a reader that knows no
    // conditions does not take the statement for a refusal of everything.
    let only_tls = json!({
        "Sid": "OnlyTls", "Effect": "Deny", "Principal": "*", "Action": ["S3:*"],
        "Resource": [arn.clone(), format!("{arn}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": ["false"]}},
    });
    Bucket {
        name,
        versioning: true,
        encryption: "AES256".into(),
        public_access_blocked: true,
        policy: policy::document(vec![only_tls]),
        noncurrent_days: 30,
        markers_expire: true,
    }
}

fn queue(site: &Site, region: &str) -> Queue {
    let name = site.queue();
    let rules: Vec<String> = patterns()
        .iter()
        .map(|(rule, _)| site.arn("events", region, &format!("rule/{}", site.rule(rule))))
        .collect();
    let from_rules = json!({
        "Sid": "FromOurRules", "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com"]},
        "Action": ["sqs:SendMessage"],
        "Resource": [site.arn("sqs", region, &name)],
        "Condition": {"ArnEquals": {"aws:SourceArn": sorted(rules)}},
    });
    Queue {
        name,
        policy: policy::document(vec![from_rules]),
        // What nobody took within the hour is of no use any more.
        retention_seconds: 3600,
        encrypted: true,
    }
}

fn patterns() -> [(&'static str, Value); 2] {
    [
        (
            "spot",
            json!({
                "source": ["aws.ec2"],
                "detail-type": [
                    "EC2 Instance Rebalance Recommendation",
                    "EC2 Spot Instance Interruption Warning",
                ],
            }),
        ),
        (
            "terminations",
            json!({
                "source": ["aws.autoscaling", "aws.ec2"],
                "detail-type": [
                    "EC2 Instance State-change Notification",
                    "EC2 Instance-terminate Lifecycle Action",
                ],
            }),
        ),
    ]
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}
