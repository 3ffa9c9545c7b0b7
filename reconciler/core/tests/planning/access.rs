//! What a node must be allowed, whatever else is taken from it.

use std::collections::{BTreeMap, BTreeSet};

use lyceum_core::desired::{Inputs, desired};
use lyceum_core::kind::Body;
use lyceum_testkit::{manifests, site};
use serde_json::Value;

use super::{GEO, address};

/// What Session Manager's agent calls, as AWS documents it for a policy of
/// one's own.
const SESSION_MANAGER: &[&str] = &[
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];
/// Files, report, log, metric, shared storage.
const EVERY_NODE: &[&str] = &[
    "cloudwatch:PutMetricData",
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientRootAccess",
    "elasticfilesystem:ClientWrite",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:PutRetentionPolicy",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "ssm:GetParameter",
];
const HUB: &[&str] = &["ssm:PutParameter"];

/// What a group's role allows: actions with the resources of each.
fn allowed(group: &str) -> BTreeMap<String, BTreeSet<String>> {
    let state = desired(&manifests(&[("geo", GEO)]), &site(), &Inputs::default());
    let resource = &state.resources[&address(&format!("geo/role/{group}"))];
    let Body::Role(role) = &resource.body else { panic!("a role") };
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let statements = role.policies.values().flat_map(|it| it["Statement"].as_array().unwrap());
    for statement in statements.filter(|it| it["Effect"] == "Allow") {
        for action in texts(&statement["Action"]) {
            allowed.entry(action).or_default().extend(texts(&statement["Resource"]));
        }
    }
    allowed
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_string()).collect()
}

#[test]
fn each_group_may_do_what_its_nodes_need() {
    for (group, own) in [("hub", HUB), ("workers", &[][..])] {
        let allowed = allowed(group);
        let needed = [SESSION_MANAGER, EVERY_NODE, own].concat();
        let missing: Vec<_> = needed.iter().filter(|it| !allowed.contains_key(**it)).collect();
        assert!(missing.is_empty(), "{group}: {missing:?}");
        let system = "@{geo/file-system/main:arn}".to_string();
        let mount = &allowed["elasticfilesystem:ClientMount"];
        assert_eq!(*mount, BTreeSet::from([system]), "{group}");
    }
}
