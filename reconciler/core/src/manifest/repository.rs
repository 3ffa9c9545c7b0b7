//! What is true of the whole repository: `lyceum.yaml` and `consents.yaml` at
//! its root. Both may be absent.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::ApiVersion;

/// `lyceum.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// `lyceum/v1`.
    pub api_version: ApiVersion,
    /// `Repository`.
    pub kind: RepositoryKind,
    /// What is true of the whole repository.
    #[serde(default)]
    pub spec: RepositorySpec,
}

/// The kind of `lyceum.yaml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RepositoryKind {
    /// A repository.
    #[default]
    Repository,
}

/// The services that are called: what `rates` may name.
pub const SERVICES: &[&str] = &[
    "autoscaling",
    "cloudwatch",
    "ec2",
    "efs",
    "events",
    "iam",
    "route53",
    "s3",
    "servicediscovery",
    "sqs",
    "ssm",
    "sts",
];

/// What is true of the whole repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RepositorySpec {
    /// Whose everything is: the tag `lyceum:owner`, and the start of every name.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,22}[a-z0-9]$"))]
    pub owner: String,
    /// Regions to watch besides those of the clusters, so that what a cluster
    /// left behind when it moved or went is still seen.
    #[schemars(length(max = 40), inner(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$")))]
    pub regions: BTreeSet<String>,
    /// Limits.
    pub limits: PlanLimits,
    /// Calls per second and service, instead of the documented buckets.
    pub rates: BTreeMap<String, Rate>,
}

impl Default for RepositorySpec {
    fn default() -> Self {
        Self {
            owner: "lyceum".into(),
            regions: BTreeSet::new(),
            limits: PlanLimits::default(),
            rates: BTreeMap::new(),
        }
    }
}

/// Limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlanLimits {
    /// A plan that would delete more objects of one cluster than this, without a
    /// consent that names them or their cluster, is blocked whole for that cluster.
    #[schemars(range(max = 1000))]
    pub deletes_per_plan: u32,
    /// Changes carried out at the same time in one cluster.
    #[schemars(range(min = 1, max = 64))]
    pub parallel_changes: u32,
    /// How long one call to AWS may take, in seconds.
    #[schemars(range(min = 1, max = 300))]
    pub call_timeout_seconds: u32,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self { deletes_per_plan: 20, parallel_changes: 16, call_timeout_seconds: 30 }
    }
}

/// A token bucket for the calls to one service in one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Calls per second in the long run.
    #[schemars(range(min = 0.1, max = 10000.0))]
    pub per_second: f64,
    /// Calls at once.
    #[schemars(range(min = 1, max = 10000))]
    pub burst: u32,
}

/// `consents.yaml`: what may be deleted, replaced or restarted although it is
/// protected. Each entry is good for that one object only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consents {
    /// `lyceum/v1`.
    pub api_version: ApiVersion,
    /// `Consents`.
    pub kind: ConsentsKind,
    /// The consents.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub consents: Vec<Consent>,
}

/// The kind of `consents.yaml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConsentsKind {
    /// Consents.
    #[default]
    Consents,
}

/// One consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consent {
    /// The object's address, `geo-101/file-system/main`, or a cluster's name
    /// for all of it that is not protected.
    #[schemars(length(min = 1, max = 300))]
    pub address: String,
    /// Its present id, as the plan names it; for a cluster its VPC's id, or
    /// `none` where there is no VPC.
    #[schemars(length(min = 1, max = 300))]
    pub id: String,
    /// What may be done, as the plan names it. `any`: one that was meant for a
    /// restart allows a later replacement as well.
    #[serde(default)]
    pub to: Deed,
    /// Why; for whoever reads the history.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

/// What a consent allows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Each of the others.
    #[default]
    Any,
    /// It is stopped, changed and started; of the workers' group: some of them end.
    Restart,
    /// It is removed and made anew.
    Replace,
    /// It is removed.
    Delete,
}

impl Consent {
    /// Whether it allows this to be done to the object of this address and id.
    pub fn allows(&self, deed: Deed, address: &str, id: &str) -> bool {
        self.address == address && self.id == id && (self.to == Deed::Any || self.to == deed)
    }
}
