//! A plan for a person at a terminal.

use std::fmt::Write;

use lyceum_core::plan::{Plan, ScopePlan};

use super::lines::{Line, Sign, is_quiet, of_scope};
use super::{Counts, Paint, View};

/// The plan, cluster by cluster, and a line that sums it up. Clusters with
/// nothing to say are counted, not listed.
pub fn plan(view: &View<'_>, paint: Paint) -> String {
    let mut text = String::new();
    for (name, scope) in &view.plan.scopes {
        text.push_str(&of_one(name, scope, paint));
    }
    push(&mut text, &paint.sign(Sign::Title, &summary(view)));
    if let Some(stats) = view.stats {
        text.push('\n');
        text.push_str(&stats.to_string());
    }
    text
}

/// What an execution leaves: what is held back or unknown, with what to do
/// about it, and roll-outs that are not through. Empty when there is nothing.
pub fn remaining(plan: &Plan, paint: Paint) -> String {
    let scopes = plan.scopes.iter().map(|(name, scope)| {
        let scope = ScopePlan {
            blocked: scope.blocked.clone(),
            gaps: scope.gaps.clone(),
            rollouts: scope.rollouts.clone(),
            ..ScopePlan::default()
        };
        (name.clone(), scope)
    });
    scopes.map(|(name, scope)| of_one(&name, &scope, paint)).collect()
}

/// `Plan: 3 to create, …; 1 blocked; 0 gaps (revision …)`.
pub fn summary(view: &View<'_>) -> String {
    let quiet = view.plan.scopes.values().filter(|scope| is_quiet(scope)).count();
    let unchanged = match quiet {
        0 => String::new(),
        count => format!("; {count} of {} as they should be", view.plan.scopes.len()),
    };
    format!("Plan: {}{unchanged} (revision {})", Counts::of(view.plan), short(view.revision))
}

/// A commit's id as people write it; other words as they are.
pub fn short(revision: &str) -> String {
    let (id, rest) = revision.split_at(revision.find('+').unwrap_or(revision.len()));
    let is_id = id.len() == 40 && id.chars().all(|c| c.is_ascii_hexdigit());
    if is_id { format!("{}{rest}", &id[..12]) } else { revision.into() }
}

/// A scope's lines below its name; nothing of a quiet one.
fn of_one(name: &str, scope: &ScopePlan, paint: Paint) -> String {
    let mut text = String::new();
    if is_quiet(scope) {
        return text;
    }
    push(&mut text, &paint.sign(Sign::Title, name));
    for line in of_scope(scope) {
        push(&mut text, &paint.sign(line.sign, &indented(&line)));
    }
    text.push('\n');
    text
}

fn indented(line: &Line) -> String {
    format!("{}{}", "  ".repeat(line.depth + 1), line.text)
}

fn push(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{}", line.trim_end()).ok();
}
