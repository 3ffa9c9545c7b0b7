//! What was fetched and refused, so that it is not fetched again every few
//! seconds, by every node, for ever.
//!
//! Invariants: what failed without a download is never held back, since it costs
//! nothing to ask again; a wait is at most [`LONGEST`]; no more than
//! [`MOST`] are remembered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lyceum_core::node::host::{Cause, HostError};

/// After the first refusal; each further one doubles it.
const FIRST: Duration = Duration::from_secs(10);
/// Between two tries at most.
const LONGEST: Duration = Duration::from_secs(600);
/// Digests that are remembered: a pointer names two bundles and an agent.
const MOST: usize = 8;

/// What was refused, by digest.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    refused: BTreeMap<String, Refused>,
}

#[derive(Debug)]
struct Refused {
    error: HostError,
    wait: Duration,
    until: Instant,
}

impl Patience {
    /// Why it is not to be fetched now, in the words of the last try.
    pub(crate) fn holds(&self, digest: &str, now: Instant) -> Option<HostError> {
        let refused = self.refused.get(digest).filter(|refused| now < refused.until)?;
        Some(refused.error.clone())
    }

    /// A try failed.
    pub(crate) fn failed(&mut self, digest: &str, error: &HostError, now: Instant) {
        if matches!(
            error.cause,
            Cause::Unreachable | Cause::Timeout | Cause::NotFound | Cause::Denied
        ) {
            return;
        }
        let before = self.refused.remove(digest).map(|refused| refused.wait);
        let wait = before.map_or(FIRST, |wait| (2 * wait).min(LONGEST));
        if self.refused.len() >= MOST {
            self.refused.clear();
        }
        let refused = Refused { error: error.clone(), wait, until: now + wait };
        self.refused.insert(digest.into(), refused);
    }

    /// Everything is tried again at once.
    pub(crate) fn forget(&mut self) {
        self.refused.clear();
    }

    /// This one does, after all.
    pub(crate) fn is_good(&mut self, digest: &str) {
        self.refused.remove(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(cause: Cause) -> HostError {
        HostError::new(cause, "fetch", "why")
    }

    #[test]
    fn what_was_refused_is_tried_ever_more_rarely_and_at_once_when_told() {
        let mut patience = Patience::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert_eq!(patience.holds("a", now), None);
            patience.failed("a", &error(Cause::Refused), now);
            let begun = now;
            while patience.holds("a", now).is_some() {
                now += Duration::from_secs(1);
            }
            waits.push((now - begun).as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        patience.failed("a", &error(Cause::Refused), now);
        assert_eq!(patience.holds("a", now), Some(error(Cause::Refused)));
        assert_eq!(patience.holds("b", now), None);
        patience.forget();
        assert_eq!(patience.holds("a", now), None);
    }

    #[test]
    fn what_costs_no_download_is_asked_for_again() {
        let (mut patience, now) = (Patience::default(), Instant::now());
        for cause in [Cause::Unreachable, Cause::Timeout, Cause::NotFound, Cause::Denied] {
            patience.failed("a", &error(cause), now);
            assert_eq!(patience.holds("a", now), None, "{cause:?}");
        }
        for digest in 0..100 {
            patience.failed(&digest.to_string(), &error(Cause::Invalid), now);
        }
        assert!(patience.refused.len() <= MOST);
    }
}
