//! A report for people: what is not as it should be in full, the rest as a
//! number.

use std::fmt::Write;

use lyceum_core::node::converge::Mode;
use lyceum_core::node::report::{NodeReport, StepOutcome, StepReport, TargetReport};
use lyceum_core::node::step::Difference;

/// Longest line of a difference.
const WIDTH: usize = 160;

/// As JSON.
pub(super) fn json(report: &NodeReport) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// As text, at this moment, in seconds since 1970.
pub(super) fn text(report: &NodeReport, mode: Mode, now: i64) -> String {
    let mut text = String::new();
    if report.pointer.sequence > 0 {
        text.push_str(&pointer(report, now));
    }
    for step in &report.steps {
        text.push_str(&of_step(step));
    }
    for check in report.checks.iter().filter(|check| !check.holds) {
        let _ = writeln!(text, "does not hold  {}: {}", check.id, check.seen);
    }
    if !report.pointer.refused.is_empty() {
        let _ = writeln!(text, "pointer refused: {}", report.pointer.refused);
    }
    text.push_str(&summary(report, mode));
    text
}

fn pointer(report: &NodeReport, now: i64) -> String {
    let revision = |target: &Option<TargetReport>| {
        target.as_ref().map_or("nothing", |target| target.revision.as_str()).to_string()
    };
    let (attempted, applied) = (revision(&report.attempted), revision(&report.applied));
    let age = (now - report.pointer.seen).max(0);
    format!(
        "pointer {}, seen {age} s ago; attempted {attempted}, applied {applied}\n",
        report.pointer.sequence
    )
}

fn of_step(step: &StepReport) -> String {
    let (id, kind) = (&step.id, &step.kind);
    match &step.outcome {
        StepOutcome::Unchanged => String::new(),
        StepOutcome::Changed { differences } => {
            format!("changed        {id} ({kind}, {} ms)\n{}", step.took_ms, lines(differences))
        }
        StepOutcome::Would { differences } => {
            format!("would change   {id} ({kind})\n{}", lines(differences))
        }
        StepOutcome::Failed { error, hint, .. } => {
            format!("failed         {id} ({kind}): {error}\n  hint: {hint}\n")
        }
        StepOutcome::Blocked { on } => format!("blocked        {id} ({kind}): waits for {on}\n"),
    }
}

fn lines(differences: &[Difference]) -> String {
    let short = |text: &str| {
        let line = text.replace('\n', "\\n");
        let mut short: String = line.chars().take(WIDTH).collect();
        if short.len() < line.len() {
            short.push('…');
        }
        short
    };
    let line = |it: &Difference| match (it.before.as_str(), it.after.as_str()) {
        ("", "") => format!("  {}\n", it.what),
        (before, "") => format!("  {}: {} → nothing\n", it.what, short(before)),
        ("", after) => format!("  {}: {}\n", it.what, short(after)),
        (before, after) => format!("  {}: {} → {}\n", it.what, short(before), short(after)),
    };
    differences.iter().map(line).collect()
}

fn summary(report: &NodeReport, mode: Mode) -> String {
    let count =
        |of: fn(&StepOutcome) -> bool| report.steps.iter().filter(|step| of(&step.outcome)).count();
    let parts = [
        (count(|it| matches!(it, StepOutcome::Unchanged)), "unchanged"),
        (count(|it| matches!(it, StepOutcome::Changed { .. })), "changed"),
        (count(|it| matches!(it, StepOutcome::Would { .. })), "would change"),
        (count(|it| matches!(it, StepOutcome::Failed { .. })), "failed"),
        (count(|it| matches!(it, StepOutcome::Blocked { .. })), "blocked"),
    ];
    let parts = parts.iter().filter(|(number, name)| *number > 0 || *name == "unchanged");
    let parts: Vec<String> = parts.map(|(number, name)| format!("{number} {name}")).collect();
    let mut text = format!("{} steps: {}", report.steps.len(), parts.join(", "));
    if mode == Mode::Apply {
        let holding = report.checks.iter().filter(|check| check.holds).count();
        let _ = write!(text, "; {holding} of {} checks hold", report.checks.len());
    }
    let _ = writeln!(text, "; {} ms", report.took_ms);
    text
}
