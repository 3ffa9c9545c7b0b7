//! The seam between deciding and doing on a node: what convergence asks of a
//! machine, and the one vocabulary of its errors. The agent implements it with
//! the kernel, systemd and Docker; the test kit with a stateful machine in
//! memory.
//!
//! Invariants of every implementation: looking changes nothing; writing a file
//! is atomic; repeating a call after any error is safe; every call ends within
//! a time of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::facts::Facts;

/// A machine that can be looked at and changed.
pub trait Host: Files + Accounts + Packages + Units + Kernel + Docker + Cluster + Outside {}

impl<T: Files + Accounts + Packages + Units + Kernel + Docker + Cluster + Outside> Host for T {}

/// Whatever a call on the host answers.
pub type Answer<T> = Result<T, HostError>;

/// What a failed call means for a person.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It is not there.
    NotFound,
    /// It may not be done.
    Denied,
    /// The disk is full, or a quota is reached.
    Full,
    /// Nobody answers there: a registry, the network, a service that is away.
    Unreachable,
    /// Whoever was asked says no: a wrong token, a bad value.
    Refused,
    /// It took too long.
    Timeout,
    /// Something else is in the way: a lock, a change at the same time.
    Busy,
    /// The input is wrong and stays wrong until it changes.
    Invalid,
    /// Anything else.
    Failed,
}

impl Cause {
    /// The way out.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NotFound => "check the name; what should bring it may have failed before",
            Self::Denied => "the node's role or user lacks the right; deploy/ has what is needed",
            Self::Full => "free space on the node, or give it a larger volume in the manifest",
            Self::Unreachable => {
                "check the network and the other side; it is tried again by itself"
            }
            Self::Refused => {
                "the other side said no: check the token, the credentials or the value"
            }
            Self::Timeout => "it is tried again at the next run; look at the load of the node",
            Self::Busy => "it is tried again at the next run",
            Self::Invalid => "change the role or the manifest",
            Self::Failed => "see the message; it is tried again at the next run",
        }
    }
}

/// A call on the host that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct HostError {
    /// What it means.
    pub cause: Cause,
    /// What was tried, with its object: `write /etc/motd`.
    pub operation: String,
    /// In the words of whoever refused; never a secret.
    pub message: String,
}

impl HostError {
    /// An error of an operation.
    pub fn new(cause: Cause, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self { cause, operation: operation.into(), message: message.into() }
    }
}

/// What stands at a path; links are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, `0o644`.
    pub mode: u32,
    /// The owner's name, or its number where it has no name.
    pub owner: String,
    /// The group's name, or its number where it has no name.
    pub group: String,
    /// Size in bytes.
    pub size: u64,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link and what it points to.
    Symlink(String),
    /// A device, a socket, a pipe.
    Other,
}

/// Who owns something and who may do what with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The owner's name.
    pub owner: String,
    /// The group's name.
    pub group: String,
    /// Permission bits, `0o644`.
    pub mode: u32,
}

/// Files and directories. Paths are absolute.
pub trait Files {
    /// What stands at a path; none where nothing does.
    fn stat(&mut self, path: &str) -> Answer<Option<Stat>>;
    /// A file's content; `Invalid` where it has more than `limit` bytes.
    fn read(&mut self, path: &str, limit: usize) -> Answer<Vec<u8>>;
    /// Names in a directory, sorted.
    fn list(&mut self, path: &str) -> Answer<Vec<String>>;
    /// Writes a file beside its place, not yet in it; answers where. A new
    /// staging of the same path replaces the one before.
    fn stage(&mut self, path: &str, content: &[u8], access: &Access) -> Answer<String>;
    /// Puts a staged file into its place, atomically and durably.
    fn commit(&mut self, staged: &str, path: &str) -> Answer<()>;
    /// Removes a staged file; fine where it is gone.
    fn discard(&mut self, staged: &str) -> Answer<()>;
    /// Changes owner, group and mode of what stands there.
    fn set_access(&mut self, path: &str, access: &Access) -> Answer<()>;
    /// Makes a directory; its parent exists.
    fn make_directory(&mut self, path: &str, access: &Access) -> Answer<()>;
    /// Makes or replaces a symbolic link, atomically.
    fn make_symlink(&mut self, path: &str, target: &str) -> Answer<()>;
    /// Removes a file, a link, or a directory with all it holds; never crosses
    /// into another file system. Fine where nothing is there.
    fn remove(&mut self, path: &str) -> Answer<()>;
}

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    /// Its number.
    pub uid: u32,
    /// Name of its first group.
    pub group: String,
    /// Names of the other groups, sorted.
    pub groups: Vec<String>,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// What a user should be; none is the system's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserWish {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: Option<u32>,
    /// Name of its first group.
    pub group: Option<String>,
    /// Names of the other groups it must be in, sorted.
    pub groups: Vec<String>,
    /// Home directory, made when the user is.
    pub home: Option<String>,
    /// Login shell.
    pub shell: Option<String>,
    /// A user of the system, below the people's numbers.
    pub system: bool,
}

/// Users and groups.
pub trait Accounts {
    /// A user by name.
    fn user(&mut self, name: &str) -> Answer<Option<UserEntry>>;
    /// Makes a user, or changes one that is there to this.
    fn put_user(&mut self, wish: &UserWish) -> Answer<()>;
    /// Removes a user, not its files.
    fn remove_user(&mut self, name: &str) -> Answer<()>;
    /// The number of a group by name.
    fn group(&mut self, name: &str) -> Answer<Option<u32>>;
    /// Makes a group, or gives one that is there this number.
    fn put_group(&mut self, name: &str, gid: Option<u32>, system: bool) -> Answer<()>;
    /// Removes a group.
    fn remove_group(&mut self, name: &str) -> Answer<()>;
}

/// Packages of the distribution, through apt or dnf.
pub trait Packages {
    /// Name to version of those of `names` that are installed. A virtual name
    /// counts as installed by what provides it.
    fn installed(&mut self, names: &[String]) -> Answer<BTreeMap<String, String>>;
    /// Installs packages, each `name` or `name=version`; refreshes the index
    /// first where it is old or `refresh` says so. Answers `NotFound` naming
    /// the package that no repository has.
    fn install(&mut self, packages: &[String], refresh: bool) -> Answer<()>;
    /// Removes packages, leaving what they were configured with.
    fn uninstall(&mut self, names: &[String]) -> Answer<()>;
}

/// A unit of systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    /// systemd knows it.
    pub loaded: bool,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active: String,
    /// Starts at boot.
    pub enabled: bool,
    /// Its file changed since systemd read it.
    pub needs_reload: bool,
}

/// What is done to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnitVerb {
    /// Starts it and waits until it runs.
    Start,
    /// Stops it and waits.
    Stop,
    /// Restarts it and waits.
    Restart,
    /// Has it read its configuration again; restarts what cannot.
    ReloadOrRestart,
    /// Starts it at boot.
    Enable,
    /// Does not start it at boot.
    Disable,
}

/// systemd.
pub trait Units {
    /// The state of a unit; not loaded where systemd does not know it.
    fn unit(&mut self, name: &str) -> Answer<UnitState>;
    /// Does something to a unit; `Failed` with the end of its log where it does
    /// not come up.
    fn unit_do(&mut self, name: &str, verb: UnitVerb) -> Answer<()>;
    /// Has systemd read its unit files again.
    fn reload_units(&mut self) -> Answer<()>;
}

/// Something mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Where.
    pub path: String,
    /// What, `fs-1234:/` or `/dev/nvme1n1`.
    pub source: String,
    /// File system type, `nfs4`.
    pub fs_type: String,
    /// Options, as the kernel has them.
    pub options: Vec<String>,
}

/// The kernel: parameters, modules, mounts, block devices.
pub trait Kernel {
    /// A kernel parameter; none where the kernel has none of that name.
    fn sysctl(&mut self, key: &str) -> Answer<Option<String>>;
    /// Sets a kernel parameter now.
    fn set_sysctl(&mut self, key: &str, value: &str) -> Answer<()>;
    /// Whether a module is loaded or built in.
    fn module(&mut self, name: &str) -> Answer<bool>;
    /// Loads a module.
    fn load_module(&mut self, name: &str) -> Answer<()>;
    /// What is mounted at exactly this path, the topmost.
    fn mounted(&mut self, path: &str) -> Answer<Option<Mounted>>;
    /// Mounts `source` of a type (`nfs4`, `efs`, `ext4`) at a directory.
    fn mount(&mut self, what: &Mounted) -> Answer<()>;
    /// Takes the mount at a path away.
    fn unmount(&mut self, path: &str) -> Answer<()>;
    /// The device behind the name a volume was attached under (`/dev/sdf` is
    /// `/dev/nvme1n1` on most machines), with its file system's type; empty
    /// for a blank one; none where no such device is there (yet).
    fn device(&mut self, name: &str) -> Answer<Option<(String, String)>>;
    /// Makes a file system on a blank device; `Refused` on any other.
    fn format(&mut self, device: &str, fs_type: &str) -> Answer<()>;
}

/// What part a node plays in a swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwarmState {
    /// `inactive`, `pending`, `active`, `error`, `locked`.
    pub state: String,
    /// Its id in the swarm; empty outside.
    pub node_id: String,
    /// It is a manager.
    pub manager: bool,
    /// The address it is known by.
    pub address: String,
    /// Addresses of the managers it knows, `10.20.0.10:2377`.
    pub managers: Vec<String>,
    /// What went wrong, in the daemon's words.
    pub error: String,
}

/// A member of the swarm, as a manager sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwarmMember {
    /// Its id.
    pub id: String,
    /// Its host name.
    pub hostname: String,
    /// Its address.
    pub address: String,
    /// `worker` or `manager`.
    pub role: String,
    /// `active`, `pause` or `drain`.
    pub availability: String,
    /// `ready`, `down`, `unknown`, `disconnected`.
    pub state: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// How to come into a swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwarmJoin {
    /// A manager, `10.20.0.10:2377`.
    pub remote: String,
    /// The token; a secret.
    pub token: Confidential,
    /// The address others reach this node by.
    pub advertise: String,
    /// `active` or `pause`.
    pub availability: String,
}

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Confidential(String);

impl Confidential {
    /// Keeps a text from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Confidential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(confidential)")
    }
}

/// An image that is on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageState {
    /// Its id, `sha256:…`.
    pub id: String,
    /// The names and digests it is known by, `quay.io/a/b@sha256:…`.
    pub digests: Vec<String>,
}

/// Something of Docker's with a specification: a network, service, container.
#[derive(Clone, Debug, PartialEq)]
pub struct DockerObject {
    /// Its id.
    pub id: String,
    /// The version an update has to name; 0 where there is none.
    pub version: u64,
    /// What Docker says of it, in the shape of its inspect call.
    pub inspect: Value,
}

/// Docker, through its API. Specifications are JSON in the shapes of its API,
/// version 1.41.
pub trait Docker {
    /// What part this node plays in a swarm.
    fn swarm(&mut self) -> Answer<SwarmState>;
    /// Begins a swarm with this node as its manager, known by an address.
    fn swarm_init(&mut self, address: &str) -> Answer<()>;
    /// Comes into a swarm.
    fn swarm_join(&mut self, join: &SwarmJoin) -> Answer<()>;
    /// Leaves the swarm.
    fn swarm_leave(&mut self) -> Answer<()>;
    /// The token for `worker` or `manager`; managers alone know it.
    fn swarm_token(&mut self, role: &str) -> Answer<Confidential>;
    /// All members, sorted by id; managers alone know them.
    fn swarm_members(&mut self) -> Answer<Vec<SwarmMember>>;
    /// Gives a member this availability and these labels.
    fn set_member(
        &mut self,
        id: &str,
        availability: &str,
        labels: &BTreeMap<String, String>,
    ) -> Answer<()>;
    /// Takes a member that is down off the list.
    fn remove_member(&mut self, id: &str) -> Answer<()>;
    /// An image by the name it is asked for.
    fn image(&mut self, name: &str) -> Answer<Option<ImageState>>;
    /// The digest a name has in its registry now, `sha256:…`.
    fn resolve_image(&mut self, name: &str) -> Answer<String>;
    /// Pulls an image, logging in where its registry asks for it.
    fn pull_image(&mut self, name: &str) -> Answer<()>;
    /// A network by name.
    fn network(&mut self, name: &str) -> Answer<Option<DockerObject>>;
    /// Makes a network.
    fn create_network(&mut self, spec: &Value) -> Answer<()>;
    /// Removes a network; `Busy` while something is attached.
    fn remove_network(&mut self, id: &str) -> Answer<()>;
    /// A swarm service by name, `inspect` its specification and status.
    fn service(&mut self, name: &str) -> Answer<Option<DockerObject>>;
    /// Makes a swarm service.
    fn create_service(&mut self, spec: &Value) -> Answer<()>;
    /// Changes a swarm service of this id and version.
    fn update_service(&mut self, id: &str, version: u64, spec: &Value) -> Answer<()>;
    /// Removes a swarm service.
    fn remove_service(&mut self, id: &str) -> Answer<()>;
    /// Tasks of a service that run, and how many should.
    fn service_tasks(&mut self, id: &str) -> Answer<(u64, u64)>;
    /// A container by name, running or not.
    fn container(&mut self, name: &str) -> Answer<Option<DockerObject>>;
    /// Makes and starts a container.
    fn create_container(&mut self, name: &str, spec: &Value) -> Answer<()>;
    /// Stops and removes a container.
    fn remove_container(&mut self, id: &str) -> Answer<()>;
    /// Notebook servers on this node: running containers with this label.
    fn running_with_label(&mut self, label: &str) -> Answer<u64>;
}

/// The cluster around the node: parameters, and what other nodes report.
pub trait Cluster {
    /// A parameter by its absolute name; none where it is not there or still
    /// `none`, as the reconciler seeds it.
    fn parameter(&mut self, name: &str) -> Answer<Option<Confidential>>;
    /// Writes an encrypted parameter that exists.
    fn put_parameter(&mut self, name: &str, value: &Confidential) -> Answer<()>;
    /// Instance id to whether that node reports itself ready for work. A node
    /// whose instance is gone is not among them: the reconciler takes its
    /// report away.
    fn peers(&mut self) -> Answer<BTreeMap<String, bool>>;
}

/// A program that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// The end of what it wrote, standard error after standard output.
    pub output: String,
}

/// A program to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment besides a small fixed one.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: String,
    /// It is ended after this long.
    pub timeout: Duration,
}

/// Programs, connections, facts, and marks that outlive the agent.
pub trait Outside {
    /// What this node is.
    fn facts(&mut self) -> Answer<Facts>;
    /// Runs a program to its end; one that cannot be started is `NotFound` or
    /// `Denied`, one that takes too long `Timeout`.
    fn run(&mut self, program: &Program) -> Answer<Ended>;
    /// Whether somebody listens there.
    fn connects(&mut self, address: &str, port: u16, timeout: Duration) -> Answer<bool>;
    /// Status and beginning of the body of a GET; `verify` holds the
    /// certificate against the authorities.
    fn http_get(&mut self, url: &str, verify: bool, timeout: Duration) -> Answer<(u16, String)>;
    /// Notes durably that something is still to be done.
    fn mark(&mut self, name: &str) -> Answer<()>;
    /// Whether it is still to be done.
    fn marked(&mut self, name: &str) -> Answer<bool>;
    /// It was done.
    fn unmark(&mut self, name: &str) -> Answer<()>;
}
