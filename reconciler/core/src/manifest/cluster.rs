//! `clusters/<name>/cluster.yaml`: one JupyterHub cluster.
//!
//! The types are the reference: the JSON Schemas, the pages in `schemas/` and
//! every 'expected' in a diagnostic are made from them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The only version of the manifests so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// Version 1.
    #[default]
    #[serde(rename = "lyceum/v1")]
    V1,
}

/// What a cluster is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The cluster's name: the same as its folder's; lower-case letters, digits
    /// and dashes. It is part of every name and tag, so renaming is making a
    /// new cluster.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$"))]
    pub name: String,
    /// Labels; each becomes a tag `lyceum:label:<key>` on everything. Those of
    /// `Defaults` come with them; at most 20 together. A changed label reaches
    /// what AWS lists with its tags (EC2, EFS, Auto Scaling, roles); parameters,
    /// alarms, instance profiles, private names and single rules keep those they
    /// were made with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub labels: BTreeMap<String, String>,
}

/// A JupyterHub cluster: a hub, workers that scale, shared storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// `lyceum/v1`.
    pub api_version: ApiVersion,
    /// `Cluster`.
    pub kind: ClusterKind,
    /// What it is called.
    pub metadata: Metadata,
    /// What it is.
    #[serde(default)]
    pub spec: ClusterSpec,
}

/// The kind of a cluster's manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterKind {
    /// A cluster.
    #[default]
    Cluster,
}

/// What a cluster is. Every field has a default; `Defaults` in the same folder
/// tree give what the cluster does not say itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterSpec {
    /// AWS region.
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: String,
    /// Operating system of every node. For the hub, another one is a new
    /// instance: it waits for consent. Workers that run keep theirs; new ones have
    /// it.
    pub os: Os,
    /// A machine image's id instead of the newest of `os`. Changing it is the
    /// way to take a newer image: for the hub a new instance, which waits for
    /// consent; for the workers what new ones start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^ami-[0-9a-f]{8,17}$"))]
    pub image: Option<String>,
    /// Leave everything of this cluster exactly as it is.
    pub suspend: bool,
    /// What to do about changes made outside the repository.
    pub drift: DriftMode,
    /// Network.
    pub network: Network,
    /// Full host name of this hub. Without one the hub is reached by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$"))]
    pub domain: Option<String>,
    /// The hub.
    pub hub: Hub,
    /// The workers that run the notebooks.
    pub workers: Workers,
    /// Shared storage.
    pub storage: Storage,
    /// JupyterHub.
    pub jupyter: Jupyter,
    /// Who is told when an alarm goes off.
    pub alerts: Alerts,
    /// What the roles are told, by role and attribute: `nginx: {certificate:
    /// acme}`. What a role takes stands in its role.yaml. Merged like every map:
    /// an attribute that is a map is merged key by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub attributes: BTreeMap<String, BTreeMap<String, Value>>,
    /// How a change of the roles, or of what they are told, reaches the nodes.
    pub rollout: Rollout,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            os: Os::default(),
            image: None,
            suspend: false,
            drift: DriftMode::default(),
            network: Network::default(),
            domain: None,
            hub: Hub::default(),
            workers: Workers::default(),
            storage: Storage::default(),
            jupyter: Jupyter::default(),
            alerts: Alerts::default(),
            attributes: BTreeMap::new(),
            rollout: Rollout::default(),
        }
    }
}

/// Operating system of the nodes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Os {
    /// Debian 12.
    #[default]
    #[serde(rename = "debian-12")]
    Debian12,
    /// Ubuntu 24.04 LTS.
    #[serde(rename = "ubuntu-24.04")]
    Ubuntu2404,
    /// Amazon Linux 2023.
    #[serde(rename = "amazon-linux-2023")]
    AmazonLinux2023,
}

impl Os {
    /// As it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debian12 => "debian-12",
            Self::Ubuntu2404 => "ubuntu-24.04",
            Self::AmazonLinux2023 => "amazon-linux-2023",
        }
    }
}

/// What to do about changes made outside the repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftMode {
    /// Undo them.
    #[default]
    Repair,
    /// Only report them; changes of the manifest are still made.
    Report,
}

/// A cluster's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Network {
    /// Private IPv4 range, /16 to /24; changing it later is refused, since it
    /// would replace everything.
    pub cidr: String,
    /// Availability zones to spread over, a public subnet each.
    #[schemars(range(min = 1, max = 6))]
    pub zones: u32,
    /// Ranges that may reach SSH. Has effect only with `adminKeys`.
    #[schemars(length(max = 50), extend("uniqueItems" = true))]
    pub admin_cidrs: Vec<String>,
    /// Public SSH keys of the administrators. None: no SSH; Session Manager
    /// always works.
    #[schemars(length(max = 50), extend("uniqueItems" = true))]
    pub admin_keys: Vec<String>,
}

impl Default for Network {
    fn default() -> Self {
        Self { cidr: "10.0.0.0/16".into(), zones: 2, admin_cidrs: vec![], admin_keys: vec![] }
    }
}

/// The hub: proxy, JupyterHub, swarm leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Hub {
    /// Instance type. Changed by stopping and starting: waits for consent.
    #[schemars(regex(pattern = r"^[a-z0-9-]+\.[a-z0-9-]+$"))]
    pub instance_type: String,
    /// Root volume in GiB. Grows in place; a smaller one needs a new instance,
    /// which waits for consent.
    #[serde(rename = "volumeGiB")]
    #[schemars(range(min = 8, max = 16384))]
    pub volume_gib: u32,
    /// Data volume in GiB: hub database, cookie secret, swarm state. Grows in
    /// place and outlives the instance. AWS shrinks no volume: a smaller number
    /// stays blocked, since it would take another, empty volume.
    #[serde(rename = "dataVolumeGiB")]
    #[schemars(range(min = 1, max = 16384))]
    pub data_volume_gib: u32,
    /// The roles it has, folders of `cookbooks/`. A change is made in place: the
    /// instance stays.
    #[schemars(length(min = 1, max = 20), extend("uniqueItems" = true))]
    pub roles: Vec<String>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            instance_type: "t3.medium".into(),
            volume_gib: 20,
            data_volume_gib: 20,
            roles: vec!["swarm-leader".into(), "jupyterhub".into()],
        }
    }
}

/// The workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Workers {
    /// Instance types in order of preference; several make spot capacity
    /// easier to find.
    #[schemars(length(min = 1, max = 40), extend("uniqueItems" = true), inner(regex(pattern = r"^[a-z0-9-]+\.[a-z0-9-]+$")))]
    pub instance_types: Vec<String>,
    /// How they are bought.
    pub purchase: Purchase,
    /// Fewest workers.
    #[schemars(range(max = 1000))]
    pub min: u32,
    /// Most workers.
    #[schemars(range(min = 1, max = 1000))]
    pub max: u32,
    /// Root volume in GiB, of workers that start from then on.
    #[serde(rename = "volumeGiB")]
    #[schemars(range(min = 8, max = 16384))]
    pub volume_gib: u32,
    /// The roles they have, folders of `cookbooks/`. A change is made in place.
    #[schemars(length(min = 1, max = 20), extend("uniqueItems" = true))]
    pub roles: Vec<String>,
    /// When to have more or fewer.
    pub scaling: Scaling,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            instance_types: vec!["t3.large".into(), "t3a.large".into()],
            purchase: Purchase::default(),
            min: 1,
            max: 10,
            volume_gib: 50,
            roles: vec!["swarm-worker".into()],
            scaling: Scaling::default(),
        }
    }
}

/// How workers are bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Purchase {
    /// On-demand workers before the first spot worker.
    #[schemars(range(max = 1000))]
    pub on_demand_base: u32,
    /// Share of spot workers above the base, in percent.
    #[schemars(range(max = 100))]
    pub spot_percent: u32,
}

impl Default for Purchase {
    fn default() -> Self {
        Self { on_demand_base: 0, spot_percent: 100 }
    }
}

/// When to have more or fewer workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scaling {
    /// Average CPU of the workers to aim for, in percent.
    #[schemars(range(min = 10, max = 95))]
    pub cpu_percent: u32,
    /// Notebook sessions on one worker to aim for.
    #[schemars(range(min = 1, max = 500))]
    pub sessions_per_node: u32,
    /// Times with a minimum of their own, such as a weekly lab.
    #[schemars(length(max = 50))]
    pub schedules: Vec<Schedule>,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { cpu_percent: 60, sessions_per_node: 8, schedules: vec![] }
    }
}

/// A time with a minimum of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// What it is called; unique in the cluster.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$"))]
    pub name: String,
    /// When it begins: five-field cron, `0 8 * * MON`.
    pub start: String,
    /// When it ends: five-field cron.
    pub end: String,
    /// Fewest workers in between.
    #[schemars(range(max = 1000))]
    pub min: u32,
    /// IANA time zone of both.
    #[serde(default = "utc")]
    pub timezone: String,
}

fn utc() -> String {
    "UTC".into()
}

/// Shared storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Storage {
    /// What it is.
    #[serde(rename = "type")]
    pub storage_type: StorageType,
    /// Days without access before a file moves to infrequent access; 0 is never.
    #[serde(rename = "transitionToIADays")]
    pub transition_to_ia_days: IaDays,
    /// Daily automatic backups.
    pub backup: bool,
    /// Directories that every user sees.
    #[schemars(length(max = 20))]
    pub shared: Vec<SharedDirectory>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            storage_type: StorageType::Efs,
            transition_to_ia_days: IaDays(30),
            backup: true,
            shared: vec![],
        }
    }
}

/// What the shared storage is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StorageType {
    /// Amazon Elastic File System.
    #[default]
    Efs,
}

/// Days before a file moves to infrequent access: one of the steps EFS offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IaDays(pub u32);

impl JsonSchema for IaDays {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IaDays".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer",
            "enum": [0, 1, 7, 14, 30, 60, 90, 180, 270, 365],
            "description": "Days without access before a file moves to infrequent access; 0 is never."
        })
    }
}

/// A directory that every user sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedDirectory {
    /// What it is called; unique in the cluster.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"))]
    pub name: String,
    /// Where users see it, an absolute path.
    #[schemars(regex(pattern = r"^/[A-Za-z0-9._/-]+$"))]
    pub path: String,
    /// Users cannot write there.
    #[serde(default = "yes")]
    pub read_only: bool,
}

fn yes() -> bool {
    true
}

/// JupyterHub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Jupyter {
    /// Image of the users' notebook servers, with a tag or a digest; `latest`
    /// is refused, since nodes would run different versions.
    #[schemars(length(min = 1, max = 500))]
    pub image: String,
    /// How users sign in.
    pub auth: Auth,
    /// What a user may use.
    pub limits: Limits,
    /// Minutes without activity before a notebook server is stopped.
    #[schemars(range(min = 10, max = 10080))]
    pub idle_timeout_minutes: u32,
}

impl Default for Jupyter {
    fn default() -> Self {
        Self {
            image: "quay.io/jupyter/datascience-notebook:2026-10-01".into(),
            auth: Auth::default(),
            limits: Limits::default(),
            idle_timeout_minutes: 60,
        }
    }
}

/// How users sign in. What a type does not use is refused by a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Auth {
    /// The authenticator.
    #[serde(rename = "type")]
    pub auth_type: AuthType,
    /// GitHub: the OAuth application's client id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub client_id: Option<String>,
    /// GitHub: where the client secret is, `ssm:/lyceum/<cluster>/<name>`. An
    /// operator makes it (`lyceum secret set`); it is never read here and never
    /// removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    // Write-only: a secret put here by mistake is not repeated in a diagnostic.
    #[schemars(regex(pattern = r"^ssm:(/[A-Za-z0-9_.-]+)+$"), extend("writeOnly" = true))]
    pub client_secret_ref: Option<String>,
    /// GitHub: organisations whose members may sign in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("uniqueItems" = true), inner(length(min = 1)))]
    pub allowed_organizations: Vec<String>,
    /// Users with administrator's rights in JupyterHub.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("uniqueItems" = true), inner(length(min = 1)))]
    pub admins: Vec<String>,
}

/// The authenticator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthType {
    /// GitHub OAuth.
    Github,
    /// Users sign up themselves, an administrator admits them.
    #[default]
    Native,
    /// Any name and one password, for trials.
    Dummy,
}

/// What a user may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Memory of a notebook server, in bytes or with K, M, G, T (powers of 1024).
    #[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)?[KMGT]?$"))]
    pub memory: String,
    /// Processors of a notebook server.
    #[schemars(range(min = 0.05, max = 128.0))]
    pub cpu: f64,
    /// Users at the same time. The overlay network must have addresses for them.
    #[schemars(range(min = 1, max = 10000))]
    pub users: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: "2G".into(), cpu: 1.0, users: 100 }
    }
}

impl Limits {
    /// The memory in bytes; none where it is not an amount.
    pub fn memory_bytes(&self) -> Option<u64> {
        let digits = self.memory.trim_end_matches(['K', 'M', 'G', 'T']);
        let shift = match &self.memory[digits.len()..] {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return None,
        };
        let amount = digits.parse::<f64>().ok()? * (1_u64 << shift) as f64;
        (amount.is_finite() && amount >= 0.0).then_some(amount as u64)
    }
}

/// Who is told when an alarm goes off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Alerts {
    /// An SNS topic's ARN, made by somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"))]
    pub topic_arn: Option<String>,
}

/// How a change reaches the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rollout {
    /// Nodes that change at the same time; those that are not ready count.
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable: u32,
    /// One node first, alone; the rest once its checks hold.
    pub canary: bool,
    /// Minutes after its launch within which a node has to report for the first
    /// time. A worker that does not is replaced, the hub with consent.
    #[schemars(range(min = 5, max = 240))]
    pub report_within_minutes: u32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { max_unavailable: 1, canary: true, report_within_minutes: 15 }
    }
}
