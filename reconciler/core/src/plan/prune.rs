//! What is done about objects that nobody asks for any more, and about the
//! extras of an address.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::Address;
use crate::kind::Body;
use crate::observed::Object;

use super::change::{Action, AttributeChange, Blocked, Change, Reason};
use super::converge::guarded;
use super::diff;
use super::draft::Draft;
use super::index::names;

impl<'a> Draft<'a> {
    /// Removes what may be removed; says of the rest why it stays.
    pub(crate) fn prune(&mut self) {
        for object in self.index.extras().to_vec() {
            self.remove_extra(object);
        }
        let mut undeclared: BTreeMap<&str, Vec<&'a Object>> = BTreeMap::new();
        let mut leftover: Vec<&'a Object> = Vec::new();
        let all: Vec<&'a Object> = self.index.all().collect();
        for object in all {
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
                Some(_) if self.desired.resources.contains_key(&object.address) => {}
                Some(_) if self.still_started(object) => {}
                Some(_) => leftover.push(object),
            }
        }
        self.remove_all(&leftover, false);
        for (scope, objects) in undeclared {
            self.remove_scope(scope, &objects);
        }
    }

    /// The younger of two objects of one address goes, unless it holds data.
    fn remove_extra(&mut self, object: &'a Object) {
        let scope = object.address.scope();
        let policy = self.desired.scopes.get(scope);
        let left = policy.is_some_and(|policy| policy.suspend || policy.unknown.is_some());
        if !self.context.includes(scope) || left || self.in_gap(object) {
            return;
        }
        if object.facts().holds_data && !self.consented(object) {
            let cause = "a second object of this address, and it may hold data".into();
            self.block(object, Action::Delete, cause, true);
            return;
        }
        let change = deletion(object, Reason::Duplicate);
        self.remove(change, true);
    }

    /// An agent that a node may yet be started with: a template names it, or
    /// the group launches from a version of its template that is not the
    /// newest, the only one whose script is known.
    fn still_started(&self, object: &Object) -> bool {
        let Body::StoredObject(stored) = &object.body else { return false };
        let scope = object.address.scope();
        let unread = ["launch-template", "scaling-group"].iter().any(|kind| {
            let address = Address::new(scope, kind, "workers");
            self.observed.gap(&object.region, &address).is_some()
        });
        unread || self.observed.launched(scope, stored.digest()) || self.behind(scope)
    }

    /// Whether a group of a cluster launches from an older version.
    fn behind(&self, scope: &str) -> bool {
        let newest = |id: &str, version: &str| {
            let mut templates = self.observed.objects.iter().filter(|template| {
                template.address.kind() == "launch-template" && template.id == id
            });
            templates.any(|template| template.output("version").as_deref() == Some(version))
        };
        let mut ours = self.observed.objects.iter().filter(|group| group.address.scope() == scope);
        ours.any(|group| match &group.body {
            Body::ScalingGroup(group) => !newest(&group.template, &group.template_version),
            _ => false,
        })
    }

    fn remove_scope(&mut self, scope: &str, objects: &[&'a Object]) {
        let policy = &self.context.policy;
        let id = scope_id(objects);
        let asked = policy.destroy.contains(scope) || policy.consents_to(scope, &id);
        if policy.declares_nothing && !policy.destroy.contains(scope) {
            let cause = "the repository declares no cluster at all; nothing is deleted";
            self.block_scope(scope, &id, cause.into(), false);
        } else if !asked {
            let count = objects.len();
            let cause = format!("no manifest declares it; its {count} objects stay");
            self.block_scope(scope, &id, cause, true);
        } else {
            self.remove_all(objects, true);
        }
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
            declares_nothing || (kept && !self.consented(object))
        };
        let staying: Vec<&Object> = objects.iter().filter(kept_for_itself).copied().collect();
        let needed = needed_by(&staying, objects);
        for object in objects {
            if staying.iter().any(|stays| named(stays) == named(object)) {
                let cause = if declares_nothing {
                    "the repository declares no cluster at all; nothing is deleted"
                } else if object.protected() {
                    "it is protected"
                } else {
                    "removing it loses data or ends sessions"
                };
                self.block(object, Action::Delete, cause.into(), !declares_nothing);
                self.detach(object, whole_scope);
            } else if let Some(by) = needed.get(&named(object)) {
                self.block(object, Action::Delete, format!("{by} stays and needs it"), false);
            } else {
                self.remove(
                    deletion(object, Reason::Undeclared),
                    whole_scope || self.consented(object),
                );
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
        let resource = crate::desired::Resource {
            address: object.address.clone(),
            region: object.region.clone(),
            tags: object.tags.clone(),
            body,
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
        let Some(gap) = self.observed.gap(&object.region, &object.address).cloned() else {
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

/// What stands for a cluster's present id: that of its VPC, or `none`.
fn scope_id(objects: &[&Object]) -> String {
    let vpc = objects.iter().find(|object| object.address.kind() == "vpc");
    vpc.map_or_else(|| "none".into(), |vpc| vpc.id.clone())
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
