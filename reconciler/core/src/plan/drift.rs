//! Why something differs, and which of it is only reported.

use crate::address::{Address, refs_in_value};
use crate::desired::Resource;
use crate::kind::{Body, Kind, Parameter, Pointer, SigningKey};
use crate::manifest::cluster::DriftMode;
use crate::observed::Object;

use super::change::{Action, Change, Reason};
use super::converge::attributes;
use super::diff::Difference;
use super::draft::{Draft, Open};

impl<'a> Draft<'a> {
    /// Takes out drift that is only to be reported.
    pub(super) fn set_reported_apart(
        &mut self,
        resource: &Resource,
        object: &Object,
        found: Vec<Difference>,
    ) -> Vec<(Difference, Reason)> {
        let with_reason: Vec<_> = found
            .into_iter()
            .map(|difference| {
                let reason = self.reason(resource, &difference);
                (difference, reason)
            })
            .collect();
        if !self.only_reports(resource) {
            return with_reason;
        }
        let unread = self.revision_unread(resource.address.scope());
        let (drift, rest): (Vec<_>, Vec<_>) =
            with_reason.into_iter().partition(|(_, reason)| match reason {
                Reason::Drift => true,
                Reason::Differs => unread,
                _ => false,
            });
        if !drift.is_empty() {
            let change = Change {
                address: object.address.clone(),
                kind: object.address.kind().into(),
                action: Action::Update,
                reason: main_reason(&drift),
                id: Some(object.id.clone()),
                attributes: attributes(drift),
                resource: None,
                object: None,
            };
            self.scope(object.address.scope()).reported.push(change);
        }
        rest
    }

    /// What the applied revision desired of it.
    pub(super) fn before(&self, resource: &Resource) -> Option<&'a Resource> {
        self.context.applied.get(resource.address.scope())?.get(&resource.address)
    }

    pub(super) fn only_reports(&self, resource: &Resource) -> bool {
        let policy = self.desired.scopes.get(resource.address.scope());
        policy.is_some_and(|policy| policy.drift == DriftMode::Report)
    }

    fn reason(&self, resource: &Resource, difference: &Difference) -> Reason {
        let wanted = resource.body.attributes();
        let now = wanted.get(&difference.attribute);
        let coming = now.into_iter().flat_map(refs_in_value).find_map(|reference| {
            let unanswered = self.answer(&reference).is_none();
            match self.open(&reference) {
                Open::Coming(address) if unanswered => Some(address),
                _ => None,
            }
        });
        // Another bundle is there because the manifests ask for it.
        let is_told = resource.address.kind() == Pointer::NAME && difference.attribute == "target";
        let coming = coming.filter(|_| !is_told);
        if let Some(address) = coming {
            return Reason::Follows(address.to_string());
        }
        if let Some(reason) = self.rolls_out(resource, &difference.attribute) {
            return reason;
        }
        let Some(before) = self.before(resource) else { return Reason::Differs };
        let same = if difference.attribute == "tags" {
            before.tags == resource.tags
        } else {
            before.body.attributes().get(&difference.attribute) == now
        };
        if same { Reason::Drift } else { Reason::Changed }
    }

    /// What the cluster's own key has signed nobody else has changed.
    fn rolls_out(&self, resource: &Resource, attribute: &str) -> Option<Reason> {
        let Body::Pointer(seen) = &self.index.kept(&resource.address)?.body else { return None };
        let key = Address::new(resource.address.scope(), SigningKey::NAME, "node");
        let ours = self.index.kept(&key)?.output("public_key").as_ref() == Some(&seen.public_key);
        match attribute {
            _ if !ours || !seen.signed => None,
            "wave" | "previous" if !seen.previous.is_null() => Some(Reason::RollOut),
            "wave" | "previous" | "target" => Some(Reason::Changed),
            _ => None,
        }
    }

    /// A revision was applied, and what it said is not known: what differs may
    /// be drift.
    fn revision_unread(&self, scope: &str) -> bool {
        let object = self.index.kept(&Address::new(scope, Parameter::NAME, "applied"));
        let Some(Body::Parameter(applied)) = object.map(|object| &object.body) else {
            return false;
        };
        let is_revision = |text: &str| {
            let first = text.split_whitespace().next().unwrap_or_default();
            first.len() == 40 && first.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        !self.context.applied.contains_key(scope)
            && (is_revision(&applied.value) || is_revision(&applied.seed))
    }
}

/// Of several reasons the one a reader cares about most.
pub(super) fn main_reason(found: &[(Difference, Reason)]) -> Reason {
    let rank = |reason: &Reason| match reason {
        Reason::Changed | Reason::NeverReported(_) => 0,
        Reason::Drift => 1,
        Reason::RollOut => 2,
        Reason::Differs => 3,
        _ => 4,
    };
    let main = found.iter().map(|(_, reason)| reason).min_by_key(|reason| rank(reason));
    main.cloned().unwrap_or(Reason::Differs)
}
