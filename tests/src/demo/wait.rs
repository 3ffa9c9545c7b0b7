//! Waiting for something to come about.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Demo;
use super::service::Event;
use crate::proxy::Attempt;

/// A stage that takes longer than this will not come about.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_millis(10);

impl Demo {
    /// Looks at the service's events and at the calls to AWS since the last
    /// [`Demo::mark`] until `met` gives something.
    pub(super) fn until<T>(
        &mut self,
        since: usize,
        what: &str,
        met: impl FnMut(&[Event], &[Attempt]) -> Option<T>,
    ) -> Result<T> {
        let mut met = met;
        self.wait(PATIENCE, what, |events, calls| met(&events[since..], calls))
    }

    /// The present: where `until` begins to look. Calls to AWS count anew.
    pub(super) fn mark(&mut self) -> Result<usize> {
        self.service.events()?;
        self.world.proxy.forget_attempts();
        Ok(self.service.said())
    }

    /// Looks at everything until `met` gives something.
    pub(super) fn wait<T>(
        &mut self,
        patience: Duration,
        what: &str,
        mut met: impl FnMut(&[Event], &[Attempt]) -> Option<T>,
    ) -> Result<T> {
        let started = Instant::now();
        while started.elapsed() < patience {
            self.interrupt.check()?;
            let calls = self.world.proxy.attempts();
            if let Some(found) = met(self.service.events()?, &calls) {
                return Ok(found);
            }
            thread::sleep(GLANCE);
        }
        bail!("waited {patience:?} in vain for {what}; the log ends:\n{}", self.service.tail())
    }
}
