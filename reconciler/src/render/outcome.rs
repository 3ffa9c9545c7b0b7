//! What became of a plan, for a person.

use std::fmt::Write;

use lyceum_core::report::{Outcome, Report};

use super::Paint;
use super::difference::clean;
use super::lines::Sign;

/// What failed and what waits, each with its reason, and a line that sums it up.
pub fn outcomes(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    let (mut done, mut failed, mut waiting, mut left) = (0, 0, 0, 0);
    for (address, outcome) in &report.outcomes {
        match outcome {
            Outcome::Applied => done += 1,
            Outcome::Failed(failure) => {
                failed += 1;
                let line = format!("failed: {address}: {}", clean(&failure.error));
                push(&mut text, &paint.sign(Sign::Removed, &line));
                push(&mut text, &format!("  hint: {}", failure.hint));
            }
            Outcome::Waiting { on } => {
                waiting += 1;
                push(&mut text, &format!("waiting: {address} for {on}"));
            }
            Outcome::Superseded => {
                left += 1;
                push(&mut text, &format!("not begun: {address}"));
            }
        }
    }
    let mut summary = format!("Applied: {done} done, {failed} failed, {waiting} waiting");
    if left > 0 {
        summary.push_str(&format!(", {left} not begun"));
    }
    push(&mut text, &paint.sign(Sign::Title, &summary));
    text
}

fn push(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{line}").ok();
}
