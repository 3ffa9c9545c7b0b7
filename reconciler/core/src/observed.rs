//! What is there: objects that carry our tags, the surroundings they stand in,
//! and the gaps, what a failed read left unknown.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{Address, Ref};
use crate::kind::{Body, Facts};
use crate::site::{GLOBAL, TAG_CREATED, TAG_PROTECT, TAG_REGION};

/// One object in AWS that is ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its `lyceum:address` tag, or what its deterministic name says.
    pub address: Address,
    /// The region it is in; `global` for IAM and Route 53.
    pub region: String,
    /// AWS's id of it; what a kind uses as id stands in the kind's file.
    pub id: String,
    /// Further outputs others may refer to, such as `arn`.
    pub outputs: BTreeMap<String, String>,
    /// All its tags; empty for kinds whose list call leaves them out.
    pub tags: BTreeMap<String, String>,
    /// What it is, references answered with ids.
    pub body: Body,
}

impl Object {
    /// The kind's facts.
    pub fn facts(&self) -> &'static Facts {
        self.body.facts()
    }

    /// Carries `lyceum:protect`.
    pub fn protected(&self) -> bool {
        self.tags.contains_key(TAG_PROTECT)
    }

    /// When it was made, RFC 3339; empty when unknown.
    pub fn created(&self) -> &str {
        self.tags.get(TAG_CREATED).map_or("", String::as_str)
    }

    /// An output by name, `id` included.
    pub fn output(&self, name: &str) -> Option<String> {
        match name {
            "id" => Some(self.id.clone()),
            name => self.outputs.get(name).cloned(),
        }
    }
}

/// What could not be read, or must not be touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The region; `global` for IAM and Route 53.
    pub region: String,
    /// The kind; empty for all.
    pub kind: String,
    /// The cluster or `@region`; empty for all.
    pub scope: String,
    /// Why.
    pub cause: String,
}

impl Gap {
    /// Whether an object of this region and address falls into the gap.
    pub fn covers(&self, region: &str, address: &Address) -> bool {
        (self.region.is_empty() || self.region == region)
            && (self.kind.is_empty() || self.kind == address.kind())
            && (self.scope.is_empty() || self.scope == address.scope())
    }
}

/// A machine image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `ami-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its root device, such as `/dev/xvda`.
    pub root_device: String,
}

/// What the clusters stand in and did not make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// Region to its available zones, sorted by name.
    pub zones: BTreeMap<String, Vec<String>>,
    /// Region, then the manifest's `os` or `ami-…`, to the newest image of it.
    pub images: BTreeMap<String, BTreeMap<String, Image>>,
    /// Public hosted zones: DNS name without the closing dot to id.
    pub hosted_zones: BTreeMap<String, String>,
    /// Region to those of the operator's secrets asked for that are there. A
    /// region is absent when nobody could look.
    pub secrets: BTreeMap<String, BTreeSet<String>>,
    /// Region, then cluster, to the names of parameters below its prefix that are
    /// nobody's of ours: what its roles published, what an operator put there. A
    /// region is absent where there are none, or nobody could look.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub strange_parameters: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Records that are nobody's of ours and have a name that a cluster wants:
    /// name to where they lead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken_names: BTreeMap<String, BTreeSet<String>>,
}

impl Surroundings {
    /// Answers the references to what nobody made: `@{@us-east-1/zone/0}`,
    /// `@{@us-east-1/image/debian-12}` (also `:root_device`, `:name`) and
    /// `@{@global/hosted-zone/notebooks.example.edu}`, the longest zone that
    /// holds the name.
    pub fn answer(&self, reference: &Ref) -> Option<String> {
        let region = reference.address.scope().strip_prefix('@')?;
        let name = reference.address.name();
        match reference.address.kind() {
            "zone" => self.zones.get(region)?.get(name.parse::<usize>().ok()?).cloned(),
            "image" => {
                let image = self.images.get(region)?.get(name)?;
                Some(match reference.output.as_str() {
                    "root_device" => image.root_device.clone(),
                    "name" => image.name.clone(),
                    _ => image.id.clone(),
                })
            }
            "hosted-zone" => self
                .hosted_zones
                .iter()
                .filter(|(zone, _)| name == *zone || name.ends_with(&format!(".{zone}")))
                .max_by_key(|(zone, _)| zone.len())
                .map(|(_, id)| id.clone()),
            _ => None,
        }
    }
}

/// An instance of a cluster's, the hub's or one of its scaling group's, and what
/// became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveInstance {
    /// `i-…`.
    pub id: String,
    /// Its cluster.
    pub cluster: String,
    /// `hub` or `workers`.
    pub group: String,
    /// The region it is in.
    pub region: String,
    /// Seconds since 1970, UTC, when it was last launched or started.
    pub launched: i64,
    /// How far in its life it is.
    pub life: Life,
    /// Its scaling group's name; none where it is in none.
    pub scaling_group: Option<String>,
    /// It is protected from scaling in: somebody works on it.
    pub protected: bool,
}

/// How far in its life an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Starting, running or about to.
    Up,
    /// Stopped or stopping; it may come back.
    Down,
    /// On its way out; there is no way back.
    Leaving,
    /// Terminated; still listed for about an hour.
    Gone,
}

/// Everything one look at AWS found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObservedState {
    /// Every object that is ours, in no particular order, duplicates included.
    pub objects: Vec<Object>,
    /// The clusters' instances, in no particular order.
    pub instances: Vec<LiveInstance>,
    /// What is unknown.
    pub gaps: Vec<Gap>,
    /// What they stand in.
    pub surroundings: Surroundings,
}

impl ObservedState {
    /// Whether something of this region and address is unknown.
    pub fn gap(&self, region: &str, address: &Address) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.covers(region, address))
    }

    /// Whether a launch template of a cluster starts its nodes with the agent
    /// of this digest.
    pub fn launched(&self, scope: &str, digest: &str) -> bool {
        self.objects.iter().filter(|object| object.address.scope() == scope).any(|object| {
            matches!(&object.body, Body::LaunchTemplate(it) if it.user_data.contains(digest))
        })
    }

    /// Takes an object that was read whole in the place of the one that was
    /// listed.
    pub fn put(&mut self, whole: Object) {
        let same = |object: &&mut Object| {
            object.id == whole.id
                && object.region == whole.region
                && object.address == whole.address
        };
        if let Some(object) = self.objects.iter_mut().find(same) {
            *object = whole;
        }
    }

    /// The regions in which clusters are, as what has none itself tells it.
    pub fn told_regions(&self) -> BTreeSet<String> {
        // A tag is anybody's to write, and a region becomes part of a host name.
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let told = self.objects.iter().filter_map(|object| object.tags.get(TAG_REGION));
        told.filter(|region| region.len() <= 32 && region.bytes().all(plain)).cloned().collect()
    }

    /// Joins what another look at the same account found: what has no region is
    /// there already.
    pub fn merge_region(&mut self, mut other: ObservedState) {
        other.objects.retain(|object| object.region != GLOBAL);
        other.gaps.retain(|gap| gap.region != GLOBAL);
        self.merge(other);
    }

    /// Puts what was found of these kinds in a region in the place of what was
    /// known of them.
    pub fn renew(&mut self, region: &str, kinds: &[&str], found: (Vec<Object>, Vec<Gap>)) {
        let here = |of: &str, kind: &str| of == region && kinds.contains(&kind);
        self.objects.retain(|object| !here(&object.region, object.address.kind()));
        self.gaps.retain(|gap| !here(&gap.region, &gap.kind));
        self.objects.extend(found.0);
        self.gaps.extend(found.1);
    }

    /// Joins what another look (another region) found.
    pub fn merge(&mut self, other: ObservedState) {
        self.objects.extend(other.objects);
        self.instances.extend(other.instances);
        self.gaps.extend(other.gaps);
        self.surroundings.zones.extend(other.surroundings.zones);
        self.surroundings.images.extend(other.surroundings.images);
        self.surroundings.hosted_zones.extend(other.surroundings.hosted_zones);
        self.surroundings.secrets.extend(other.surroundings.secrets);
        self.surroundings.strange_parameters.extend(other.surroundings.strange_parameters);
        self.surroundings.taken_names.extend(other.surroundings.taken_names);
    }
}
