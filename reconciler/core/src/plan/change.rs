//! What a plan says: changes with their reasons, what is blocked and on what.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::address::Address;
use crate::desired::Resource;
use crate::kind::Rule;
use crate::node::rollout::{NodeState, Phase, RolloutState};
use crate::observed::{Gap, Object};

/// What would make AWS match the manifests, by cluster and `@region`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// By cluster name or `@region`; a scope with nothing to say is there too.
    pub scopes: BTreeMap<String, ScopePlan>,
}

impl Plan {
    /// Every change of every scope.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.scopes.values().flat_map(|scope| &scope.changes)
    }

    /// Nothing to change; blocked things and gaps do not count.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }
}

/// What would make one cluster, or what a region's clusters share, match.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ScopePlan {
    /// What is done, by address.
    pub changes: Vec<Change>,
    /// What should be done and is not, and what it waits for.
    pub blocked: Vec<Blocked>,
    /// What is unknown and therefore left alone.
    pub gaps: Vec<Gap>,
    /// Drift that the manifest wants reported, not repaired.
    pub reported: Vec<Change>,
    /// Worth knowing: a newer image, a missing secret.
    pub notices: Vec<String>,
    /// The manifest says to leave everything as it is.
    pub suspended: bool,
    /// How the roll-out of each group stands.
    pub rollouts: Vec<RolloutState>,
    /// How its nodes are.
    pub nodes: Vec<NodeState>,
}

impl ScopePlan {
    /// No node is on its way, stopped or held back.
    pub fn is_rolled_out(&self) -> bool {
        self.rollouts.iter().all(|rollout| rollout.phase == Phase::Settled)
    }

    /// The next wave may come any moment.
    pub fn is_rolling(&self) -> bool {
        let moves = |phase| matches!(phase, Phase::Rolling | Phase::GoingBack);
        self.rollouts.iter().any(|rollout| moves(rollout.phase))
    }
}

/// One object's change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Whose.
    pub address: Address,
    /// The kind's name.
    pub kind: String,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The id of the object there; none when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Attribute by attribute, by path.
    pub attributes: Vec<AttributeChange>,
    /// What should be, references that are known answered.
    #[serde(skip)]
    pub resource: Option<Resource>,
    /// What is there.
    #[serde(skip)]
    pub object: Option<Object>,
}

impl Change {
    /// Whether it ends what people do on a machine that is there: stops it, or
    /// takes it away.
    pub fn disrupts(&self) -> bool {
        let Some(facts) = self.object.as_ref().map(Object::facts) else { return false };
        let stops = |change: &AttributeChange| {
            let name = change.path.split(['.', '[']).next().unwrap_or_default();
            facts.rule(name) == Rule::Restart
        };
        match self.action {
            Action::Create => false,
            Action::Update => self.attributes.iter().any(stops),
            Action::Replace | Action::Delete => facts.disrupts,
        }
    }
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Made.
    Create,
    /// Changed in place (a machine perhaps by stopping and starting it).
    Update,
    /// Removed and made anew.
    Replace,
    /// Removed.
    Delete,
}

/// Why something is changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "what")]
pub enum Reason {
    /// The manifest asks for it and it was never there.
    New,
    /// The manifest changed.
    Changed,
    /// It was changed or removed outside the repository.
    Drift,
    /// It differs, and no applied revision tells since when.
    Differs,
    /// What it refers to changes.
    Follows(String),
    /// No manifest asks for it any more.
    Undeclared,
    /// A second object of one address.
    Duplicate,
    /// A roll-out goes on.
    RollOut,
    /// Its instance is gone.
    InstanceGone,
    /// It did not report within this many minutes of its launch.
    NeverReported(u32),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::New => write!(f, "declared, not there yet"),
            Self::Changed => write!(f, "the manifest changed"),
            Self::Drift => write!(f, "changed outside the repository"),
            Self::Differs => write!(f, "differs from the manifest"),
            Self::Follows(address) => write!(f, "follows {address}"),
            Self::Undeclared => write!(f, "no manifest asks for it any more"),
            Self::Duplicate => write!(f, "a second object of one address"),
            Self::RollOut => write!(f, "the roll-out goes on"),
            Self::InstanceGone => write!(f, "its instance is gone"),
            Self::NeverReported(minutes) => {
                write!(f, "it did not report within {minutes} minutes of its launch")
            }
        }
    }
}

/// One attribute's change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttributeChange {
    /// Dotted path, such as `rules` or `tags.Name`.
    pub path: String,
    /// What is there; null when nothing is.
    pub before: Value,
    /// What should be; a reference not yet known stands as `@{…}`.
    pub after: Value,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

/// What should be done and is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Blocked {
    /// Whose; a cluster's name for all of it.
    pub address: String,
    /// What would be done.
    pub action: Action,
    /// Why it is not.
    pub cause: String,
    /// The present id; with the address, what a consent names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether a consent in `consents.yaml` would lift it.
    pub consent: bool,
}

impl Blocked {
    /// As `to` in a consent says it.
    fn deed(&self) -> &'static str {
        match self.action {
            // Another one in the place of what is lost.
            Action::Create | Action::Replace => "replace",
            Action::Update => "restart",
            Action::Delete => "delete",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let id = self.id.as_deref().filter(|_| self.consent)?;
        Some(format!(
            "to consent, add to consents.yaml: {{address: {}, id: {}, to: {}, reason: \"…\"}}",
            Value::from(self.address.as_str()),
            Value::from(id),
            self.deed()
        ))
    }
}
