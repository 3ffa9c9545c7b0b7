//! Ctrl-C and its kin, as a question that every wait asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Somebody wants it to end.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Whether somebody wants it to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP do not end this process: they are
    /// noted, so that it can clean up first.
    pub fn of_signals() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("signals cannot be heeded")?;
        let signals = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        let interrupt = Self::default();
        let heard = interrupt.clone();
        std::thread::spawn(move || runtime.block_on(heard.listen(signals)));
        Ok(interrupt)
    }

    /// Somebody does.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails with [`Interrupted`] where somebody does.
    pub fn check(&self) -> Result<()> {
        if self.is_set() { Err(Interrupted.into()) } else { Ok(()) }
    }

    async fn listen(self, (mut int, mut term, mut hup): (Signal, Signal, Signal)) {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
        self.0.store(true, Ordering::SeqCst);
        // The handlers stay: a second Ctrl-C must not cut the cleaning up short.
        std::future::pending::<()>().await;
    }
}
