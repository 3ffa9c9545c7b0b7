//! What happens while it happens: a live display on a terminal, plain lines
//! elsewhere. Both on standard error.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lyceum_core::cloud::CloudError;
use lyceum_core::plan::{Change, StepAction};

use crate::execute::Progress;
use crate::render::symbol;

/// Changes shown at the same time.
const SHOWN: usize = 12;

/// The display for this many changes.
pub(super) fn display(changes: usize) -> Box<dyn Progress> {
    if io::stderr().is_terminal() { Box::new(Live::new(changes)) } else { Box::new(Lines) }
}

/// `+ geo-101/vpc/main … done 0.4s`, a line when a step ended.
struct Lines;

impl Progress for Lines {
    fn begun(&self, _: &Change, _: StepAction) {}

    fn ended(
        &self,
        change: &Change,
        action: StepAction,
        took: Duration,
        error: Option<&CloudError>,
    ) {
        eprintln!("{}", line(change, action, took, error));
    }
}

/// A bar for the whole, and a line for each step in flight.
struct Live {
    lines: MultiProgress,
    whole: ProgressBar,
    flying: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Live {
    fn new(changes: usize) -> Self {
        let lines = MultiProgress::new();
        let whole = lines.add(ProgressBar::new(changes as u64));
        whole.set_style(style("{bar:30} {pos}/{len} {elapsed}"));
        Self { lines, whole, flying: Mutex::default() }
    }
}

impl Progress for Live {
    fn begun(&self, change: &Change, action: StepAction) {
        let mut flying = self.flying.lock().unwrap_or_else(PoisonError::into_inner);
        if flying.len() >= SHOWN {
            return;
        }
        let line = self.lines.add(ProgressBar::new_spinner());
        line.set_style(style("  {spinner} {msg} {elapsed}"));
        line.set_message(what(change, action));
        line.enable_steady_tick(Duration::from_millis(120));
        flying.insert(key(change, action), line);
    }

    fn ended(
        &self,
        change: &Change,
        action: StepAction,
        took: Duration,
        error: Option<&CloudError>,
    ) {
        let mut flying = self.flying.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = flying.remove(&key(change, action)) {
            line.finish_and_clear();
        }
        // The terminal may be gone; the work goes on.
        self.lines.println(line(change, action, took, error)).ok();
        if error.is_none() && finishes(change, action) {
            self.whole.inc(1);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.whole.finish_and_clear();
    }
}

fn line(change: &Change, action: StepAction, took: Duration, error: Option<&CloudError>) -> String {
    let end = match error {
        None => format!("done {:.1}s", took.as_secs_f64()),
        Some(error) => format!("not done: {error}"),
    };
    format!("{} … {end}", what(change, action))
}

fn what(change: &Change, action: StepAction) -> String {
    let step = match action {
        StepAction::Strip => " (letting go)",
        StepAction::Finish => " (completing)",
        StepAction::Create | StepAction::Update | StepAction::Delete => "",
    };
    format!("{} {}{step}", symbol(change.action), change.address)
}

fn key(change: &Change, action: StepAction) -> String {
    format!("{} {action:?} {:?}", change.address, change.id)
}

/// Whether nothing of a change comes after this step.
fn finishes(change: &Change, action: StepAction) -> bool {
    use lyceum_core::plan::Action;
    let late = !lyceum_core::kind::facts(&change.kind).late.is_empty();
    match (change.action, action) {
        (Action::Update, StepAction::Update) | (Action::Delete, StepAction::Delete) => true,
        (Action::Create | Action::Replace, StepAction::Finish) => true,
        (Action::Create | Action::Replace, StepAction::Create) => !late,
        _ => false,
    }
}

/// The templates are constants above: a wrong one shows as the default.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
