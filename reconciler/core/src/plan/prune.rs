//! What is done about objects that nobody asks for any more, and about the
//! extras of an address.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::desired::{Along, Resource, is_agent};
use crate::kind::{Body, Kind, NodeReport};
use crate::manifest::repository::Deed;
use crate::observed::{Gap, Object};
use crate::site::TAG_PROTECT;

use super::change::{Action, AttributeChange, Blocked, Change, Reason};
use super::converge::guarded;
use super::diff;
use super::draft::Draft;
use super::index::names;

/// Old bundles of a cluster that one plan removes.
const BUNDLES: usize = 50;
/// What a consent to a scope without a VPC names.
const NO_ID: &str = "none";

impl<'a> Draft<'a> {
    /// Removes what may be removed; says of the rest why it stays.
    pub(crate) fn prune(&mut self) {
        let mut undeclared: BTreeMap<&str, Vec<&'a Object>> = BTreeMap::new();
        let (mut leftover, mut extras) = (Vec::new(), Vec::new());
        let mut bundles: BTreeMap<&str, usize> = BTreeMap::new();
        let kept = self.index.all().map(|object| (object, false));
        let further = self.index.extras().iter().map(|object| (*object, true));
        let all: Vec<(&'a Object, bool)> = kept.chain(further).collect();
        for (object, extra) in all {
            let scope = object.address.scope();
            if !self.context.includes(scope) || self.in_gap(object) {
                continue;
            }
            match self.desired.scopes.get(scope) {
                _ if self.context.policy.destroy.contains(scope) => {
                    undeclared.entry(scope).or_default().push(object);
                }
                None => undeclared.entry(scope).or_default().push(object),
                Some(policy) if policy.suspend || policy.unknown.is_some() => {}
                Some(_) if self.moved_from(scope).is_some() => {}
                Some(_) if extra => extras.push(object),
                Some(_) if self.desired.resources.contains_key(&object.address) => {}
                Some(_) if object.address.kind() == NodeReport::NAME => {
                    if self.outlived(object) {
                        self.remove(deletion(object, Reason::InstanceGone), true);
                    }
                }
                Some(_) if self.still_started(object) || self.still_pointed(object) => {}
                Some(_) if is_bundle(object) => {
                    let count = bundles.entry(scope).or_default();
                    *count += 1;
                    leftover.extend(Some(object).filter(|_| *count <= BUNDLES));
                }
                Some(_) => leftover.push(object),
            }
        }
        self.remove_extras(&extras);
        self.remove_all(&leftover, false);
        for (scope, objects) in undeclared {
            self.remove_scope(scope, &objects);
        }
    }

    /// What does not count of several objects of one address goes, unless somebody
    /// may miss it.
    fn remove_extras(&mut self, objects: &[&'a Object]) {
        let missed =
            |object: &&&Object| self.missed(object) && !self.consented(Deed::Delete, object);
        let staying: Vec<&'a Object> = objects.iter().filter(missed).copied().collect();
        let held = self.hold_unread(objects);
        let needed = needed_by(&[staying.clone(), held.clone()].concat(), objects);
        for object in objects {
            if holds(&held, object) {
                continue;
            } else if holds(&staying, object) {
                let cause = "a second object of this address; removing it may lose data or end \
                             sessions";
                self.block(object, Action::Delete, cause.into(), true);
            } else if let Some(by) = needed.get(&named(object)) {
                self.block(object, Action::Delete, format!("{by} stays and needs it"), false);
            } else {
                let consented = self.consented(Deed::Delete, object);
                self.remove(deletion(object, Reason::Duplicate), consented);
            }
        }
    }

    /// Whether an extra may be missed. The protection that every object of its
    /// address is made with does not count: a second interface or address of a
    /// hub holds nothing. Somebody else's does.
    fn missed(&self, object: &Object) -> bool {
        let facts = object.facts();
        let wanted = self.desired.resources.get(&object.address);
        let made_so = wanted.is_some_and(|resource| resource.tags.contains_key(TAG_PROTECT));
        facts.holds_data || facts.disrupts || (object.protected() && !made_so)
    }

    fn remove_scope(&mut self, scope: &str, objects: &[&'a Object]) {
        let policy = &self.context.policy;
        let id = scope_id(objects);
        let destroy = policy.destroy.contains(scope);
        let one_by_one = objects.iter().all(|object| self.consented(Deed::Delete, object));
        if policy.declares_nothing && !destroy {
            let cause = "the repository declares no cluster at all; nothing is deleted";
            self.block_scope(scope, &id, cause.into(), false);
        } else if destroy || one_by_one || self.scope_consented(scope, objects) {
            self.remove_all(objects, true);
        } else {
            let count = objects.len();
            let cause = format!("no manifest declares it; its {count} objects stay");
            let gap = self.unread_vpc(scope, objects);
            self.block_scope(scope, &id, cause, gap.is_none());
            self.scope(scope).gaps.extend(gap);
        }
    }

    /// A consent to a whole scope names its VPC. Once that is gone, any that is
    /// not about somebody else's finishes what it began.
    fn scope_consented(&self, scope: &str, objects: &[&Object]) -> bool {
        let policy = &self.context.policy;
        let id = scope_id(objects);
        if id != NO_ID || scope.starts_with('@') {
            return policy.consents_to(Deed::Delete, scope, &id);
        }
        let elsewhere = |id: &str| {
            let mut all = self.observed.objects.iter();
            all.any(|object| object.id == id && object.address.scope() != scope)
        };
        let mut consents = policy
            .consents
            .iter()
            .filter(|consent| consent.allows(Deed::Delete, scope, &consent.id));
        self.unread_vpc(scope, objects).is_none() && consents.any(|one| !elsewhere(&one.id))
    }

    /// What failed, when it is not known whether a cluster still has its VPC.
    fn unread_vpc(&self, scope: &str, objects: &[&Object]) -> Option<Gap> {
        let unseen = scope_id(objects) == NO_ID && !scope.starts_with('@');
        unseen.then(|| self.unread_of(scope, &["vpc"])).flatten()
    }

    /// Removes what is not guarded, nor needed by something that stays.
    fn remove_all(&mut self, objects: &[&'a Object], whole_scope: bool) {
        let declares_nothing =
            self.context.policy.declares_nothing && self.context.policy.destroy.is_empty();
        // A hub's instance is guarded by its work, not by its data: whoever
        // gives up the whole cluster has given up that.
        let kept_for_itself = |object: &&&Object| {
            let kept = if whole_scope {
                object.protected() || object.facts().holds_data
            } else {
                guarded(object)
            };
            declares_nothing || (kept && !self.consented(Deed::Delete, object))
        };
        let staying: Vec<&'a Object> = objects.iter().filter(kept_for_itself).copied().collect();
        let held = self.hold_unread(objects);
        let needed = needed_by(&[staying.clone(), held.clone()].concat(), objects);
        for object in objects {
            if holds(&staying, object) {
                let cause = if declares_nothing {
                    "the repository declares no cluster at all; nothing is deleted"
                } else if object.protected() {
                    "it is protected"
                } else {
                    "removing it loses data or ends sessions"
                };
                self.block(object, Action::Delete, cause.into(), !declares_nothing);
                self.detach(object, whole_scope);
            } else if holds(&held, object) {
                continue;
            } else if let Some(by) = needed.get(&named(object)) {
                self.block(object, Action::Delete, format!("{by} stays and needs it"), false);
            } else {
                // The repository can make a bundle again: none is missed.
                let consented = self.consented(Deed::Delete, object);
                let asked = whole_scope || is_bundle(object) || consented;
                self.remove(deletion(object, Reason::Undeclared), asked);
            }
        }
    }

    /// A file system that stays alone of its cluster lets go of the network.
    fn detach(&mut self, object: &Object, whole_scope: bool) {
        let attributes = object.body.attributes();
        let Some(targets) = attributes.get("mount_targets").filter(|_| whole_scope) else { return };
        if targets.as_object().is_none_or(|map| map.is_empty()) {
            return;
        }
        let mut after = attributes.clone();
        after["mount_targets"] = Value::Object(serde_json::Map::new());
        let Ok(body) = Body::from_attributes(object.address.kind(), after.clone()) else {
            return;
        };
        let resource = Resource {
            address: object.address.clone(),
            region: object.region.clone(),
            tags: object.tags.clone(),
            body,
            along: Along::default(),
        };
        self.scope(object.address.scope()).changes.push(Change {
            address: object.address.clone(),
            kind: object.address.kind().into(),
            action: Action::Update,
            reason: Reason::Undeclared,
            id: Some(object.id.clone()),
            attributes: vec![AttributeChange {
                path: "mount_targets".into(),
                before: targets.clone(),
                after: after["mount_targets"].clone(),
                reason: Reason::Undeclared,
            }],
            resource: Some(resource),
            object: Some(object.clone()),
        });
    }

    fn in_gap(&mut self, object: &Object) -> bool {
        let Some(gap) = self.gap(&object.region, &object.address).cloned() else {
            return false;
        };
        self.scope(object.address.scope()).gaps.push(gap);
        true
    }

    fn block_scope(&mut self, scope: &str, id: &str, cause: String, consent: bool) {
        self.scope(scope).blocked.push(Blocked {
            address: scope.into(),
            action: Action::Delete,
            cause,
            id: Some(id.into()),
            consent,
        });
    }
}

fn holds(objects: &[&Object], object: &Object) -> bool {
    objects.iter().any(|one| named(one) == named(object))
}

/// A stored object that is no agent.
fn is_bundle(object: &Object) -> bool {
    matches!(object.body, Body::StoredObject(_)) && !is_agent(&object.address)
}

/// What stands for a cluster's present id: that of its VPC, or `none`.
fn scope_id(objects: &[&Object]) -> String {
    let vpc = objects.iter().find(|object| object.address.kind() == "vpc");
    vpc.map_or_else(|| NO_ID.into(), |vpc| vpc.id.clone())
}

/// Which of `objects` something that stays refers to, however indirectly, by
/// id, with whose sake it stays for. Mount targets do not hold a network: they
/// are taken off.
fn needed_by<'a>(
    staying: &[&'a Object],
    objects: &[&'a Object],
) -> BTreeMap<(&'a str, String), String> {
    let mut needed = BTreeMap::new();
    let mut open: Vec<(&'a Object, String)> =
        staying.iter().map(|object| (*object, object.address.to_string())).collect();
    let mut seen: BTreeSet<_> = staying.iter().map(|object| named(object)).collect();
    while let Some((object, sake)) = open.pop() {
        let refers = names(object, |name| name != "mount_targets");
        for other in objects {
            let before = object.facts().after.contains(&other.address.kind())
                && object.address.scope() == other.address.scope();
            let wanted = refers.contains(&named(other)) || before;
            if wanted && seen.insert(named(other)) {
                needed.insert(named(other), sake.clone());
                open.push((other, sake.clone()));
            }
        }
    }
    needed
}

/// Kind and id: an id alone may be that of objects of several kinds.
fn named(object: &Object) -> (&str, String) {
    (object.address.kind(), object.id.clone())
}

fn deletion(object: &Object, reason: Reason) -> Change {
    let attributes = diff::whole(&object.body.attributes())
        .into_iter()
        .map(|(path, before)| AttributeChange {
            path,
            before,
            after: Value::Null,
            reason: reason.clone(),
        })
        .collect();
    Change {
        address: object.address.clone(),
        kind: object.address.kind().into(),
        action: Action::Delete,
        reason,
        id: Some(object.id.clone()),
        attributes,
        resource: None,
        object: Some(object.clone()),
    }
}
