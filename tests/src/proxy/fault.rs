//! What can happen to a call on its way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::action::Call;

/// What happens to a call.
#[derive(Clone)]
pub enum Fault {
    /// The answer comes later: by `base`, and by up to `jitter` more.
    Latency {
        /// At least.
        base: Duration,
        /// At most this much more, drawn from the proxy's seed.
        jitter: Duration,
    },
    /// Refused as too frequent, in the service's own words; nothing is done.
    Throttle,
    /// Answered with this HTTP status; nothing is done.
    Failed(u16),
    /// Done, then answered with this HTTP status.
    FailedAfter(u16),
    /// Refused for want of permission; nothing is done.
    Denied,
    /// Nothing is done, and for this long nothing is answered; then the
    /// connection is closed.
    TimeoutBefore(Duration),
    /// Done, but for this long nothing is answered; then the connection is
    /// closed.
    TimeoutAfter(Duration),
    /// Done, then the connection is closed without an answer.
    LostAnswer,
    /// Calls back before anything is done, then closes the connection: where a
    /// process is killed.
    Before(Hook),
    /// Done, then calls back and closes the connection.
    After(Hook),
    /// Waits until the gate opens, then goes on as if nothing had been.
    Hold(Gate),
}

impl Fault {
    /// What a log calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Throttle => "throttled",
            Self::Failed(_) => "failed",
            Self::FailedAfter(_) => "failed after success",
            Self::Denied => "denied",
            Self::TimeoutBefore(_) => "timed out before",
            Self::TimeoutAfter(_) => "timed out after success",
            Self::LostAnswer => "answer lost",
            Self::Before(_) => "hook before",
            Self::After(_) => "hook after success",
            Self::Hold(_) => "held",
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something to do at a call. It may block; it has a thread of its own.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn(&Call) + Send + Sync>);

impl Hook {
    /// Does this.
    pub fn new(act: impl Fn(&Call) + Send + Sync + 'static) -> Self {
        Self(Arc::new(act))
    }

    /// Runs it to its end.
    pub(super) async fn run(&self, call: &Call) {
        let (act, call) = (self.0.clone(), call.clone());
        // A panic in a hook is the test's own and already on standard error.
        let _ = tokio::task::spawn_blocking(move || act(&call)).await;
    }
}

/// Holds calls back until it opens.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    /// Lets everything through, now and from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Returns once it is open.
    pub(super) async fn passed(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}
