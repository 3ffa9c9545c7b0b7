//! Whose an object is, from its tags: the first question of every list.

use std::collections::{BTreeMap, BTreeSet};

use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError};
use lyceum_core::kind::Body;
use lyceum_core::observed::{Gap, LiveInstance, Object};
use lyceum_core::site::{Site, TAG_ADDRESS, TAG_CLUSTER, TAG_OWNER, TAG_SOURCE};

use crate::kind::scaling_group::Member;

/// The tags without which nothing is ours, as people are told.
const TAGS: &str = "one of its tags lyceum:source, lyceum:cluster and lyceum:address";

/// What one list found.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Ours.
    pub(crate) objects: Vec<Object>,
    /// What must not be touched, or could not be read.
    pub(crate) gaps: Vec<Gap>,
    /// The clusters' instances.
    pub(crate) instances: Vec<LiveInstance>,
    /// What their groups know of instances, by id.
    pub(crate) members: BTreeMap<String, Member>,
    /// Records of somebody else's with names that clusters want: where they lead.
    pub(crate) taken_names: BTreeMap<String, BTreeSet<String>>,
    /// Parameters below clusters' prefixes that are nobody's of ours: their names,
    /// by cluster.
    pub(crate) strange_parameters: BTreeMap<String, BTreeSet<String>>,
}

/// One object as its service lists it.
pub(crate) struct Found {
    /// AWS's id.
    pub(crate) id: String,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// Further outputs.
    pub(crate) outputs: BTreeMap<String, String>,
    /// What it is.
    pub(crate) body: Body,
}

impl Listing {
    /// Takes what is ours. Another owner's is ignored; ours from another source
    /// is a gap for its cluster; ours without an address we know is a gap for
    /// its kind. What carries an address of another kind (a root volume carries
    /// its instance's) belongs to that one and is ignored.
    pub(crate) fn claim(&mut self, site: &Site, region: &str, found: Found) {
        let kind = found.body.facts().name;
        if let Some(address) = self.address(site, region, (kind, &found.id, &found.tags)) {
            self.push(address, region, found);
        }
    }

    /// The address of an object that is ours, by its kind, id and tags, before
    /// anything more is read of it. What is not ours ends here, as a gap where
    /// it has to be one.
    pub(crate) fn address(
        &mut self,
        site: &Site,
        region: &str,
        (kind, id, tags): (&str, &str, &BTreeMap<String, String>),
    ) -> Option<Address> {
        match claim(site, kind, tags) {
            Claim::Foreign => return None,
            Claim::Ours(address) => return Some(address),
            Claim::OtherSource { scope, source } => self.other_source(&scope, id, &source),
            Claim::Incomplete { scope } => {
                let cause = format!("{id} has lost {TAGS}; restore them or remove it");
                self.gap_in(&scope, id, |scope| Gap {
                    region: region.into(),
                    kind: kind.into(),
                    scope,
                    cause,
                });
            }
        }
        None
    }

    /// A cluster of our owner's from another repository: nothing in it is ours.
    pub(crate) fn other_source(&mut self, scope: &str, id: &str, source: &str) {
        self.gap_in(scope, id, |scope| Gap {
            region: String::new(),
            kind: String::new(),
            scope,
            cause: format!("{id} belongs to the repository with root commit {source}"),
        });
    }

    /// A gap in a cluster. A gap without one would hold for all of them: what
    /// tells no cluster stops none.
    fn gap_in(&mut self, scope: &str, id: &str, gap: impl FnOnce(String) -> Gap) {
        match scope {
            "" => tracing::warn!(id, "has our owner's tag and no cluster; it is ignored"),
            scope => self.gaps.push(gap(scope.into())),
        }
    }

    /// An object of ours that could not be read to its end: its kind is unknown
    /// in its cluster, and nowhere else.
    pub(crate) fn unread(&mut self, region: &str, address: &Address, error: &CloudError) {
        self.gaps.push(Gap {
            region: region.into(),
            kind: address.kind().into(),
            scope: address.scope().into(),
            cause: error.to_string(),
        });
    }

    /// Takes what was read of an object of ours: what is gone by now is none, and
    /// what failed otherwise is a gap in its cluster.
    pub(crate) fn take(&mut self, region: &str, address: Address, read: Result<Found, CloudError>) {
        match read {
            Ok(found) => self.push(address, region, found),
            Err(error) if error.class == Class::NotFound => {}
            Err(error) => self.unread(region, &address, &error),
        }
    }

    /// Takes an object whose owner stands in its name or path instead of tags.
    pub(crate) fn push(&mut self, address: Address, region: &str, found: Found) {
        self.objects.push(Object {
            address,
            region: region.into(),
            id: found.id,
            outputs: found.outputs,
            tags: found.tags,
            body: found.body,
        });
    }
}

/// All of a kind in a region is unknown.
pub(crate) fn gap(region: &str, kind: &str, error: &CloudError) -> Gap {
    Gap { region: region.into(), kind: kind.into(), scope: String::new(), cause: error.to_string() }
}

/// Whose an object is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Not ours, or part of something else of ours.
    Foreign,
    /// Ours.
    Ours(Address),
    /// Our owner's, from another repository.
    OtherSource {
        /// Its cluster; empty where no tag tells it.
        scope: String,
        /// That repository's root commit.
        source: String,
    },
    /// Our owner's, but not all tags that say whose it is are there and agree.
    Incomplete {
        /// Its cluster; empty where no tag tells it.
        scope: String,
    },
}

/// Whose an object of `kind` with these tags is.
pub(crate) fn claim(site: &Site, kind: &str, tags: &BTreeMap<String, String>) -> Claim {
    if tags.get(TAG_OWNER) != Some(&site.owner) {
        return Claim::Foreign;
    }
    let address = tags.get(TAG_ADDRESS).and_then(|text| text.parse::<Address>().ok());
    let cluster = tags.get(TAG_CLUSTER).filter(|cluster| !cluster.is_empty());
    let told = cluster.map(String::as_str).or(address.as_ref().map(Address::scope));
    let scope = told.unwrap_or_default().to_string();
    match tags.get(TAG_SOURCE) {
        Some(source) if *source == site.source => {}
        Some(source) => return Claim::OtherSource { scope, source: source.clone() },
        None => return Claim::Incomplete { scope },
    }
    match address {
        Some(address) if address.kind() != kind => Claim::Foreign,
        Some(address) if cluster.is_some_and(|cluster| address.scope() == cluster) => {
            Claim::Ours(address)
        }
        _ => Claim::Incomplete { scope },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            owner: "lyceum".into(),
            source: "abc".into(),
            account: "1".into(),
            partition: "aws".into(),
        }
    }

    fn tags() -> BTreeMap<String, String> {
        site().identity(&Address::new("geo", "vpc", "main"))
    }

    fn with(key: &str, value: Option<&str>) -> BTreeMap<String, String> {
        let mut tags = tags();
        match value {
            Some(value) => tags.insert(key.into(), value.into()),
            None => tags.remove(key),
        };
        tags
    }

    #[test]
    fn only_our_own_source_is_claimed() {
        let ours = Claim::Ours(Address::new("geo", "vpc", "main"));
        assert_eq!(claim(&site(), "vpc", &tags()), ours);
        assert_eq!(claim(&site(), "vpc", &with(TAG_OWNER, Some("x"))), Claim::Foreign);
        assert_eq!(
            claim(&site(), "vpc", &with(TAG_SOURCE, Some("def"))),
            Claim::OtherSource { scope: "geo".into(), source: "def".into() }
        );
    }

    #[test]
    fn a_lost_address_is_a_gap_and_anothers_part_is_not_ours() {
        let lost = || Claim::Incomplete { scope: "geo".into() };
        assert_eq!(claim(&site(), "vpc", &with(TAG_ADDRESS, None)), lost());
        assert_eq!(claim(&site(), "vpc", &with(TAG_CLUSTER, None)), lost());
        assert_eq!(claim(&site(), "volume", &tags()), Claim::Foreign);
    }

    #[test]
    fn what_is_gone_is_dropped_and_what_failed_is_a_gap_in_its_cluster() {
        let take = |class| {
            let mut listing = Listing::default();
            let failed = Err(CloudError::new(class, "ec2:DescribeVpcAttribute", "x"));
            listing.take("us-east-1", Address::new("geo", "vpc", "main"), failed);
            listing.gaps.into_iter().map(|gap| (gap.kind, gap.scope)).collect::<Vec<_>>()
        };
        assert!(take(Class::NotFound).is_empty());
        assert_eq!(take(Class::Denied), [("vpc".into(), "geo".into())]);
    }

    #[test]
    fn what_tells_no_cluster_stops_none() {
        let gaps = |tags: BTreeMap<String, String>| {
            let mut listing = Listing::default();
            assert_eq!(listing.address(&site(), "us-east-1", ("vpc", "vpc-1", &tags)), None);
            listing.gaps.into_iter().map(|gap| gap.scope).collect::<Vec<_>>()
        };
        for source in ["abc", "def"] {
            let mut tags = with(TAG_SOURCE, Some(source));
            tags.remove(TAG_CLUSTER);
            assert_eq!(gaps(tags.clone()), ["geo"]);
            tags.remove(TAG_ADDRESS);
            assert!(gaps(tags).is_empty());
        }
    }
}
