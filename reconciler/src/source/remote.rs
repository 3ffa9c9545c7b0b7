//! A bare copy of a remote repository, brought up to date on demand.
//!
//! The copy is a cache: deleting it costs one fetch. libgit2 offers no safe way
//! to bound a connection that says nothing, so a fetch runs on a thread of its
//! own, is given up when it takes too long, and no second one is started while
//! it may still be at work.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use git2::{
    AutotagOption, CredentialType, Direction, FetchOptions, FetchPrune, RemoteCallbacks, Repository,
};
use lyceum_core::site::digest;

use super::{Git, SourceError};

/// Most bytes one fetch may bring.
const MAX_BYTES: usize = 1024 * 1024 * 1024;
/// Times credentials are offered before the remote's no is believed.
const MAX_OFFERS: u32 = 4;
/// Branches and tags, as they are called there.
const REFSPECS: &[&str] = &["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// A bare copy of a remote repository.
#[derive(Clone, Debug)]
pub struct Mirror {
    url: String,
    path: PathBuf,
    timeout: Duration,
    busy: Arc<AtomicBool>,
}

/// Whether `--repo` names a remote: a URL, or `user@host:path` as SSH has it.
pub fn is_remote(location: &str) -> bool {
    let schemes = ["https://", "http://", "ssh://", "git://", "file://", "git+ssh://"];
    if schemes.iter().any(|scheme| location.starts_with(scheme)) {
        return true;
    }
    // A path with a colon begins with a slash or a dot, or is there.
    let host = location.split_once(':').map(|(host, _)| host);
    host.is_some_and(|host| host.contains('@') && !host.contains('/'))
}

impl Mirror {
    /// The copy of `url` below the folder `cache`; nothing is fetched yet.
    pub fn new(url: &str, cache: &Path, timeout: Duration) -> Self {
        let path = cache.join(format!("{}.git", &digest(url)[..16]));
        Self { url: url.into(), path, timeout, busy: Arc::default() }
    }

    /// The copy, once something was fetched.
    pub fn git(&self) -> Result<Git, SourceError> {
        Git::open(&self.path)
    }

    /// Where the copy is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The remote without credentials.
    pub fn url(&self) -> String {
        without_credentials(&self.url)
    }

    /// Brings the copy up to date; blocks at most for the timeout.
    pub fn fetch(&self) -> Result<(), SourceError> {
        let late = || SourceError::TimedOut { url: self.url(), seconds: self.timeout.as_secs() };
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(late());
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let this = self.clone();
        thread::spawn(move || {
            let outcome = this.fetch_until(Instant::now() + this.timeout);
            this.busy.store(false, Ordering::Release);
            // Nobody listens any more when it took too long.
            answer.send(outcome).ok();
        });
        // A thread that ended without a word has failed as if it were late.
        answered.recv_timeout(self.timeout).unwrap_or_else(|_| Err(late()))
    }

    fn fetch_until(&self, end: Instant) -> Result<(), SourceError> {
        let repository = self.repository()?;
        let failed = |source| SourceError::Fetch { url: self.url(), source };
        let mut remote = repository.remote_anonymous(&self.url).map_err(failed)?;
        let connected = remote
            .connect_auth(Direction::Fetch, Some(callbacks(&repository, end)), None)
            .map_err(failed)?;
        let default = connected.default_branch().ok();
        drop(connected);
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks(&repository, end));
        options.prune(FetchPrune::On).download_tags(AutotagOption::None).update_fetchhead(false);
        remote.fetch(REFSPECS, Some(&mut options), None).map_err(failed)?;
        match default.as_ref().and_then(|name| name.as_str().ok()) {
            Some(name) => repository.set_head(name).map_err(failed),
            None => Ok(()),
        }
    }

    /// The copy, made or, when it is broken, made anew.
    fn repository(&self) -> Result<Repository, SourceError> {
        let failed =
            |source| SourceError::Copy { url: self.url(), path: self.path.clone(), source };
        if let Ok(repository) = Repository::open_bare(&self.path) {
            return Ok(repository);
        }
        if self.path.exists() {
            std::fs::remove_dir_all(&self.path)
                .map_err(|error| failed(git2::Error::from_str(&error.to_string())))?;
        }
        Repository::init_bare(&self.path).map_err(failed)
    }
}

/// Credentials from the agent or the helpers, and an end to what takes too long
/// or brings too much.
fn callbacks(repository: &Repository, end: Instant) -> RemoteCallbacks<'_> {
    let mut offers = 0;
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(move |url, user, allowed| {
        offers += 1;
        if offers > MAX_OFFERS {
            return Err(git2::Error::new(
                git2::ErrorCode::Auth,
                git2::ErrorClass::Net,
                "the remote refused every credential",
            ));
        }
        credential(repository, url, user, allowed)
    });
    callbacks.transfer_progress(move |progress| {
        Instant::now() < end && progress.received_bytes() <= MAX_BYTES
    });
    callbacks.sideband_progress(move |_| Instant::now() < end);
    callbacks
}

fn credential(
    repository: &Repository,
    url: &str,
    user: Option<&str>,
    allowed: CredentialType,
) -> Result<git2::Cred, git2::Error> {
    if allowed.contains(CredentialType::SSH_KEY) {
        git2::Cred::ssh_key_from_agent(user.unwrap_or("git"))
    } else if allowed.contains(CredentialType::USERNAME) {
        git2::Cred::username(user.unwrap_or("git"))
    } else if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
        git2::Cred::credential_helper(&repository.config()?, url, user)
    } else {
        git2::Cred::default()
    }
}

/// `https://token@host/path` as `https://host/path`.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_told_from_folders() {
        for remote in ["https://example.edu/x.git", "git@example.edu:x.git", "file:///srv/x"] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in [".", "/srv/x", "../a:b", "c:x", "/srv/me@here:x"] {
            assert!(!is_remote(local), "{local}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        assert_eq!(without_credentials("https://u:p@h/x/y@z"), "https://h/x/y@z");
        assert_eq!(without_credentials("git@h:x"), "git@h:x");
    }
}
