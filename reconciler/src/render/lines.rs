//! A scope's plan as lines, before they become text for a terminal or for a
//! pull request.

use lyceum_core::plan::{Action, AttributeChange, Blocked, Change, ScopePlan};

use super::difference::{clean, differences, shorten};
use super::{nodes, symbol, word};

/// Longest cause of a gap, in characters: services answer with whole pages.
const LONGEST_CAUSE: usize = 300;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Create,
    Update,
    Replace,
    Delete,
    /// Of a text: comes.
    Added,
    /// Of a text: goes.
    Removed,
    Blocked,
    Gap,
    Reported,
    Note,
    Title,
    Faint,
    Plain,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sign: Sign,
    /// Steps of indentation.
    pub(crate) depth: usize,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn new(sign: Sign, depth: usize, text: impl Into<String>) -> Self {
        Self { sign, depth, text: text.into() }
    }
}

/// Everything a scope's plan says, in the order in which it matters.
pub(crate) fn of_scope(scope: &ScopePlan) -> Vec<Line> {
    let mut lines = Vec::new();
    if scope.suspended {
        lines.push(Line::new(Sign::Note, 0, "suspended: everything is left as it is"));
    }
    scope.changes.iter().for_each(|change| of_change(change, &mut lines));
    scope.blocked.iter().for_each(|blocked| of_blocked(blocked, &mut lines));
    for gap in &scope.gaps {
        let kind = if gap.kind.is_empty() { "everything" } else { &gap.kind };
        let region = if gap.region.is_empty() { "every region" } else { &gap.region };
        let text = format!("? unknown, left alone: {kind} in {region}");
        lines.push(Line::new(Sign::Gap, 0, text));
        lines.push(Line::new(Sign::Plain, 2, shorten(&clean(&gap.cause), LONGEST_CAUSE)));
    }
    scope.reported.iter().for_each(|change| of_reported(change, &mut lines));
    lines.extend(scope.rollouts.iter().flat_map(nodes::of_rollout));
    lines.extend(nodes::of_nodes(&scope.nodes));
    for notice in &scope.notices {
        lines.push(Line::new(Sign::Note, 0, format!("* {}", clean(notice))));
    }
    lines
}

/// Nothing is said of the scope.
pub(crate) fn is_quiet(scope: &ScopePlan) -> bool {
    of_scope(scope).is_empty()
}

/// The sign of an action.
pub(crate) fn sign(action: Action) -> Sign {
    match action {
        Action::Create => Sign::Create,
        Action::Update => Sign::Update,
        Action::Replace => Sign::Replace,
        Action::Delete => Sign::Delete,
    }
}

fn of_change(change: &Change, lines: &mut Vec<Line>) {
    let id = change.id.as_ref().map(|id| format!(" [{}]", clean(id))).unwrap_or_default();
    let text = format!("{} {}{id}  ({})", symbol(change.action), change.address, change.reason);
    lines.push(Line::new(sign(change.action), 0, text));
    // What goes is named; what it was is in the JSON.
    if change.action != Action::Delete {
        change.attributes.iter().for_each(|attribute| of_attribute(change, attribute, lines));
    }
}

fn of_attribute(change: &Change, attribute: &AttributeChange, lines: &mut Vec<Line>) {
    let created = change.action == Action::Create;
    let mut shown = differences(&attribute.path, &attribute.before, &attribute.after, created);
    if let Some(first) = shown.first_mut().filter(|_| attribute.reason != change.reason) {
        first.text.push_str(&format!("  ({})", attribute.reason));
    }
    lines.append(&mut shown);
}

fn of_blocked(blocked: &Blocked, lines: &mut Vec<Line>) {
    let id = blocked.id.as_ref().map(|id| format!(" [{}]", clean(id))).unwrap_or_default();
    let what = format!("! blocked: {} {}{id}", word(blocked.action), blocked.address);
    lines.push(Line::new(Sign::Blocked, 0, what));
    lines.push(Line::new(Sign::Plain, 2, clean(&blocked.cause)));
    if let Some(hint) = blocked.hint() {
        lines.push(Line::new(Sign::Plain, 2, format!("hint: {}", clean(&hint))));
    }
}

fn of_reported(change: &Change, lines: &mut Vec<Line>) {
    let what = match change.action {
        Action::Create => "is gone",
        _ => "was changed",
    };
    let text = format!("= {} {what} outside the repository; only reported", change.address);
    lines.push(Line::new(Sign::Reported, 0, text));
    if change.action != Action::Create {
        change.attributes.iter().for_each(|attribute| of_attribute(change, attribute, lines));
    }
}
