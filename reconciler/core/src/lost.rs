//! What must be there although no look found it: something of ours is in it.
//!
//! A tag is anybody's to remove, and without its owner's a VPC is one of the
//! account's others to every list. It is still there: AWS removes no VPC before
//! its subnets. Owns the answer to what such an object is; may not touch it.
//!
//! Invariant: what AWS lets go before that which names it is never among it, nor
//! what somebody else may have put in its place, such as a group of theirs on the
//! hub's interface: of a lost group AWS says itself that its name is taken.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::kind::{Body, FileSystem, Kind, NetworkInterface, Subnet, Volume, Vpc};
use crate::observed::{Gap, Object, ObservedState};
use crate::site::TAG_OWNER;

impl ObservedState {
    /// Gaps for what objects of ours are in and no list found: whatever stands
    /// in its place would be a second one.
    pub fn lost(&self) -> Vec<Gap> {
        let seen: BTreeSet<_> =
            self.objects.iter().map(|it| (it.address.kind(), it.id.as_str())).collect();
        let mut lost: BTreeMap<(&str, &str, &str), &Object> = BTreeMap::new();
        for object in &self.objects {
            let stands_in = stands_in(&object.body).into_iter();
            for (kind, id) in stands_in.filter(|it| !it.1.is_empty() && !seen.contains(it)) {
                let known = lost.entry((object.address.scope(), kind, id)).or_insert(object);
                if object.address < known.address {
                    *known = object;
                }
            }
        }
        let gaps = lost.into_iter().map(|((_, kind, id), by)| gap(kind, id, by));
        gaps.filter(|gap| !self.is_known(gap)).collect()
    }

    /// The list failed, and says so itself.
    fn is_known(&self, gap: &Gap) -> bool {
        self.gap(&gap.region, &Address::new(&gap.scope, &gap.kind, "any")).is_some()
    }
}

/// Kind and id of what an object cannot be without, and cannot be taken out of:
/// a gateway may be attached elsewhere, and an alarm outlives what it watches.
fn stands_in(body: &Body) -> Vec<(&'static str, &str)> {
    match body {
        Body::Subnet(it) => vec![(Vpc::NAME, &it.vpc)],
        Body::RouteTable(it) => vec![(Vpc::NAME, &it.vpc)],
        Body::SecurityGroup(it) => vec![(Vpc::NAME, &it.vpc)],
        Body::AccessPoint(it) => vec![(FileSystem::NAME, &it.file_system)],
        Body::NetworkInterface(it) => vec![(Subnet::NAME, &it.subnet)],
        Body::Instance(it) => {
            let volumes = it.volumes.values().map(|id| (Volume::NAME, id.as_str()));
            volumes.chain([(NetworkInterface::NAME, it.interface.as_str())]).collect()
        }
        _ => Vec::new(),
    }
}

fn gap(kind: &str, id: &str, by: &Object) -> Gap {
    Gap {
        region: by.region.clone(),
        kind: kind.into(),
        scope: by.address.scope().into(),
        cause: format!(
            "{} names {id}, which is not among what has our tags: put {TAG_OWNER} and the other \
             lyceum: tags back on it",
            by.address
        ),
    }
}
