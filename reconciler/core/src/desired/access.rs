//! What the nodes may do in AWS: a role each for hub and workers, with what that
//! group needs of this cluster and nothing of any other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::address::{id_of, output_of};
use crate::kind::{FileSystem, InstanceProfile, Role};
use crate::site::{SIGNING_KEY_PRIVATE, SWARM_TOKEN, Site, metrics_namespace};

use super::Draft;
use super::parameters::{self, Parameters};
use super::policy::{allow, allow_if, deny, document};

/// Adds roles and profiles.
pub(crate) fn add(draft: &mut Draft<'_>) {
    for (group, statements) in [("hub", hub(draft)), ("workers", workers_only(draft))] {
        let mut all = every_node(draft);
        all.extend(statements);
        let role = Role {
            name: draft.aws_name(group, 64),
            path: draft.site.iam_path(draft.name),
            trust: trust(draft.site),
            policies: BTreeMap::from([("node".into(), document(all))]),
            attached: BTreeSet::new(),
        };
        let profile = InstanceProfile {
            name: role.name.clone(),
            path: role.path.clone(),
            role: id_of(&draft.address::<Role>(group)),
        };
        draft.add_global(group, role);
        draft.add_global(group, profile);
    }
}

fn trust(site: &Site) -> Value {
    let suffix = if site.partition == "aws-cn" { ".cn" } else { "" };
    document(vec![json!({
        "Effect": "Allow",
        "Principal": {"Service": [format!("ec2.amazonaws.com{suffix}")]},
        "Action": ["sts:AssumeRole"],
    })])
}

/// What every node needs: its files, its report, its log, its metrics, the
/// shared storage, Session Manager.
fn every_node(draft: &Draft<'_>) -> Vec<Value> {
    let (site, region) = (draft.site, draft.spec.region.as_str());
    let bucket = format!("arn:{}:s3:::{}", site.partition, site.bucket(region));
    let prefix = Site::object_prefix(draft.name);
    // A bucket's name is the world's, and free again for anybody once it is gone.
    let ours = json!({"aws:ResourceAccount": [site.account]});
    let logs =
        site.arn("logs", region, &format!("log-group:{}/*", site.parameter_path(draft.name)));
    let metrics = metrics_namespace(&site.owner, draft.name);
    let storage = output_of(&draft.address::<FileSystem>("main"), "arn");
    let mut statements = vec![
        allow_if(
            "ListOwnFiles",
            &["s3:ListBucket"],
            vec![bucket.clone()],
            json!({"StringEquals": ours, "StringLike": {"s3:prefix": [format!("{prefix}*")]}}),
        ),
        allow_if(
            "ReadOwnFiles",
            &["s3:GetObject"],
            vec![format!("{bucket}/{prefix}*")],
            json!({"StringEquals": ours}),
        ),
        allow_if(
            "Report",
            &["s3:PutObject"],
            vec![format!("{bucket}/{prefix}nodes/*")],
            json!({"StringEquals": ours}),
        ),
        allow("Log", LOG, vec![logs]),
        allow_if(
            "Metrics",
            &["cloudwatch:PutMetricData"],
            vec!["*".into()],
            json!({"StringEquals": {"cloudwatch:namespace": [metrics]}}),
        ),
        allow(
            "SharedStorage",
            &[
                "elasticfilesystem:ClientMount",
                "elasticfilesystem:ClientRootAccess",
                "elasticfilesystem:ClientWrite",
            ],
            vec![storage],
        ),
        allow("SessionManager", SESSION_MANAGER, vec!["*".into()]),
    ];
    statements.extend(registry(draft));
    statements
}

/// The hub also reads the sign-in's secret and publishes the join token. It has
/// no right to its own group: whoever scales and drains that is the reconciler.
fn hub(draft: &Draft<'_>) -> Vec<Value> {
    let mut named = parameters::of(draft, &draft.spec.hub.roles);
    named.written.insert(SWARM_TOKEN.into());
    let secret = draft.spec.jupyter.auth.client_secret_ref.as_deref();
    named.absolute.extend(secret.and_then(|text| text.strip_prefix("ssm:")).map(String::from));
    of_parameters(draft, &named)
}

fn workers_only(draft: &Draft<'_>) -> Vec<Value> {
    of_parameters(draft, &parameters::of(draft, &draft.spec.workers.roles))
}

/// What a group's roles read and write of the cluster's parameters, by name: the
/// facts and the join token, and what its roles name. The whole prefix is never
/// readable: the key that pointers are signed with lies there, and who may list a
/// path may read all below it, whatever is denied further down.
fn of_parameters(draft: &Draft<'_>, named: &Parameters) -> Vec<Value> {
    let absolute = |name: &String| {
        let name = name.trim_start_matches('/');
        draft.site.arn("ssm", &draft.spec.region, &format!("parameter/{name}"))
    };
    let own = ["facts", SWARM_TOKEN].into_iter().chain(named.read.iter().map(String::as_str));
    let own = own.chain(named.written.iter().map(String::as_str));
    let readable =
        own.map(|name| parameter(draft, name)).chain(named.absolute.iter().map(absolute));
    let mut statements = vec![allow("ReadParameters", READ_PARAMETERS, readable.collect())];
    let writable: Vec<String> = named.written.iter().map(|name| parameter(draft, name)).collect();
    if !writable.is_empty() {
        statements.push(allow("PublishParameters", &["ssm:PutParameter"], writable));
    }
    let private = vec![parameter(draft, SIGNING_KEY_PRIVATE)];
    statements.push(deny("NeverTheSigningKey", &["ssm:*"], private));
    statements
}

/// Pulling the images that the cluster names, the notebook's and those among the
/// attributes of its roles, where they are in a registry of AWS.
fn registry(draft: &Draft<'_>) -> Vec<Value> {
    let mut named = vec![draft.spec.jupyter.image.as_str()];
    let attributes = draft.spec.attributes.values().flat_map(BTreeMap::values);
    attributes.for_each(|value| texts(value, &mut named));
    let arns: BTreeSet<String> =
        named.into_iter().filter_map(|image| repository(&draft.site.partition, image)).collect();
    if arns.is_empty() {
        return Vec::new();
    }
    vec![
        allow(
            "PullImage",
            &["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            arns.into_iter().collect(),
        ),
        allow("RegistryLogin", &["ecr:GetAuthorizationToken"], vec!["*".into()]),
    ]
}

/// Every text in a value; keys are titles.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// The repository of an image in ECR; none of anything else, and of nothing that
/// would stand for more than one.
fn repository(partition: &str, image: &str) -> Option<String> {
    let (host, rest) = image.split_once('/')?;
    let parts: Vec<&str> = host.split('.').collect();
    let [account, "dkr", "ecr", region, "amazonaws", ..] = parts.as_slice() else { return None };
    let repository = rest.split([':', '@']).next().unwrap_or(rest);
    let plain = |text: &str, more: &[u8]| {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !text.is_empty() && text.bytes().all(|byte| letter(byte) || more.contains(&byte))
    };
    (plain(account, b"") && plain(region, b"-") && plain(repository, b"._/-"))
        .then(|| format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}"))
}

fn parameter(draft: &Draft<'_>, name: &str) -> String {
    let path = draft.site.parameter_path(draft.name);
    draft.site.arn("ssm", &draft.spec.region, &format!("parameter{path}/{name}"))
}

/// The group is made by the first node that has something to tell.
const LOG: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:PutRetentionPolicy",
];

const READ_PARAMETERS: &[&str] = &["ssm:GetParameter", "ssm:GetParameters"];

/// AWS's managed policy for this also reads every parameter of the account.
const SESSION_MANAGER: &[&str] = &[
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];
