//! Files on mounts that a server behind the network has to answer for. A hard
//! NFS mount waits for ever in the kernel, and a thread that waits there cannot
//! be ended.
//!
//! Invariants: whoever asks gets an answer within the limit; a thread that still
//! waits is left behind, at most one for each mount: while it waits nobody else
//! is sent after it.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use lyceum_core::node::host::{Answer, Cause, HostError, Mounted};

use super::kernel::mounts;

/// A file server answers within milliseconds.
const ANSWER: Duration = Duration::from_secs(10);
/// What is mounted is looked up again after so long.
const KNOWN: Duration = Duration::from_secs(2);
/// Types behind which there is a server. A client in userspace shows as what it
/// mounts, or as FUSE.
const TYPES: &[&str] = &["nfs", "nfs4", "efs", "fuse", "cifs", "smb3", "ceph", "sshfs", "s3fs"];

/// What is known of such mounts.
#[derive(Debug)]
pub(super) struct FileServers {
    limit: Duration,
    mounts: Vec<String>,
    looked: Option<Instant>,
    /// What says that the thread left behind at a mount has ended.
    waiting: BTreeMap<String, Receiver<()>>,
}

impl Default for FileServers {
    fn default() -> Self {
        Self { limit: ANSWER, mounts: Vec::new(), looked: None, waiting: BTreeMap::new() }
    }
}

impl FileServers {
    /// Does something with a path: at once where it is on a disk, and for a
    /// limited time where it is on a mount from the network.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        (operation, path): (&str, &str),
        deed: impl FnOnce() -> T + Send + 'static,
    ) -> Answer<T> {
        match self.mount_of(path)? {
            Some(mount) => self.wait((operation, &mount), deed),
            None => Ok(deed()),
        }
    }

    /// Something was mounted or taken away.
    pub(super) fn forget(&mut self) {
        self.looked = None;
    }

    fn mount_of(&mut self, path: &str) -> Answer<Option<String>> {
        if self.looked.is_none_or(|looked| looked.elapsed() > KNOWN) {
            self.mounts = of_network(&mounts()?);
            self.looked = Some(Instant::now());
        }
        let mut around = self.mounts.iter().filter(|mount| is_below(path, mount));
        Ok(around.next().cloned())
    }

    fn wait<T: Send + 'static>(
        &mut self,
        (operation, mount): (&str, &str),
        deed: impl FnOnce() -> T + Send + 'static,
    ) -> Answer<T> {
        let silent = || {
            let message = format!("the file server of {mount} does not answer");
            HostError::new(Cause::Timeout, operation, message)
        };
        if let Some(ended) = self.waiting.get(mount)
            && ended.try_recv() == Err(TryRecvError::Empty)
        {
            return Err(silent());
        }
        self.waiting.remove(mount);
        let (answer, answered) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let begun = thread::Builder::new().name("files".into()).spawn(move || {
            // Nobody may be there any more.
            let _ = answer.send(deed());
            drop(end);
        });
        if let Err(error) = begun {
            return Err(crate::disk::failed(operation, &error));
        }
        answered.recv_timeout(self.limit).map_err(|_| {
            self.waiting.insert(mount.into(), ended);
            silent()
        })
    }
}

/// The paths of mounts from the network, the innermost first.
fn of_network(mounts: &[Mounted]) -> Vec<String> {
    let is_there = |mount: &&Mounted| TYPES.contains(&mount.fs_type.as_str());
    let mut paths: Vec<String> =
        mounts.iter().filter(is_there).map(|mount| mount.path.clone()).collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    paths
}

fn is_below(path: &str, mount: &str) -> bool {
    let rest = path.strip_prefix(mount.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounted(path: &str, fs_type: &str) -> Mounted {
        let (path, fs_type) = (path.to_string(), fs_type.to_string());
        Mounted { path, source: "x".into(), fs_type, options: Vec::new() }
    }

    fn servers(limit: Duration) -> FileServers {
        let mounts = [
            mounted("/", "ext4"),
            mounted("/srv/homes", "nfs4"),
            mounted("/srv/efs/all", "nfs4"),
            mounted("/srv/data", "ext4"),
        ];
        let looked = Some(Instant::now() + Duration::from_secs(600));
        FileServers { limit, mounts: of_network(&mounts), looked, ..FileServers::default() }
    }

    #[test]
    fn only_what_is_on_a_mount_from_the_network_is_asked_from_a_distance() {
        let mut servers = servers(ANSWER);
        let mut mount = |path: &str| servers.mount_of(path).unwrap();
        assert_eq!(mount("/srv/homes").as_deref(), Some("/srv/homes"));
        assert_eq!(mount("/srv/efs/all/homes").as_deref(), Some("/srv/efs/all"));
        for path in ["/etc/motd", "/srv/data/swarm", "/srv/homestead", "/srv"] {
            assert_eq!(mount(path), None, "{path}");
        }
        assert_eq!(servers.ask(("look", "/srv/homes/ada"), || 7), Ok(7));
    }

    #[test]
    fn a_server_that_does_not_answer_holds_nobody_up_and_one_thread_alone() {
        let mut servers = servers(Duration::from_millis(50));
        let (go, stuck) = mpsc::channel::<()>();
        let began = Instant::now();
        let error = servers.ask(("look at x", "/srv/homes/x"), move || stuck.recv()).unwrap_err();
        assert_eq!(error.cause, Cause::Timeout);
        assert_eq!(error.to_string(), "look at x: the file server of /srv/homes does not answer");
        // The next is told at once, and does nothing.
        let error = servers.ask(("look", "/srv/homes/y"), || panic!("it asks")).unwrap_err();
        assert_eq!(error.cause, Cause::Timeout);
        // Others are as they were.
        assert_eq!(servers.ask(("look", "/srv/efs/all/x"), || 1), Ok(1));
        assert_eq!(servers.ask(("look", "/etc/motd"), || 2), Ok(2));
        assert!(began.elapsed() < ANSWER);
        // It is back.
        go.send(()).unwrap();
        let limit = Instant::now() + Duration::from_secs(10);
        while servers.ask(("look", "/srv/homes/x"), || 3) != Ok(3) {
            assert!(Instant::now() < limit, "it is still taken to be away");
            thread::yield_now();
        }
    }
}
