//! A region that nobody has heard of is rather a slip than a new one.

use super::super::conform::closest;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "region-unknown",
    summary: "`region`, and each of `regions`, should be one that AWS has published.",
    check,
};

/// The regions of AWS, GovCloud and China as AWS publishes them for its tools
/// (botocore's `partitions.json`). One that is opened later is used all the same.
const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        found.extend(unknown(cluster, "/spec/region", &cluster.spec().region));
    }
    if let Some(repository) = &model.repository {
        let regions = repository.manifest.spec.regions.iter();
        found.extend(regions.filter_map(|region| unknown(repository, "/spec/regions", region)));
    }
}

fn unknown<T>(from: &Declaration<T>, pointer: &str, region: &str) -> Option<Diagnostic> {
    if REGIONS.contains(&region) {
        return None;
    }
    let message = format!("`{}` is no region that is known here", region.escape_debug());
    let warning = from.warning(pointer, &RULE, message);
    let known: Vec<String> = REGIONS.iter().map(ToString::to_string).collect();
    Some(match closest(region, &known) {
        Some(meant) => {
            warning.hint(format!("did you mean `{meant}`? A new region is used all the same"))
        }
        None => warning.hint("a new region is used all the same"),
    })
}
