//! What is done about one resource that should be there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::{Address, Ref, refs_in_value, resolve};
use crate::desired::Resource;
use crate::kind::{Body, Kind, Record, SigningKey};
use crate::manifest::repository::Deed;
use crate::observed::{Gap, Object};

use super::change::{Action, AttributeChange, Blocked, Change, Reason};
use super::diff::{self, Difference, Effect};
use super::draft::{Draft, Known, Open};
use super::drift::main_reason;
use super::waits::{drop_lying_tags, drop_replacing};

impl<'a> Draft<'a> {
    /// Decides about one resource. Those it refers to were decided before.
    pub(crate) fn converge(&mut self, resource: &'a Resource) {
        let address = &resource.address;
        let there = self.index.kept(address);
        let policy = self.desired.scopes.get(address.scope());
        let destroyed = self.context.policy.destroy.contains(address.scope());
        if !self.context.includes(address.scope()) || destroyed {
            return;
        }
        if policy.is_some_and(|policy| policy.suspend) {
            self.scope(address.scope()).suspended = true;
            return;
        }
        if let Some(region) = self.moved_from(address.scope()) {
            self.moved(address.scope(), region);
            return;
        }
        let unknown = policy.and_then(|policy| policy.unknown.as_ref());
        if let Some(gap) = unknown.or_else(|| self.gap(&resource.region, address)) {
            let gap = gap.clone();
            if there.is_none() {
                self.learn(address, Known::Unread(gap.clone()));
            }
            self.scope(address.scope()).gaps.push(gap);
            return;
        }
        match there {
            Some(object) => {
                if policy.is_some_and(|policy| policy.kept.contains(address)) {
                    let cause = "the manifest asks for fewer zones: workers that are in this one \
                                 would lose their homes, and end";
                    self.block(object, Action::Delete, cause.into(), true);
                }
                self.change(resource, object);
            }
            None => self.create(resource),
        }
    }

    /// Nothing of a cluster that would move is touched: half of it, such as the
    /// rights of its nodes, has no region and would be taken from what runs.
    fn moved(&mut self, scope: &str, from: &str) {
        let to = self.desired.scopes.get(scope).map_or("", |policy| policy.region.as_str());
        let cause = format!(
            "the cluster is in {from}; in {to} it would be another one: remove it there first"
        );
        self.scope(scope).blocked.push(Blocked {
            address: scope.into(),
            action: Action::Replace,
            cause,
            id: None,
            consent: false,
        });
    }

    fn create(&mut self, resource: &'a Resource) {
        let address = &resource.address;
        let want = self.wanted(resource, None);
        if let Some(gap) = self.unread(&want, |_| true) {
            self.learn(address, Known::Unread(gap.clone()));
            self.scope(address.scope()).gaps.push(gap);
            return;
        }
        if let Some(cause) = refs_in_value(&want).iter().find_map(|open| match self.open(open) {
            Open::Not(cause) => Some(cause),
            Open::Coming(_) | Open::Unread(_) => None,
        }) {
            self.learn(address, Known::Not(cause.clone()));
            self.scope(address.scope()).blocked.push(Blocked {
                address: address.to_string(),
                action: Action::Create,
                cause,
                id: None,
                consent: false,
            });
            return;
        }
        if let Some(blocked) = self.lost_key(address).or_else(|| self.taken(address, &want)) {
            self.learn(address, Known::Not(blocked.cause.clone()));
            self.scope(address.scope()).blocked.push(blocked);
            return;
        }
        let reason = match self.before(resource) {
            Some(_) => Reason::Drift,
            None => Reason::New,
        };
        let change = Change {
            address: address.clone(),
            kind: address.kind().into(),
            action: Action::Create,
            reason: reason.clone(),
            id: None,
            attributes: made(&want, &reason),
            resource: self.with_attributes(resource, want),
            object: None,
        };
        if reason == Reason::Drift && self.only_reports(resource) {
            self.learn(address, Known::Not("it was removed, and drift is only reported".into()));
            self.scope(address.scope()).reported.push(change);
        } else {
            self.learn(address, Known::Coming);
            self.scope(address.scope()).changes.push(change);
        }
    }

    /// A cluster's signing key that is gone although pointers are signed with it:
    /// another one is made only where somebody consents, naming the lost one.
    fn lost_key(&self, address: &Address) -> Option<Blocked> {
        if address.kind() != SigningKey::NAME {
            return None;
        }
        let lost = self.index.all().find_map(|object| match &object.body {
            Body::Pointer(pointer) if object.address.scope() == address.scope() => {
                Some(pointer.public_key.clone())
            }
            _ => None,
        })?;
        let id = if lost.is_empty() { "unknown".into() } else { lost };
        let consented = self.context.policy.consents_to(Deed::Replace, &address.to_string(), &id);
        (!consented).then(|| Blocked {
            address: address.to_string(),
            action: Action::Create,
            cause: "the key that running nodes trust is gone, both halves of it: with another one \
                    they refuse every new pointer until they are replaced"
                .into(),
            id: Some(id),
            consent: true,
        })
    }

    /// A record whose name somebody else has given away already. One that leads
    /// where ours would has lost its marker, and is taken back.
    fn taken(&self, address: &Address, want: &Value) -> Option<Blocked> {
        if address.kind() != Record::NAME {
            return None;
        }
        let name = want["name"].as_str()?;
        let there = self.observed.surroundings.taken_names.get(name)?;
        let leads = serde_json::to_value(there).unwrap_or_default();
        (leads != want["values"]).then(|| Blocked {
            address: address.to_string(),
            action: Action::Create,
            cause: format!(
                "{name} leads to {} already: remove that record, or choose another domain",
                there.iter().cloned().collect::<Vec<_>>().join(", ")
            ),
            id: None,
            consent: false,
        })
    }

    fn change(&mut self, resource: &'a Resource, object: &'a Object) {
        let seen = object.body.attributes();
        let want = self.as_foretold(self.wanted(resource, Some(object)), &seen);
        // What an object lacks that is itself a resource holds back only the
        // attribute; without its surroundings nothing of it is certain.
        let given = |reference: &Ref| !self.desired.resources.contains_key(&reference.address);
        if let Some(gap) = self.unread(&want, given) {
            self.scope(object.address.scope()).gaps.push(gap);
            return;
        }
        let unknown = |reference: &Ref| !matches!(self.open(reference), Open::Coming(_));
        let mut found = diff::differences(object.facts(), &want, &seen, &unknown);
        found.iter_mut().for_each(brief_previous);
        if object.facts().reads_tags {
            found.extend(diff::tag_differences(&resource.tags, &object.tags));
        }
        let mut found = self.set_reported_apart(resource, object, found);
        drop_lying_tags(object.facts(), &mut found);
        found.extend(self.mute_hub(resource, object));
        if let Some(taken) = self.taken(&resource.address, &want).filter(|_| replaces_any(&found)) {
            drop_replacing(object.facts(), &mut found);
            self.block(object, Action::Replace, taken.cause, false);
        }
        self.hold_back(resource, object, &mut found);
        if found.is_empty() {
            return;
        }
        let reason = main_reason(&found);
        let replace = replaces_any(&found);
        let files = self.role_files(resource, &object.body, &reason);
        let after =
            if replace { self.wanted(resource, None) } else { overlay(&seen, &want, &found) };
        let mut written = self.with_attributes(resource, after);
        if let Some(written) = written.as_mut().filter(|_| !replace) {
            keep_tags(object, &found, &mut written.tags);
        }
        let change = Change {
            address: object.address.clone(),
            kind: object.address.kind().into(),
            action: if replace { Action::Replace } else { Action::Update },
            reason,
            id: Some(object.id.clone()),
            attributes: attributes(found).into_iter().chain(files).collect(),
            resource: written,
            object: Some(object.clone()),
        };
        if replace {
            self.learn(&object.address, Known::Coming);
            let consented = self.consented(Deed::Replace, object);
            self.remove(change, consented);
        } else {
            self.learn(&object.address, Known::Changing(object));
            self.scope(object.address.scope()).changes.push(change);
        }
    }

    /// What failed, when an open reference among those `wanted` could not be
    /// read.
    fn unread(&self, want: &Value, wanted: impl Fn(&Ref) -> bool) -> Option<Gap> {
        refs_in_value(want).iter().filter(|open| wanted(open)).find_map(|open| {
            match self.open(open) {
                Open::Unread(gap) => Some(gap),
                Open::Coming(_) | Open::Not(_) => None,
            }
        })
    }

    /// `want` with what is certain of objects that are yet to come, where that is
    /// what is there: an agent that is put back is the one that nodes know.
    fn as_foretold(&self, mut want: Value, seen: &Value) -> Value {
        let Some(attributes) = want.as_object_mut() else { return want };
        for (name, value) in attributes {
            let foretold = resolve(value, &|reference| self.foretold(reference));
            if seen.get(name) == Some(&foretold) {
                *value = foretold;
            }
        }
        want
    }

    /// What a resource should be now, its answerable references answered.
    fn wanted(&self, resource: &Resource, there: Option<&Object>) -> Value {
        let now = self.context.now;
        let answered = resolve(&resource.body.attributes(), &|reference| self.answer(reference));
        let body = Body::from_attributes(resource.address.kind(), answered.clone());
        let Ok(body) = body else { return answered };
        match there {
            Some(object) => body.at(now).given(&object.body, now).attributes(),
            None => body.at(now).attributes(),
        }
    }

    fn with_attributes(&self, resource: &Resource, attributes: Value) -> Option<Resource> {
        let body = Body::from_attributes(resource.address.kind(), attributes).ok()?;
        Some(Resource { body, ..resource.clone() })
    }

    pub(crate) fn consented(&self, deed: Deed, object: &Object) -> bool {
        self.context.policy.consents_to(deed, &object.address.to_string(), &object.id)
    }

    pub(crate) fn block(&mut self, object: &Object, action: Action, cause: String, consent: bool) {
        self.scope(object.address.scope()).blocked.push(Blocked {
            address: object.address.to_string(),
            action,
            cause,
            id: Some(object.id.clone()),
            consent,
        });
    }
}

pub(super) fn replaces_any(found: &[(Difference, Reason)]) -> bool {
    found.iter().any(|(difference, _)| difference.effect == Effect::Replace)
}

/// What stands for an object's tags among its attributes.
pub(super) const TAGS: &str = "tags";

/// Leaves every tag as it is but those that are said to change.
fn keep_tags(object: &Object, found: &[(Difference, Reason)], tags: &mut BTreeMap<String, String>) {
    if !object.facts().reads_tags {
        return;
    }
    let differences = found.iter().filter(|(difference, _)| difference.attribute == TAGS);
    let told: BTreeSet<&str> = differences
        .flat_map(|(difference, _)| difference.leaves.iter().map(|(path, ..)| path.as_str()))
        .collect();
    let labels = diff::labels(&object.tags).map(|(key, _)| key);
    let kept: BTreeSet<String> = tags
        .keys()
        .chain(labels)
        .filter(|key| !told.contains(diff::step(TAGS, key).as_str()))
        .cloned()
        .collect();
    for key in kept {
        match object.tags.get(&key) {
            Some(value) => tags.insert(key, value.clone()),
            None => tags.remove(&key),
        };
    }
}

/// Removing it needs a consent that names it.
pub(crate) fn guarded(object: &Object) -> bool {
    object.protected() || object.facts().holds_data || object.facts().disrupts
}

/// What an update writes: what is there, with the differing attributes as they
/// should be, so that nothing nobody asked for is touched.
fn overlay(seen: &Value, want: &Value, found: &[(Difference, Reason)]) -> Value {
    let mut after = seen.clone();
    for (difference, _) in found.iter().filter(|(difference, _)| difference.attribute != TAGS) {
        after[&difference.attribute] = want[&difference.attribute].clone();
    }
    after
}

/// What the other nodes have meanwhile is what they had: its bundle says which.
fn brief_previous(difference: &mut Difference) {
    let bundle = |value: &Value| value.get("bundle").cloned().unwrap_or_default();
    for (path, before, after) in &mut difference.leaves {
        if path == "previous" && (before.is_object() || after.is_object()) {
            *path = "previous.bundle".into();
            (*before, *after) = (bundle(before), bundle(after));
        }
    }
}

fn made(want: &Value, reason: &Reason) -> Vec<AttributeChange> {
    diff::whole(want)
        .into_iter()
        .map(|(path, after)| AttributeChange {
            path,
            before: Value::Null,
            after,
            reason: reason.clone(),
        })
        .collect()
}

pub(super) fn attributes(found: Vec<(Difference, Reason)>) -> Vec<AttributeChange> {
    found
        .into_iter()
        .flat_map(|(difference, reason)| {
            difference.leaves.into_iter().map(move |(path, before, after)| AttributeChange {
                path,
                before,
                after,
                reason: reason.clone(),
            })
        })
        .collect()
}
