//! Signals while something is executed.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::failure::Failed;
use super::output;

/// Turns true at the first SIGINT or SIGTERM: calls in flight are finished, no
/// other begins. The second ends the program at once, which is safe as well.
pub(super) fn on_signal() -> Result<watch::Receiver<bool>, Failed> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        for already in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if already {
                std::process::exit(130);
            }
            output::note("stopping when the calls in flight are done; again to stop at once");
            sender.send(true).ok();
        }
    });
    Ok(receiver)
}
