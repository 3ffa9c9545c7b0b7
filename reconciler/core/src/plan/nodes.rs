//! What is done about nodes: reports of those that are gone are removed, and
//! those that never reported are replaced.
//!
//! Invariants: a report goes only when its instance is known to be gone; a
//! worker at a time is replaced, none that somebody works on, and not for ever
//! where none of the group reports; the hub is replaced with consent only.

use crate::address::Address;
use crate::desired::{ReportWithin, Resource, ScopePolicy};
use crate::kind::{Body, Instance, Kind, NodeReport, ScalingGroup, Worker};
use crate::manifest::cluster::DriftMode;
use crate::manifest::repository::Deed;
use crate::observed::{Life, LiveInstance, Object};

use super::change::{Action, Blocked, Change, Reason};
use super::diff::{Difference, Effect};
use super::draft::Draft;

/// Instances that a group may have had within the hour while none of it reports
/// and yet another is tried.
const TRIES_AN_HOUR: usize = 3;
const HOUR: i64 = 3600;
/// The attribute, of no object, that stands for a report that never came.
pub(super) const REPORT: &str = "report";

impl<'a> Draft<'a> {
    /// Whether an object is the report of an instance that is gone.
    pub(super) fn outlived(&self, object: &Object) -> bool {
        let Body::NodeReport(_) = &object.body else { return false };
        let id = object.address.name();
        let alive = |it: &LiveInstance| it.id == id && it.life != Life::Gone;
        !self.unread_nodes(object.address.scope(), &object.region)
            && !self.observed.instances.iter().any(alive)
    }

    /// Decides about workers that never reported.
    pub(crate) fn replace_mute_workers(&mut self) {
        for (scope, policy) in &self.desired.scopes {
            let Some(within) = policy.report_within.filter(|_| self.may_tend(scope, policy)) else {
                continue;
            };
            let Some(worker) = self.mute_worker(scope, within) else { continue };
            let change = self.end(worker, within);
            let address = change.address.to_string();
            let consented = self.context.policy.consents_to(Deed::Delete, &address, &worker.id);
            if policy.drift == DriftMode::Report && !consented {
                self.scope(scope).reported.push(change);
            } else if let Some(cause) = self.hopeless(worker, within).filter(|_| !consented) {
                self.scope(scope).blocked.push(Blocked {
                    address: change.address.to_string(),
                    action: Action::Delete,
                    cause,
                    id: change.id,
                    consent: true,
                });
            } else {
                self.remove(change, consented);
            }
        }
    }

    /// What stands for a hub that never reported, among what differs of it.
    pub(super) fn mute_hub(
        &self,
        resource: &Resource,
        object: &Object,
    ) -> Option<(Difference, Reason)> {
        let scope = resource.address.scope();
        let within = self.desired.scopes.get(scope)?.report_within?;
        let mut instances = self.observed.instances.iter();
        let hub =
            instances.find(|it| it.id == object.id && object.address.kind() == Instance::NAME)?;
        if self.unread_nodes(scope, &object.region) || !self.is_mute(hub, within) {
            return None;
        }
        let difference =
            Difference { attribute: REPORT.into(), effect: Effect::Replace, leaves: Vec::new() };
        Some((difference, Reason::NeverReported(within.0)))
    }

    fn may_tend(&self, scope: &str, policy: &ScopePolicy) -> bool {
        self.context.includes(scope)
            && !policy.suspend
            && policy.unknown.is_none()
            && !self.context.policy.destroy.contains(scope)
            && self.moved_from(scope).is_none()
            && !self.unread_nodes(scope, &policy.region)
    }

    /// Something that tells of a cluster's nodes could not be read.
    fn unread_nodes(&self, scope: &str, region: &str) -> bool {
        let kinds = [Instance::NAME, ScalingGroup::NAME, NodeReport::NAME];
        let gap = |kind: &str| self.gap(region, &Address::new(scope, kind, "any"));
        kinds.iter().any(|kind| gap(kind).is_some())
    }

    /// The worker that has been silent for the longest; none while another may
    /// yet report: one at a time.
    fn mute_worker(&self, scope: &str, within: ReportWithin) -> Option<&'a LiveInstance> {
        let workers = || self.workers(scope).filter(|worker| worker.life == Life::Up);
        let comes = |worker: &LiveInstance| !self.reports(worker) && !self.is_mute(worker, within);
        if workers().any(comes) {
            return None;
        }
        let mute = workers().filter(|worker| self.is_mute(worker, within) && !worker.protected);
        let grouped = mute.filter(|worker| worker.scaling_group.is_some());
        grouped.min_by_key(|worker| (worker.launched, &worker.id))
    }

    fn workers(&self, scope: &str) -> impl Iterator<Item = &'a LiveInstance> {
        let mine = |it: &&LiveInstance| it.cluster == scope && it.group == "workers";
        let all: Vec<_> = self.observed.instances.iter().filter(mine).collect();
        all.into_iter()
    }

    fn is_mute(&self, instance: &LiveInstance, within: ReportWithin) -> bool {
        let late = self.context.now - instance.launched > within.seconds();
        instance.life == Life::Up && late && !self.reports(instance)
    }

    fn reports(&self, instance: &LiveInstance) -> bool {
        let address = Address::new(&instance.cluster, NodeReport::NAME, &instance.id);
        self.index.kept(&address).is_some()
    }

    /// Why another instance would do no better. Where one of the group reports,
    /// the group is well, and it is this one.
    fn hopeless(&self, worker: &LiveInstance, within: ReportWithin) -> Option<String> {
        let group = || self.workers(&worker.cluster);
        if group().any(|other| other.life == Life::Up && self.reports(other)) {
            return None;
        }
        let tried = group().filter(|it| self.context.now - it.launched < HOUR).count();
        (tried >= TRIES_AN_HOUR).then(|| {
            format!(
                "it has not reported within {} minutes of its launch, but no worker of the cluster \
                 reports, and {tried} were launched within the hour: another will hardly do better. \
                 Look at the log of its agent, and at the roles and the image",
                within.0
            )
        })
    }

    fn end(&self, worker: &LiveInstance, within: ReportWithin) -> Change {
        let address = Address::new(&worker.cluster, Worker::NAME, &worker.id);
        let body = Worker { scaling_group: worker.scaling_group.clone().unwrap_or_default() };
        let object = Object {
            address: address.clone(),
            region: worker.region.clone(),
            id: worker.id.clone(),
            outputs: Default::default(),
            tags: Default::default(),
            body: body.into(),
        };
        Change {
            address,
            kind: Worker::NAME.into(),
            action: Action::Delete,
            reason: Reason::NeverReported(within.0),
            id: Some(worker.id.clone()),
            attributes: Vec::new(),
            resource: None,
            object: Some(object),
        }
    }
}
