//! When a repository may have a new commit.
//!
//! A tick says 'look', no more: it may come without a new commit, and many
//! changes at once give one tick. Whoever receives it reads the reference
//! itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at};

use super::{Git, SourceError};

/// Ticks of a repository.
#[derive(Debug)]
pub struct Watch {
    ticks: mpsc::Receiver<()>,
    /// Ends the watching when it is dropped.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Ticks whenever a reference of the repository at `path` changes: a
    /// commit, a branch switched, a fetch, references packed.
    pub fn references(path: &Path) -> Result<Self, SourceError> {
        let git = Git::open(path)?;
        let (own, shared) = git.folders();
        let (own, shared) = (own.to_path_buf(), shared.to_path_buf());
        let (tick, ticks) = mpsc::channel(1);
        let refs = shared.join("refs");
        let of_interest = { move |event: &Event| matters(event, &refs) };
        let failed = |source| SourceError::Watch { path: path.into(), source };
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may have hidden a change: better one look too many. A
            // full channel has a tick that nobody took yet.
            if event.as_ref().map_or(true, &of_interest) {
                tick.try_send(()).ok();
            }
        })
        .map_err(failed)?;
        for (folder, mode) in folders(own, shared) {
            watcher.watch(&folder, mode).map_err(failed)?;
        }
        Ok(Self { ticks, _watcher: Some(watcher) })
    }

    /// Ticks at every interval, the first after one; for what cannot be
    /// watched. Needs a tokio runtime.
    pub fn every(interval: Duration) -> Self {
        let (tick, ticks) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut clock = interval_at(tokio::time::Instant::now() + interval, interval);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = clock.tick() => { tick.try_send(()).ok(); }
                    () = tick.closed() => return,
                }
            }
        });
        Self { ticks, _watcher: None }
    }

    /// The next tick. Safe to cancel.
    pub async fn tick(&mut self) {
        if self.ticks.recv().await.is_none() {
            // The watcher is gone; intervals are the caller's.
            std::future::pending::<()>().await;
        }
    }
}

/// HEAD and packed references lie in the folder itself, the rest below `refs`.
fn folders(own: PathBuf, shared: PathBuf) -> Vec<(PathBuf, RecursiveMode)> {
    let refs = shared.join("refs");
    let mut folders = vec![(refs, RecursiveMode::Recursive)];
    if own != shared {
        folders.push((own, RecursiveMode::NonRecursive));
    }
    folders.push((shared, RecursiveMode::NonRecursive));
    folders
}

fn matters(event: &Event, refs: &Path) -> bool {
    // Reading a reference is an event as well: to answer it would never end.
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.need_rescan() || event.paths.iter().any(|path| is_reference(path, refs))
}

fn is_reference(path: &Path, refs: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let named = name == "HEAD" || name == "packed-refs";
    !name.ends_with(".lock") && (named || path.starts_with(refs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_matter() {
        let refs = Path::new("/r/.git/refs");
        let yes = ["/r/.git/HEAD", "/r/.git/packed-refs", "/r/.git/refs/heads/a/b"];
        assert!(yes.iter().all(|path| is_reference(Path::new(path), refs)));
        let no = ["/r/.git/index", "/r/.git/HEAD.lock", "/r/.git/refs/heads/main.lock"];
        assert!(!no.iter().any(|path| is_reference(Path::new(path), refs)));
    }
}
