//! What goes wrong, at which call, while doing what.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::proxy::{Attempt, Fault, Hook, Late, Lent, Rule};
use crate::scenario::Victim;

/// Longer than the program waits for an answer (`callTimeoutSeconds`).
const SILENCE: Duration = Duration::from_secs(8);
/// Once more than the program repeats a call whose answer says nothing else.
const THROTTLES: u64 = 7;
/// Once more than it repeats a call that is asked to wait: its step fails.
const TOO_MANY: u64 = 21;

/// What is being done when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// An apply from nothing.
    Apply,
    /// A destroy of what an apply has made.
    Destroy,
    /// The last pass over a cluster that the repository has removed, with consent
    /// to all that holds data: nothing of it stays.
    Remove,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Apply, Self::Destroy, Self::Remove];
}

/// What happens to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The process is killed before the call is carried out.
    KilledBefore,
    /// The process is killed after it was carried out, before its answer.
    KilledAfter,
    /// The same, and what was made cannot be seen for some reads.
    KilledUnseen,
    /// Refused as too frequent, several times, which the program bears.
    Throttled,
    /// The same for longer than it bears.
    Outlasted,
    /// Answered with 500, not carried out.
    Failed,
    /// Carried out, and never answered.
    TimedOut,
}

impl Fate {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::KilledUnseen,
        Self::Throttled,
        Self::Outlasted,
        Self::Failed,
        Self::TimedOut,
    ];
    /// What befalls every call.
    pub const EACH: [Self; 6] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::KilledUnseen,
        Self::Throttled,
        Self::Failed,
        Self::TimedOut,
    ];

    /// A column's head.
    pub fn name(self) -> &'static str {
        match self {
            Self::KilledBefore => "killed before",
            Self::KilledAfter => "killed after",
            Self::KilledUnseen => "… and unseen",
            Self::Throttled => "throttled",
            Self::Outlasted => "… for long",
            Self::Failed => "500",
            Self::TimedOut => "timed out after",
        }
    }

    pub(super) fn rule(self, call: &Place, victim: &Victim) -> Rule {
        let victim = victim.clone();
        let kill = Hook::new(move |_| victim.kill());
        let rule = |fault| Rule::new(&call.action, fault);
        match self {
            Self::KilledBefore => rule(Fault::Before(kill)).nth(call.nth),
            Self::KilledAfter | Self::KilledUnseen => rule(Fault::After(kill)).nth(call.nth),
            Self::Throttled => rule(Fault::Throttle).nth_repeated(call.nth, THROTTLES),
            Self::Outlasted => rule(Fault::Throttle).nth_repeated(call.nth, TOO_MANY),
            Self::Failed => rule(Fault::Failed(500)).nth(call.nth),
            Self::TimedOut => rule(Fault::TimeoutAfter(SILENCE)).nth(call.nth),
        }
    }

    pub(super) fn lent(self) -> Lent {
        match self {
            Self::KilledUnseen => {
                let late = Late { reads: 3, lasting: Duration::ZERO };
                Lent { late: Some(late), ..Lent::default() }
            }
            _ => Lent::default(),
        }
    }
}

/// A call: the nth of its action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// `ec2:CreateVpc`.
    pub action: String,
    /// From 1.
    pub nth: u64,
}

/// One thing that goes wrong once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// While doing what.
    pub deed: Deed,
    /// At which call.
    pub call: Place,
    /// What.
    pub fate: Fate,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deed, call, fate } = self;
        write!(f, "{deed:?}, {} #{}, {}", call.action, call.nth, fate.name())
    }
}

/// A case for each mutating call of a run and each fate that befalls every call.
pub(super) fn all(deed: Deed, attempts: &[Attempt]) -> Vec<Case> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut cases = Vec::new();
    for attempt in attempts.iter().filter(|attempt| attempt.mutating) {
        let nth = counts.entry(&attempt.action).or_default();
        *nth += 1;
        let call = Place { action: attempt.action.clone(), nth: *nth };
        cases.extend(Fate::EACH.map(|fate| Case { deed, call: call.clone(), fate }));
    }
    cases
}

/// To be throttled for longer than the program bears takes it most of a minute. It
/// is the same code at every call, and words of its own in every service: so it
/// befalls the first call of each.
pub(super) fn outlasted(cases: &[Case]) -> Vec<Case> {
    let mut found: BTreeMap<(Deed, &str), Case> = BTreeMap::new();
    for Case { deed, call, .. } in cases {
        let service = call.action.split(':').next().unwrap_or_default();
        let case = || Case { deed: *deed, call: call.clone(), fate: Fate::Outlasted };
        found.entry((*deed, service)).or_insert_with(case);
    }
    found.into_values().collect()
}
