//! From roles, what a cluster sets and what the node is, to the steps and checks
//! of that node: every text rendered, every file resolved, in order.
//!
//! Invariants: the same input gives the same plan; no secret is in it;
//! references to parameters stay references.

mod order;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bundle::{Bundle, Role};
use super::check::Probe;
use super::facts::Facts;
use super::pointer::Target;
use super::step::Action;
use super::template::{self, Scope, TemplateError, Templates};

/// Most steps of a node.
pub const MAX_STEPS: usize = 2_000;

/// What a node is to be, step by step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodePlan {
    /// In order: a role's includes before its own, each role once, and nothing
    /// before what it needs.
    pub steps: Vec<PlannedStep>,
    /// In the order of the roles.
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
pub fn node_plan(bundle: &Bundle, target: &Target, facts: &Facts) -> Result<NodePlan, PlanError> {
    let mut draft = Draft { templates: Templates::new(), steps: Vec::new(), ids: BTreeMap::new() };
    let (cluster, node) = (template::value(&target.cluster), template::value(facts));
    let mut checks = Vec::new();
    for name in roles(bundle, target)? {
        let role = found(bundle, name)?;
        let attributes = template::value(&attributes(role, name, target));
        let scope = Scope::new(attributes, cluster.clone(), node.clone());
        draft.add_steps(name, role, &scope)?;
        checks.extend(draft.checks(name, role, &scope)?);
    }
    Ok(NodePlan { steps: order::ordered(draft.steps, &draft.ids)?, checks })
}

/// A step as far as it is known before the others are.
pub(super) struct Drafted {
    pub(super) id: String,
    pub(super) role: String,
    pub(super) action: Action,
    pub(super) needs: Vec<String>,
}

/// Steps by `role/name`, as places in the list: none of one that was left out,
/// several of one with `each`.
pub(super) type Ids = BTreeMap<String, Vec<usize>>;

impl PlanError {
    pub(super) fn new(id: &str, message: impl Into<String>) -> Self {
        Self { id: id.into(), message: message.into() }
    }
}

/// The roles of a target, what they include before them, each once.
fn roles<'a>(bundle: &'a Bundle, target: &'a Target) -> Result<Vec<&'a str>, PlanError> {
    let mut order = Vec::new();
    for name in &target.roles {
        visit(bundle, name, &mut Vec::new(), &mut order)?;
    }
    Ok(order)
}

fn visit<'a>(
    bundle: &'a Bundle,
    name: &'a str,
    way: &mut Vec<&'a str>,
    order: &mut Vec<&'a str>,
) -> Result<(), PlanError> {
    if order.contains(&name) {
        return Ok(());
    }
    if way.contains(&name) {
        return Err(PlanError::new(name, format!("it includes itself, by {}", way.join(", "))));
    }
    way.push(name);
    for include in &found(bundle, name)?.manifest.spec.includes {
        visit(bundle, include, way, order)?;
    }
    way.pop();
    order.push(name);
    Ok(())
}

fn found<'a>(bundle: &'a Bundle, name: &str) -> Result<&'a Role, PlanError> {
    bundle.roles.get(name).ok_or_else(|| PlanError::new(name, "the bundle has no such role"))
}

/// A role's defaults, and over them what the cluster sets.
fn attributes<'a>(role: &'a Role, name: &str, target: &'a Target) -> BTreeMap<&'a str, &'a Value> {
    let declared = role.manifest.spec.attributes.iter();
    let mut values: BTreeMap<&str, &Value> = declared
        .filter_map(|(name, attribute)| Some((name.as_str(), attribute.default.as_ref()?)))
        .collect();
    let set = target.attributes.get(name).into_iter().flatten();
    values.extend(set.map(|(name, value)| (name.as_str(), value)));
    values
}

struct Draft {
    templates: Templates,
    steps: Vec<Drafted>,
    ids: Ids,
}

impl Draft {
    fn add_steps(&mut self, name: &str, role: &Role, scope: &Scope) -> Result<(), PlanError> {
        for step in &role.manifest.spec.steps {
            let id = format!("{name}/{}", step.name);
            let Some(action) = step.action() else {
                return Err(PlanError::new(&id, "it has to name exactly one kind of step"));
            };
            if self.ids.insert(id.clone(), Vec::new()).is_some() {
                return Err(PlanError::new(&id, "its role has two steps of this name"));
            }
            if !self.wanted(&id, step.when.as_deref(), scope)? {
                continue;
            }
            for (instance, scope) in self.instances(&id, step.each.as_deref(), scope)? {
                let action = self.rendered(&instance, role, &action, &scope)?;
                if self.steps.len() == MAX_STEPS {
                    return Err(PlanError::new(&id, format!("more than {MAX_STEPS} steps")));
                }
                self.ids.entry(id.clone()).or_default().push(self.steps.len());
                let needs = step.needs.clone();
                self.steps.push(Drafted { id: instance, role: name.into(), action, needs });
            }
        }
        Ok(())
    }

    fn checks(
        &self,
        name: &str,
        role: &Role,
        scope: &Scope,
    ) -> Result<Vec<PlannedCheck>, PlanError> {
        let mut planned = Vec::new();
        for check in &role.manifest.spec.checks {
            let id = format!("{name}/{}", check.name);
            if !self.wanted(&id, check.when.as_deref(), scope)? {
                continue;
            }
            let wrong = |error: serde_json::Error| PlanError::new(&id, error.to_string());
            let [kind] = check.kinds()[..] else {
                return Err(PlanError::new(&id, "it has to name exactly one kind of check"));
            };
            let fields = serde_json::to_value(check).map_err(wrong)?[kind].take();
            let fields = self.filled(&id, kind, fields, scope)?;
            planned
                .push(PlannedCheck { probe: Probe::from_fields(kind, fields).map_err(wrong)?, id });
        }
        Ok(planned)
    }

    fn wanted(&self, id: &str, when: Option<&str>, scope: &Scope) -> Result<bool, PlanError> {
        let Some(when) = when else { return Ok(true) };
        self.templates.holds(when, scope).map_err(|error| expression_error(id, "when", &error))
    }

    /// The ids of a step's instances, each with what its texts see.
    fn instances(
        &self,
        id: &str,
        each: Option<&str>,
        scope: &Scope,
    ) -> Result<Vec<(String, Scope)>, PlanError> {
        let Some(each) = each else { return Ok(vec![(id.into(), scope.clone())]) };
        let items = self.templates.list(each, scope);
        let items = items.map_err(|error| expression_error(id, "each", &error))?;
        let instance = |(place, item)| (format!("{id}[{place}]"), scope.with_item(item));
        Ok(items.into_iter().enumerate().map(instance).collect())
    }

    fn rendered(
        &self,
        id: &str,
        role: &Role,
        action: &Action,
        scope: &Scope,
    ) -> Result<Action, PlanError> {
        let wrong = |error: serde_json::Error| PlanError::new(id, error.to_string());
        let kind = action.kind();
        let fields = serde_json::to_value(action).map_err(wrong)?[kind].take();
        let fields = self.filled(id, kind, fields, scope)?;
        let action = Action::from_fields(kind, fields).map_err(wrong)?;
        resolve::with_files(id, role, action, &|name, text| {
            self.templates.render(name, text, scope).map_err(|error| text_error(id, &error))
        })
    }

    /// Every text in a value rendered; `name` is its place.
    fn filled(
        &self,
        id: &str,
        name: &str,
        value: Value,
        scope: &Scope,
    ) -> Result<Value, PlanError> {
        Ok(match value {
            Value::String(text) => Value::String(
                self.templates
                    .render(name, &text, scope)
                    .map_err(|error| text_error(id, &error))?,
            ),
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                let fill =
                    |(place, item)| self.filled(id, &format!("{name}[{place}]"), item, scope);
                Value::Array(items.map(fill).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let fill = |(key, item): (String, Value)| {
                    let item = self.filled(id, &format!("{name}.{key}"), item, scope)?;
                    Ok((key, item))
                };
                Value::Object(map.into_iter().map(fill).collect::<Result<_, _>>()?)
            }
            other => other,
        })
    }
}

fn text_error(id: &str, error: &TemplateError) -> PlanError {
    PlanError::new(id, error.to_string())
}

fn expression_error(id: &str, field: &str, error: &TemplateError) -> PlanError {
    PlanError::new(id, format!("{field}: {}", error.message))
}
