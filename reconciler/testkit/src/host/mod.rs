//! [`FakeHost`]: a stateful machine in memory, for whatever converges one.
//!
//! It keeps files with their owners, accounts, packages from a repository that
//! tests fill, units, kernel parameters, mounts, Docker with a swarm,
//! parameters and peers, and answers in the shapes of the real ones, with what
//! those fill in by themselves. It fails on request, and dies on request: then
//! every call fails until it is started again.

mod accounts;
mod containers;
mod files;
mod kernel;
mod outside;
mod packages;
mod swarm;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lyceum_core::node::converge::Observer;
use lyceum_core::node::facts::Facts;
use lyceum_core::node::host::{Answer, Cause, Ended, HostError, Program, UserEntry};
use lyceum_core::node::report::StepReport;

pub use containers::FakeDocker;
pub use files::FakeFile;
pub use kernel::FakeMount;
pub use packages::FakePackage;
pub use swarm::FakeSwarm;
pub use units::FakeUnit;

/// A program that tests register: what it does to the machine, and how it ends.
pub type Behaviour = Arc<dyn Fn(&mut Machine, &Program) -> Ended + Send + Sync>;

/// A machine in memory, its faults and its log.
#[derive(Clone)]
pub struct FakeHost {
    /// What it is, all of it open to tests.
    pub machine: Machine,
    /// Calls so far, looks among them.
    pub calls: usize,
    /// Every changing call so far that was carried out, such as
    /// `commit /etc/motd`.
    pub log: Vec<String>,
    strikes: Vec<(usize, Strike)>,
    refusals: Vec<(String, Cause)>,
    dead: bool,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// It is not carried out and fails.
    Before(Cause),
    /// It is carried out, and fails all the same.
    After(Cause),
    /// The agent dies before it.
    DieBefore,
    /// The agent dies after it.
    DieAfter,
}

/// All that a machine is.
#[derive(Clone)]
pub struct Machine {
    /// What it knows of itself.
    pub facts: Facts,
    /// Everything on its disks, by path; below a mount by source and path.
    pub files: BTreeMap<String, FakeFile>,
    /// No byte more can be written.
    pub disk_full: bool,
    /// Users by name.
    pub users: BTreeMap<String, UserEntry>,
    /// Groups by name.
    pub groups: BTreeMap<String, u32>,
    /// What the repositories hold.
    pub available: BTreeMap<String, FakePackage>,
    /// The package index was not refreshed yet.
    pub index_is_old: bool,
    /// Name to version.
    pub installed: BTreeMap<String, String>,
    /// What systemd knows.
    pub units: BTreeMap<String, FakeUnit>,
    /// Units that do not come up.
    pub broken_units: BTreeSet<String>,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Loaded modules.
    pub modules: BTreeSet<String>,
    /// Mounts by path.
    pub mounts: BTreeMap<String, FakeMount>,
    /// Names volumes are attached under, to device and file system type.
    pub devices: BTreeMap<String, (String, String)>,
    /// Docker.
    pub docker: FakeDocker,
    /// Swarms that can be reached, by the address of their leader.
    pub swarms: BTreeMap<String, FakeSwarm>,
    /// Parameters; `none` where there is no value yet.
    pub parameters: BTreeMap<String, String>,
    /// What other nodes report.
    pub peers: BTreeMap<String, bool>,
    /// Addresses and ports somebody listens on.
    pub listening: BTreeSet<(String, u16)>,
    /// What addresses answer.
    pub pages: BTreeMap<String, (u16, String)>,
    /// What is noted.
    pub marks: BTreeSet<String>,
    programs: BTreeMap<String, Behaviour>,
    made: u64,
}

impl fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeHost").field("calls", &self.calls).field("log", &self.log).finish()
    }
}

impl FakeHost {
    /// A bare Debian.
    pub fn new(facts: Facts) -> Self {
        Self {
            machine: Machine::new(facts),
            calls: 0,
            log: Vec::new(),
            strikes: Vec::new(),
            refusals: Vec::new(),
            dead: false,
        }
    }

    /// Strikes one call, counted from now on, the first is 0.
    pub fn strike(&mut self, call: usize, strike: Strike) {
        self.strikes.push((self.calls + call, strike));
    }

    /// From now on every call whose name contains `part`, such as
    /// `pull_image`, fails before the deed.
    pub fn refuse(&mut self, part: &str, cause: Cause) {
        self.refusals.push((part.into(), cause));
    }

    /// Ends all refusals and strikes to come.
    pub fn relent(&mut self) {
        self.refusals.clear();
        self.strikes.clear();
    }

    /// The agent died.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// The agent is started again.
    pub fn revive(&mut self) {
        self.dead = false;
    }

    /// Has a program do something; `*` is every other one.
    pub fn program(
        &mut self,
        name: &str,
        behaviour: impl Fn(&mut Machine, &Program) -> Ended + Send + Sync + 'static,
    ) {
        self.machine.programs.insert(name.into(), Arc::new(behaviour));
    }

    fn look<T>(
        &mut self,
        name: impl Into<String>,
        deed: impl FnOnce(&mut Machine) -> Answer<T>,
    ) -> Answer<T> {
        self.call(name.into(), false, deed)
    }

    fn change<T>(
        &mut self,
        name: impl Into<String>,
        deed: impl FnOnce(&mut Machine) -> Answer<T>,
    ) -> Answer<T> {
        self.call(name.into(), true, deed)
    }

    fn call<T>(
        &mut self,
        name: String,
        changes: bool,
        deed: impl FnOnce(&mut Machine) -> Answer<T>,
    ) -> Answer<T> {
        if self.dead {
            return Err(HostError::new(Cause::Failed, &name, "the agent is dead"));
        }
        let number = self.calls;
        self.calls += 1;
        let strike = self.strikes.iter().find(|(call, _)| *call == number).map(|(_, it)| *it);
        let refused = self.refusals.iter().find(|(part, _)| name.contains(part.as_str()));
        let before = match (strike, refused) {
            (Some(Strike::DieBefore), _) => {
                self.dead = true;
                Some(Cause::Failed)
            }
            (Some(Strike::Before(cause)), _) => Some(cause),
            (_, Some((_, cause))) => Some(*cause),
            _ => None,
        };
        if let Some(cause) = before {
            return Err(HostError::new(cause, &name, "injected"));
        }
        let answer = deed(&mut self.machine)?;
        if changes {
            self.log.push(name.clone());
        }
        match strike {
            Some(Strike::After(cause)) => Err(HostError::new(cause, &name, "injected")),
            Some(Strike::DieAfter) => {
                self.dead = true;
                Err(HostError::new(Cause::Failed, &name, "the agent is dead"))
            }
            _ => Ok(answer),
        }
    }
}

impl Machine {
    fn new(facts: Facts) -> Self {
        let mut machine = Self {
            facts,
            files: BTreeMap::new(),
            disk_full: false,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            available: BTreeMap::new(),
            index_is_old: false,
            installed: BTreeMap::new(),
            units: BTreeMap::new(),
            broken_units: BTreeSet::new(),
            sysctls: BTreeMap::new(),
            modules: BTreeSet::new(),
            mounts: BTreeMap::new(),
            devices: BTreeMap::new(),
            docker: FakeDocker::default(),
            swarms: BTreeMap::new(),
            parameters: BTreeMap::new(),
            peers: BTreeMap::new(),
            listening: BTreeSet::new(),
            pages: BTreeMap::new(),
            marks: BTreeSet::new(),
            programs: BTreeMap::new(),
            made: 0,
        };
        machine.add_base();
        machine
    }

    fn add_base(&mut self) {
        for path in [
            "/",
            "/etc",
            "/etc/systemd",
            "/etc/systemd/system",
            "/etc/sysctl.d",
            "/etc/modules-load.d",
            "/etc/apt",
            "/etc/apt/sources.list.d",
            "/usr",
            "/usr/local",
            "/usr/local/bin",
            "/var",
            "/var/lib",
            "/srv",
            "/home",
            "/root",
            "/tmp",
            "/run",
        ] {
            self.files.insert(path.into(), FakeFile::directory());
        }
        for (name, id) in [("root", 0), ("daemon", 1), ("www-data", 33), ("nogroup", 65534)] {
            self.groups.insert(name.into(), id);
        }
        for (name, uid, home) in [("root", 0, "/root"), ("www-data", 33, "/var/www")] {
            let (group, shell) = (name.into(), "/bin/sh".into());
            let entry = UserEntry { uid, group, groups: Vec::new(), home: home.into(), shell };
            self.users.insert(name.into(), entry);
        }
        for (key, value) in [
            ("net.ipv4.ip_forward", "0"),
            ("vm.swappiness", "60"),
            ("fs.file-max", "100000"),
            ("net.ipv4.tcp_rmem", "4096\t131072\t6291456"),
            ("kernel.panic", "0"),
        ] {
            self.sysctls.insert(key.into(), value.into());
        }
    }

    /// A number nothing else has.
    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// A new boot: what is mounted, loaded and running is what outlives one.
    pub fn reboot(&mut self) {
        self.mounts.clear();
        self.modules.clear();
        self.reset_sysctls();
        self.load_modules_at_boot();
        self.start_units_at_boot();
    }
}

/// A clock that moves by a millisecond with each look, and what happened.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    now: Duration,
    /// `begin base/motd`, `end base/motd`.
    pub events: Vec<String>,
}

impl Observer for Watching {
    fn now(&mut self) -> Duration {
        self.now += Duration::from_millis(1);
        self.now
    }

    fn begun(&mut self, id: &str) {
        self.events.push(format!("begin {id}"));
    }

    fn ended(&mut self, report: &StepReport) {
        self.events.push(format!("end {}", report.id));
    }
}

fn error<T>(cause: Cause, operation: impl Into<String>, message: impl Into<String>) -> Answer<T> {
    Err(HostError::new(cause, operation, message))
}
