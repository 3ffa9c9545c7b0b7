//! What became of a plan: one outcome per change.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::address::Address;
use crate::cloud::{Class, CloudError};

/// What became of every change that was attempted or given up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// By address and action of the change.
    pub outcomes: BTreeMap<Address, Outcome>,
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// Done.
    Applied,
    /// A call failed.
    Failed(Failure),
    /// Not begun: something it comes after was not done, or is another scope's.
    Waiting {
        /// What it waits for.
        on: String,
    },
    /// Not begun: a newer revision or the end of the program came first.
    Superseded,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The call that failed, `ec2:CreateVpc`.
    #[serde(skip)]
    pub operation: String,
    /// The whole message, the operation and the service's code in it.
    pub error: String,
    /// What a person can do.
    pub hint: String,
    /// What it means for the next step.
    #[serde(skip)]
    pub class: Class,
}

impl From<CloudError> for Outcome {
    fn from(error: CloudError) -> Self {
        Self::Failed(Failure {
            error: error.to_string(),
            hint: error.class.hint().into(),
            class: error.class,
            operation: error.operation,
        })
    }
}

/// What a cluster does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// All done: look again at the interval.
    Settled,
    /// Something was not done that may succeed soon: try again after a pause.
    Retry,
    /// Nothing will succeed until the input changes: look again at the interval.
    Stalled,
}

impl Report {
    /// The failed changes.
    pub fn failures(&self) -> impl Iterator<Item = (&Address, &Failure)> {
        self.outcomes.iter().filter_map(|(address, outcome)| match outcome {
            Outcome::Failed(failure) => Some((address, failure)),
            _ => None,
        })
    }

    /// Everything attempted was done, and nothing was left out.
    pub fn all_applied(&self) -> bool {
        self.outcomes.values().all(|outcome| *outcome == Outcome::Applied)
    }

    /// The one place where errors become the next step.
    pub fn next(&self) -> Next {
        let of = |outcome: &Outcome| match outcome {
            Outcome::Applied => Next::Settled,
            Outcome::Waiting { .. } | Outcome::Superseded => Next::Retry,
            Outcome::Failed(failure) if failure.class.passes() => Next::Retry,
            Outcome::Failed(_) => Next::Stalled,
        };
        let nexts: Vec<Next> = self.outcomes.values().map(of).collect();
        // What waits for something that is stalled is stalled with it: only a
        // failure that passes by itself is worth another try.
        let passing = self.failures().any(|(_, failure)| failure.class.passes());
        let stalled = nexts.contains(&Next::Stalled);
        match nexts.iter().max() {
            _ if stalled && !passing => Next::Stalled,
            None | Some(Next::Settled) => Next::Settled,
            Some(_) => Next::Retry,
        }
    }

    /// The scopes all of whose attempted changes were done.
    pub fn scope_applied(&self, scope: &str) -> bool {
        let mut outcomes = self.outcomes.iter().filter(|(address, _)| address.scope() == scope);
        outcomes.all(|(_, outcome)| *outcome == Outcome::Applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[Outcome]) -> Report {
        let address = |place: usize| Address::new("c", "vpc", &place.to_string());
        let outcomes = outcomes.iter().enumerate();
        Report { outcomes: outcomes.map(|(place, one)| (address(place), one.clone())).collect() }
    }

    fn failed(class: Class) -> Outcome {
        CloudError::new(class, "ec2:CreateVpc", "no").into()
    }

    #[test]
    fn the_next_step_follows_from_the_worst_that_can_pass() {
        let waiting = Outcome::Waiting { on: "c/vpc/main".into() };
        assert_eq!(report(&[]).next(), Next::Settled);
        assert_eq!(report(&[Outcome::Applied]).next(), Next::Settled);
        assert_eq!(report(std::slice::from_ref(&waiting)).next(), Next::Retry);
        assert_eq!(report(&[failed(Class::NotYet), Outcome::Applied]).next(), Next::Retry);
        assert_eq!(report(&[failed(Class::Denied), waiting]).next(), Next::Stalled);
        let mixed = report(&[failed(Class::Denied), failed(Class::Throttled)]);
        assert_eq!(mixed.next(), Next::Retry);
    }
}
