//! From roles, what a cluster sets and what the node is, to the steps and checks
//! of that node: every text rendered, every file resolved, in order.
//!
//! Invariants: the same input gives the same plan; no secret is in it;
//! references to parameters stay references.

use std::collections::BTreeSet;

use super::bundle::Bundle;
use super::check::Probe;
use super::facts::Facts;
use super::pointer::Target;
use super::step::Action;

/// What a node is to be, step by step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodePlan {
    /// In order: a role's includes before its own, each role once.
    pub steps: Vec<PlannedStep>,
    /// In the same order.
    pub checks: Vec<PlannedCheck>,
}

/// One step, rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// `role/name`, with `[3]` for the fourth of a list.
    pub id: String,
    /// What it is.
    pub action: Action,
    /// Ids of the steps that have to be as they should be before it: said in
    /// the role, and found from paths, users, units and Docker.
    pub needs: BTreeSet<String>,
    /// Ids of the steps it watches.
    pub watches: BTreeSet<String>,
}

/// One check, rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCheck {
    /// `role/name`.
    pub id: String,
    /// What it looks at.
    pub probe: Probe,
}

/// A role that makes no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id}: {message}")]
pub struct PlanError {
    /// The role, step or check.
    pub id: String,
    /// What is wrong, with the place in the template where there is one.
    pub message: String,
}

/// The plan of a node.
pub fn node_plan(
    _bundle: &Bundle,
    _target: &Target,
    _facts: &Facts,
) -> Result<NodePlan, PlanError> {
    Ok(NodePlan::default())
}
