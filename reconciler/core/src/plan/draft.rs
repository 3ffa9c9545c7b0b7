//! A plan in the making: what is known of each address so far, and the scopes'
//! findings.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Ref};
use crate::desired::DesiredState;
use crate::manifest::cluster::Os;
use crate::observed::{Gap, Image, Object, ObservedState};
use crate::site::GLOBAL;

use super::PlanContext;
use super::change::{Action, Blocked, Change, Plan, ScopePlan};
use super::index::Index;

/// A plan in the making.
pub(crate) struct Draft<'a> {
    pub(crate) desired: &'a DesiredState,
    pub(crate) observed: &'a ObservedState,
    pub(crate) context: &'a PlanContext,
    pub(crate) index: Index<'a>,
    /// What must be there although no look found it.
    lost: Vec<Gap>,
    /// Clusters that are in another region than their manifest says.
    moved: BTreeMap<&'a str, &'a str>,
    known: BTreeMap<Address, Known<'a>>,
    scopes: BTreeMap<String, ScopePlan>,
    /// Deletions that no consent covers, by scope.
    unasked: BTreeMap<String, usize>,
}

/// What references to an address get.
#[derive(Clone, Debug)]
pub(crate) enum Known<'a> {
    /// The object's outputs.
    There(&'a Object),
    /// The object's outputs but those that its update changes.
    Changing(&'a Object),
    /// Nothing yet: it is made by this plan.
    Coming,
    /// Nothing, and not by this plan either.
    Not(String),
    /// It rests on something that could not be read.
    Unread(Gap),
}

/// Why a reference has no answer.
pub(crate) enum Open {
    /// It will have one when this plan's change of the address is done.
    Coming(Address),
    /// It will not: why.
    Not(String),
    /// It could not be read.
    Unread(Gap),
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        desired: &'a DesiredState,
        observed: &'a ObservedState,
        context: &'a PlanContext,
    ) -> Self {
        let index = Index::new(observed);
        let known =
            index.all().map(|object| (object.address.clone(), Known::There(object))).collect();
        let scopes = desired
            .scopes
            .keys()
            .filter(|scope| context.includes(scope))
            .map(|scope| (scope.clone(), ScopePlan::default()))
            .collect();
        let moved = index
            .all()
            .filter(|object| object.region != GLOBAL)
            .filter(|object| {
                let policy = desired.scopes.get(object.address.scope());
                policy.is_some_and(|policy| policy.region != object.region)
            })
            .map(|object| (object.address.scope(), object.region.as_str()))
            .collect();
        let (lost, unasked) = (observed.lost(), BTreeMap::new());
        Self { desired, observed, context, index, lost, moved, known, scopes, unasked }
    }

    /// Everything that is unknown.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.observed.gaps.iter().chain(&self.lost)
    }

    /// Whether something of this region and address is unknown.
    pub(crate) fn gap(&self, region: &str, address: &Address) -> Option<&Gap> {
        self.gaps().find(|gap| gap.covers(region, address))
    }

    pub(crate) fn scope(&mut self, name: &str) -> &mut ScopePlan {
        self.scopes.entry(name.to_string()).or_default()
    }

    pub(crate) fn learn(&mut self, address: &Address, known: Known<'a>) {
        self.known.insert(address.clone(), known);
    }

    /// The region a cluster is in although its manifest names another.
    pub(crate) fn moved_from(&self, scope: &str) -> Option<&'a str> {
        self.moved.get(scope).copied()
    }

    /// The answer to a reference, if there is one now.
    pub(crate) fn answer(&self, reference: &Ref) -> Option<String> {
        match self.known.get(&reference.address) {
            Some(Known::There(object)) => object.output(&reference.output),
            Some(Known::Changing(object)) => {
                let volatile = object.facts().volatile.contains(&reference.output.as_str());
                (!volatile).then(|| object.output(&reference.output)).flatten()
            }
            Some(_) => None,
            None => self.observed.surroundings.answer(reference),
        }
    }

    /// What is certain of an object that is yet to come.
    pub(crate) fn foretold(&self, reference: &Ref) -> Option<String> {
        let Some(Known::Coming) = self.known.get(&reference.address) else { return None };
        let coming = self.desired.resources.get(&reference.address)?;
        coming.body.foretold(&reference.output).map(String::from)
    }

    /// Why a reference has no answer.
    pub(crate) fn open(&self, reference: &Ref) -> Open {
        let address = &reference.address;
        match self.known.get(address) {
            Some(Known::Coming | Known::Changing(_)) => Open::Coming(address.clone()),
            Some(Known::Unread(gap)) => Open::Unread(gap.clone()),
            Some(Known::Not(why)) => Open::Not(format!("{address} is not there: {why}")),
            Some(Known::There(_)) => {
                Open::Not(format!("{address} has no output {}", reference.output))
            }
            None if self.desired.resources.contains_key(address) => Open::Coming(address.clone()),
            None => match self.unread_surroundings(address) {
                Some(gap) => Open::Unread(gap.clone()),
                None => Open::Not(self.absent(reference)),
            },
        }
    }

    /// An empty list of zones or images may be one that failed.
    fn unread_surroundings(&self, address: &Address) -> Option<&Gap> {
        self.gap(address.scope().strip_prefix('@')?, address)
    }

    /// Counts a deletion against the limit unless a consent covers it.
    pub(crate) fn remove(&mut self, change: Change, consented: bool) {
        let scope = change.address.scope().to_string();
        if !consented {
            *self.unasked.entry(scope.clone()).or_default() += 1;
        }
        self.scope(&scope).changes.push(change);
    }

    /// Applies the limit, sorts, and hands the plan over.
    pub(crate) fn finish(mut self) -> Plan {
        self.notice_images();
        self.notice_secrets();
        self.tell_rollouts();
        let limit = self.context.policy.deletes_per_plan;
        for (name, scope) in &mut self.scopes {
            let unasked = self.unasked.get(name).copied().unwrap_or(0);
            if unasked > limit {
                scope.changes.clear();
                scope.blocked.push(over_limit(name, unasked, limit));
            }
            scope.changes.sort_by(|a, b| (&a.address, a.action).cmp(&(&b.address, b.action)));
            scope.reported.sort_by(|a, b| a.address.cmp(&b.address));
            scope.blocked.sort();
            scope.blocked.dedup();
            scope.gaps.sort();
            scope.gaps.dedup();
            scope.notices.sort();
        }
        Plan { scopes: self.scopes }
    }

    fn absent(&self, reference: &Ref) -> String {
        let name = reference.address.name();
        match reference.address.kind() {
            "hosted-zone" => format!("no public hosted zone in this account holds {name}"),
            "image" => format!("no image of {name} is offered in this region"),
            "zone" => "the region has too few availability zones".into(),
            _ => format!("{} is not there", reference.address),
        }
    }

    /// A newer image is worth knowing, never a change.
    fn notice_images(&mut self) {
        let mut notices = BTreeSet::new();
        for object in self.index.all().filter(|object| object.address.kind() == "launch-template") {
            let seen = object.body.attributes();
            let (Some(os), Some(image)) = (seen["os"].as_str(), seen["image"].as_str()) else {
                continue;
            };
            let Some(images) = self.observed.surroundings.images.get(&object.region) else {
                continue;
            };
            // What was made for an image of its own says that image; of which
            // system it is stands in the manifest alone.
            let pinned = images.get(os).filter(|_| os.starts_with("ami-"));
            let declared = self.desired.scopes.get(object.address.scope());
            let declared = declared.and_then(|policy| policy.os).map(Os::as_str);
            let newest = match pinned {
                Some(own) => {
                    let newest = declared.and_then(|system| images.get(system));
                    newest.filter(|newest| succeeds(newest, own))
                }
                None => images.get(os),
            };
            if let Some(newest) = newest
                && newest.id != image
                && self.context.includes(object.address.scope())
            {
                let text = format!(
                    "{} uses {image}; {} ({}) is newer: set spec.image to take it",
                    object.address, newest.id, newest.name
                );
                notices.insert((object.address.scope().to_string(), text));
            }
        }
        for (scope, text) in notices {
            self.scope(&scope).notices.push(text);
        }
    }

    fn tell_rollouts(&mut self) {
        for (name, rollout) in &self.desired.rollouts {
            let Some(scope) = self.scopes.get_mut(name) else { continue };
            // What is left as it is rolls nowhere.
            if !scope.suspended {
                scope.rollouts = rollout.states.values().cloned().collect();
            }
            scope.nodes = rollout.nodes.clone();
        }
    }

    fn notice_secrets(&mut self) {
        for (name, policy) in &self.desired.scopes {
            let Some(there) = self.observed.surroundings.secrets.get(&policy.region) else {
                continue;
            };
            for secret in policy.secrets.difference(there).filter(|_| self.context.includes(name)) {
                let text = format!(
                    "the secret {secret} is not there: `lyceum secret set {secret} --region {}`",
                    policy.region
                );
                self.scopes.entry(name.clone()).or_default().notices.push(text);
            }
        }
    }
}

/// Whether an image is a later one of the same making: such names differ in their
/// dates and builds alone. Of an image of somebody's own none is.
fn succeeds(newest: &Image, own: &Image) -> bool {
    let making = |image: &Image| -> String {
        image.name.chars().filter(|letter| !letter.is_ascii_digit()).collect()
    };
    making(newest) == making(own) && newest.name > own.name
}

fn over_limit(scope: &str, unasked: usize, limit: usize) -> Blocked {
    Blocked {
        address: scope.into(),
        action: Action::Delete,
        cause: format!(
            "the plan would delete {unasked} objects of it, the limit is {limit} \
             (spec.limits.deletesPerPlan in lyceum.yaml); nothing of it is done"
        ),
        id: None,
        consent: false,
    }
}
