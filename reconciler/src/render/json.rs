//! A plan for a program. The shape is a promise: keys are added, never renamed
//! or removed.

use lyceum_core::node::rollout::{NodeState, RolloutState};
use lyceum_core::observed::Gap;
use lyceum_core::plan::{Action, AttributeChange, Blocked, Change, Reason, ScopePlan};
use serde::Serialize;
use serde_json::Value;

use super::{RunStats, View};

/// The plan as one JSON document, with a newline at its end.
pub fn plan(view: &View<'_>) -> String {
    pretty(&Document {
        revision: view.revision,
        clusters: view.plan.scopes.iter().map(|(name, scope)| of_scope(name, scope)).collect(),
        stats: view.stats,
    })
}

/// A value as an indented JSON document, with a newline at its end.
pub fn pretty(value: &impl Serialize) -> String {
    // What is shown has text keys throughout: it cannot fail.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// The stable word for a reason.
pub fn reason(reason: &Reason) -> &'static str {
    match reason {
        Reason::New => "new",
        Reason::Changed => "changed",
        Reason::Drift => "drift",
        Reason::Differs => "differs",
        Reason::Follows(_) => "follows",
        Reason::Undeclared => "undeclared",
        Reason::Duplicate => "duplicate",
        Reason::RollOut => "roll-out",
        Reason::InstanceGone => "instance-gone",
        Reason::NeverReported(_) => "never-reported",
    }
}

#[derive(Serialize)]
struct Document<'a> {
    revision: &'a str,
    clusters: Vec<Cluster<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<&'a RunStats>,
}

/// A cluster, or what the clusters of a region share, named `@region`.
#[derive(Serialize)]
struct Cluster<'a> {
    name: &'a str,
    changes: Vec<ChangeView<'a>>,
    blocked: Vec<BlockedView<'a>>,
    gaps: &'a [Gap],
    reported: Vec<ChangeView<'a>>,
    notices: &'a [String],
    suspended: bool,
    rollouts: &'a [RolloutState],
    nodes: &'a [NodeState],
}

#[derive(Serialize)]
struct ChangeView<'a> {
    address: String,
    kind: &'a str,
    action: Action,
    reason: &'static str,
    attributes: Vec<AttributeView<'a>>,
}

#[derive(Serialize)]
struct AttributeView<'a> {
    path: &'a str,
    before: &'a Value,
    after: &'a Value,
}

#[derive(Serialize)]
struct BlockedView<'a> {
    #[serde(flatten)]
    blocked: &'a Blocked,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

fn of_scope<'a>(name: &'a str, scope: &'a ScopePlan) -> Cluster<'a> {
    let blocked = scope.blocked.iter();
    Cluster {
        name,
        changes: scope.changes.iter().map(of_change).collect(),
        blocked: blocked.map(|blocked| BlockedView { blocked, hint: blocked.hint() }).collect(),
        gaps: &scope.gaps,
        reported: scope.reported.iter().map(of_change).collect(),
        notices: &scope.notices,
        suspended: scope.suspended,
        rollouts: &scope.rollouts,
        nodes: &scope.nodes,
    }
}

fn of_change(change: &Change) -> ChangeView<'_> {
    ChangeView {
        address: change.address.to_string(),
        kind: &change.kind,
        action: change.action,
        reason: reason(&change.reason),
        attributes: change.attributes.iter().map(of_attribute).collect(),
    }
}

fn of_attribute(attribute: &AttributeChange) -> AttributeView<'_> {
    let AttributeChange { path, before, after, .. } = attribute;
    AttributeView { path, before, after }
}
