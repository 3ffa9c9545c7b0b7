//! What stays although nobody asks for it, because something that is not known
//! may need it.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::desired::is_agent;
use crate::kind::{Body, KINDS};
use crate::observed::{Gap, Object};
use crate::site::GLOBAL;

use super::draft::Draft;

impl<'a> Draft<'a> {
    /// Those of `objects` that something unread may refer to; they stay until it
    /// is read.
    pub(super) fn hold_unread(&mut self, objects: &[&'a Object]) -> Vec<&'a Object> {
        let mut held = Vec::new();
        for object in objects {
            if let Some(gap) = self.unread_user(object) {
                self.scope(object.address.scope()).gaps.push(gap);
                held.push(*object);
            }
        }
        held
    }

    fn unread_user(&self, object: &Object) -> Option<Gap> {
        let kind = object.address.kind();
        let users: Vec<&str> = KINDS
            .iter()
            .filter(|facts| {
                facts.refers.iter().any(|(_, of)| *of == kind) || facts.after.contains(&kind)
            })
            .map(|facts| facts.name)
            .collect();
        self.unread_of(object.address.scope(), &users)
    }

    /// What failed, when something of these kinds in a scope could not be read.
    pub(super) fn unread_of(&self, scope: &str, kinds: &[&str]) -> Option<Gap> {
        let ours = self.observed.objects.iter().filter(|object| object.address.scope() == scope);
        let regions: BTreeSet<&str> = ours
            .map(|object| object.region.as_str())
            .filter(|region| *region != GLOBAL)
            .chain(self.desired.scopes.get(scope).map(|policy| policy.region.as_str()))
            .collect();
        // Of a cluster that is only known from what has no region, any may be.
        let near = |region: &str| {
            matches!(region, "" | GLOBAL) || regions.is_empty() || regions.contains(region)
        };
        let mut gaps = self.gaps();
        let covers = |gap: &&Gap| {
            (gap.kind.is_empty() || kinds.contains(&gap.kind.as_str()))
                && (gap.scope.is_empty() || gap.scope == scope)
                && near(&gap.region)
        };
        gaps.find(covers).filter(|_| !kinds.is_empty()).cloned()
    }

    /// A bundle or an agent that nodes are told to have, now or while a roll-out
    /// lasts. Of a pointer that could not be read it may be any.
    pub(super) fn still_pointed(&self, object: &Object) -> bool {
        let Body::StoredObject(stored) = &object.body else { return false };
        let scope = object.address.scope();
        let pointer = Address::new(scope, "pointer", "any");
        let named = |other: &Object| match &other.body {
            Body::Pointer(pointer) if other.address.scope() == scope => {
                pointer.target.is_null() || pointer.digests().contains(&stored.digest())
            }
            _ => false,
        };
        self.gap(&object.region, &pointer).is_some() || self.observed.objects.iter().any(named)
    }

    /// An agent that a node may yet be started with: a template names it, or
    /// the group launches from a version of its template that is not the
    /// newest, the only one whose script is known.
    pub(super) fn still_started(&self, object: &Object) -> bool {
        let Body::StoredObject(stored) = &object.body else { return false };
        if !is_agent(&object.address) {
            return false;
        }
        let scope = object.address.scope();
        let unread = ["launch-template", "scaling-group"].iter().any(|kind| {
            let address = Address::new(scope, kind, "workers");
            self.gap(&object.region, &address).is_some()
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
}
