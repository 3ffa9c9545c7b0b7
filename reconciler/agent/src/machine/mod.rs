//! The machine the agent runs on, behind the traits of
//! [`lyceum_core::node::host`]: a file for each.
//!
//! Invariants: what the traits promise. Every call that waits has a named
//! limit: of programs, of connections, of Docker, of systemd, of AWS, and of
//! files where a server behind the network answers for them. Files on the node's
//! own disks are looked at without one: a disk that does not answer ends more
//! than the agent. Nothing is looked up by the C library's plug-ins: `/etc/passwd`,
//! `/etc/group` and names of hosts are read here.

pub mod accounts;
pub mod cluster;
pub mod docker;
pub mod files;
pub mod kernel;
mod network;
pub mod outside;
pub mod packages;
pub mod programs;
pub mod units;

use std::collections::BTreeMap;
use std::sync::Arc;

use lyceum_core::node::facts::Facts;
use lyceum_core::node::host::Answer;
use reqwest::Client;
use tokio::runtime::Handle;

use crate::aws::Aws;
use crate::http::Names;
use crate::keep::Keep;
use accounts::Accounts;
use cluster::Surroundings;
use docker::Daemon;
use network::FileServers;
use packages::Catalogue;
use units::Bus;

/// This machine.
pub struct Machine {
    runtime: Handle,
    keep: Keep,
    names: Arc<Names>,
    /// Clients of checks, by whether they ask for a proof.
    checking: BTreeMap<bool, Client>,
    facts: Facts,
    accounts: Accounts,
    servers: FileServers,
    catalogue: Catalogue,
    bus: Bus,
    daemon: Daemon,
    surroundings: Surroundings,
}

impl Machine {
    /// This machine, in its cluster or by itself.
    pub fn new(
        runtime: Handle,
        keep: Keep,
        names: Arc<Names>,
        surroundings: Surroundings,
    ) -> Answer<Self> {
        Ok(Self {
            runtime,
            keep,
            names,
            checking: BTreeMap::new(),
            facts: Facts::default(),
            accounts: Accounts::default(),
            servers: FileServers::default(),
            catalogue: Catalogue::default(),
            bus: Bus::default(),
            daemon: Daemon::new()?,
            surroundings,
        })
    }

    /// Tells it what it is.
    pub fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// The cloud, for a node that is in one.
    pub(crate) fn aws(&self) -> Option<Arc<Aws>> {
        self.surroundings.aws()
    }
}
