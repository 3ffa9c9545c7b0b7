//! What was attempted, and what became of it.

use std::fmt;

use super::action::Call;

const KEPT: usize = 500_000;

/// One call, from the moment it arrived.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its place in the order of arrival, from 1.
    pub sequence: u64,
    /// `ec2:CreateVpc`.
    pub action: String,
    /// It changes something.
    pub mutating: bool,
    /// As signed for.
    pub region: String,
    /// The start of what it says.
    pub summary: String,
    /// What became of it; `None` while under way.
    pub outcome: Option<Outcome>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered by the emulator with this HTTP status.
    Answered(u16),
    /// The emulator said in HTML that it does not implement it.
    Unimplemented,
    /// A fault befell it; the name of the fault, and whether it was done.
    Faulted {
        /// As a log calls it.
        fault: &'static str,
        /// The emulator carried it out.
        done: bool,
    },
    /// Answered in the emulator's place, as AWS would: a replayed token, a
    /// refusal, a page.
    Lent(&'static str),
    /// The emulator gave no answer.
    Unanswered,
}

impl Outcome {
    /// The emulator, or AWS as lent to it, did what was asked or said no.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Lent(_))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, action, region, summary, outcome, .. } = self;
        let outcome = outcome.as_ref().map_or("under way".into(), |o| format!("{o:?}"));
        write!(f, "{sequence:>5} {region} {action} {outcome}: {summary}")
    }
}

/// Every attempt since the last time it was forgotten.
#[derive(Debug, Default)]
pub(super) struct Log {
    attempts: Vec<Attempt>,
    /// Attempts forgotten: a sequence number less this is a place in the list.
    forgotten: u64,
}

impl Log {
    /// Notes an arrival and gives its sequence number.
    pub(super) fn arrived(&mut self, call: &Call) -> u64 {
        if self.attempts.len() >= KEPT {
            self.forget();
        }
        let sequence = self.forgotten + self.attempts.len() as u64 + 1;
        self.attempts.push(Attempt {
            sequence,
            action: call.action(),
            mutating: call.mutating(),
            region: call.region.clone(),
            summary: call.summary(),
            outcome: None,
        });
        sequence
    }

    /// Notes what became of an attempt that is still known.
    pub(super) fn ended(&mut self, sequence: u64, outcome: Outcome) {
        let place = sequence.checked_sub(self.forgotten + 1);
        let attempt = place.and_then(|place| self.attempts.get_mut(place as usize));
        if let Some(attempt) = attempt {
            attempt.outcome = Some(outcome);
        }
    }

    /// All of them, in order of arrival.
    pub(super) fn all(&self) -> Vec<Attempt> {
        self.attempts.clone()
    }

    /// Starts anew. Attempts under way are no longer followed.
    pub(super) fn forget(&mut self) {
        self.forgotten += self.attempts.len() as u64;
        self.attempts.clear();
    }
}
