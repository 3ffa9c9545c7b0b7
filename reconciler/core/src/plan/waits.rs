//! What of a change of one object waits: for a consent that names it, or for
//! another manifest.
//!
//! Owns: which difference ends what people do, or loses what they have. May not:
//! find differences, or carry anything out.

use std::collections::BTreeSet;

use crate::address::{Address, refs_in_value};
use crate::desired::Resource;
use crate::kind::{Body, Facts, Rule};
use crate::manifest::repository::Deed;
use crate::observed::{Life, LiveInstance, Object};

use super::change::{Action, Blocked, Reason};
use super::converge::{TAGS, guarded};
use super::diff::{self, Difference, Effect};
use super::draft::Draft;
use super::nodes::REPORT;

impl Draft<'_> {
    /// Takes out what must not be done without consent, and says so.
    pub(super) fn hold_back(
        &mut self,
        resource: &Resource,
        object: &Object,
        found: &mut Vec<(Difference, Reason)>,
    ) {
        let Some(worst) = found.iter().map(|(difference, _)| difference.effect).max() else {
            return;
        };
        let paths = |effect: Effect| {
            let names: Vec<_> = found
                .iter()
                .filter(|(difference, _)| difference.effect == effect)
                .map(|(difference, _)| difference.attribute.as_str())
                .collect();
            names.join(", ")
        };
        if worst == Effect::Replace {
            let cause = if let Some(cause) = unshrinkable(object, found) {
                Some((cause, false))
            } else if guarded(object) && !self.consented(Deed::Replace, object) {
                Some((replaces(found, &paths(Effect::Replace)), true))
            } else {
                self.guarded_dependent(resource).map(|dependent| {
                    let paths = paths(Effect::Replace);
                    (format!("a change of {paths} replaces it, and with it {dependent}"), false)
                })
            };
            if let Some((cause, consent)) = cause {
                drop_replacing(object.facts(), found);
                self.block(object, Action::Replace, cause, consent);
            }
        }
        for (attribute, id, cause) in self.ends_workers(object, found) {
            let address = object.address.to_string();
            if self.context.policy.consents_to(Deed::Restart, &address, &id) {
                continue;
            }
            found.retain(|(difference, _)| difference.attribute != attribute);
            self.scope(object.address.scope()).blocked.push(Blocked {
                address,
                action: Action::Update,
                cause,
                id: Some(id),
                consent: true,
            });
        }
        let stops = found.iter().any(|(difference, _)| difference.effect == Effect::Restart);
        let replaces = found.iter().any(|(difference, _)| difference.effect == Effect::Replace);
        if stops && !replaces && !self.consented(Deed::Restart, object) {
            let names: Vec<_> = found
                .iter()
                .filter(|(difference, _)| difference.effect == Effect::Restart)
                .map(|(difference, _)| difference.attribute.clone())
                .collect();
            found.retain(|(difference, _)| difference.effect != Effect::Restart);
            let cause = format!("a change of {} stops and starts it", names.join(", "));
            self.block(object, Action::Update, cause, true);
        }
    }

    /// What of a change ends workers, whoever works on them: the attribute, why,
    /// and the id that a consent names. A group keeps its name for ever: the id
    /// says what is consented to as well, so that it is good once.
    fn ends_workers(
        &self,
        object: &Object,
        found: &[(Difference, Reason)],
    ) -> Vec<(&'static str, String, String)> {
        let Body::ScalingGroup(group) = &object.body else { return Vec::new() };
        let leaf = |attribute: &str| {
            let mut of_it = found.iter().filter(|(it, _)| it.attribute == attribute);
            of_it.next()?.0.leaves.first()
        };
        let (scope, name) = (object.address.scope(), object.address.name());
        let here =
            |one: &&LiveInstance| one.life == Life::Up && one.cluster == scope && one.group == name;
        let listed = self.observed.instances.iter().filter(here).count() as i64;
        // The list of instances may have failed: that of the group has not.
        let (wanted, running) = (i64::from(group.desired), listed.max(group.desired.into()));
        let max = leaf(MAX).and_then(|(.., after)| after.as_i64()).filter(|max| *max < running);
        let max = max.map(|max| {
            let ended = running - max;
            let cause = format!(
                "a maximum of {max} ends {ended} of {running} workers, with what people do there"
            );
            (MAX, format!("{} max={max}", object.id), cause)
        });
        let resumed = leaf(SUSPENDED).filter(|(_, before, _)| {
            let stopped = before.as_array().into_iter().flatten();
            wanted < running && stopped.into_iter().any(|process| process == "Terminate")
        });
        let resumed = resumed.map(|_| {
            let ended = running - wanted;
            let cause = format!(
                "ending workers is suspended; resumed, it ends {ended} of {running}, with what \
                 people do there"
            );
            (SUSPENDED, format!("{} resume", object.id), cause)
        });
        max.into_iter().chain(resumed).collect()
    }

    /// Something guarded that would have to be replaced along with `resource`
    /// and that nobody consented to.
    fn guarded_dependent(&self, resource: &Resource) -> Option<String> {
        let dependents = self.desired.resources.values().filter(|other| {
            other.address != resource.address && other.replaced_with(&resource.address)
        });
        for dependent in dependents {
            if let Some(object) = self.index.kept(&dependent.address)
                && guarded(object)
                && !self.consented(Deed::Replace, object)
            {
                return Some(object.address.to_string());
            }
            if let Some(found) = self.guarded_dependent(dependent) {
                return Some(found);
            }
        }
        None
    }
}

impl Resource {
    /// Whether a new id of `address` makes this resource anew.
    fn replaced_with(&self, address: &Address) -> bool {
        let attributes = self.body.attributes();
        let facts = self.body.facts();
        facts.attributes.iter().filter(|(_, rule)| *rule == Rule::Replace).any(|(name, _)| {
            let value = attributes.get(*name).unwrap_or(&serde_json::Value::Null);
            refs_in_value(value).iter().any(|reference| reference.address == *address)
        })
    }
}

/// Attributes of a scaling group.
const MAX: &str = "max";
const SUSPENDED: &str = "suspended";

/// Why a volume stays as it is whatever anybody consents to: AWS makes none
/// smaller, and another one would be without what is on it.
fn unshrinkable(object: &Object, found: &[(Difference, Reason)]) -> Option<String> {
    let Body::Volume(volume) = &object.body else { return None };
    let shrinks = |difference: &Difference| {
        difference.effect == Effect::Replace && difference.attribute == "size_gib"
    };
    let size = volume.size_gib;
    found.iter().any(|(difference, _)| shrinks(difference)).then(|| {
        format!("a change of size_gib would replace it: a volume of {size} GiB never shrinks")
    })
}

/// What stands in a tag alone and differs there, although all that goes along with
/// it is as it should be: somebody altered the tag, which is put right as a tag.
pub(super) fn drop_lying_tags(facts: &Facts, found: &mut Vec<(Difference, Reason)>) {
    for (attribute, _) in facts.in_tags {
        let along = |name: &str| facts.rule(name) == Rule::InitialWhile(attribute);
        let told = facts.attributes.iter().any(|(name, _)| along(name));
        if told && !found.iter().any(|(difference, _)| along(&difference.attribute)) {
            found.retain(|(difference, _)| difference.attribute != *attribute);
        }
    }
}

/// Takes out what replaces an object, with what is kept for the sake of that and
/// the tags it stands in: the object stays what it is, and what it says of itself.
pub(super) fn drop_replacing(facts: &Facts, found: &mut Vec<(Difference, Reason)>) {
    let replacing: BTreeSet<String> = found
        .iter()
        .filter(|(difference, _)| difference.effect == Effect::Replace)
        .map(|(difference, _)| difference.attribute.clone())
        .collect();
    let goes_along = |attribute: &str| match facts.rule(attribute) {
        Rule::InitialWhile(other) => replacing.contains(other),
        _ => false,
    };
    let stands_for = |path: &str| {
        facts
            .in_tags
            .iter()
            .any(|(attribute, tag)| replacing.contains(*attribute) && diff::step(TAGS, tag) == path)
    };
    found.retain_mut(|(difference, _)| {
        if difference.attribute == TAGS {
            difference.leaves.retain(|(path, ..)| !stands_for(path));
            return !difference.leaves.is_empty();
        }
        !replacing.contains(&difference.attribute) && !goes_along(&difference.attribute)
    });
}

/// What is said of what replaces something.
fn replaces(found: &[(Difference, Reason)], paths: &str) -> String {
    let mute = found.iter().find(|(difference, _)| difference.attribute == REPORT);
    match mute {
        Some((_, reason)) => format!("{reason}; replacing it ends what people do there"),
        None => format!("a change of {paths} replaces it"),
    }
}
