//! What is known of a cloud: written down by its keeper, read by everybody else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lyceum_local::Alive;
use serde::{Deserialize, Serialize};

use super::home::Home;

/// A cloud. Keys are added, never renamed or removed: `status --format json`
/// shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Its name.
    pub(super) name: String,
    /// The cluster that has machines here.
    pub(super) cluster: String,
    /// The repository that is followed.
    pub(super) repository: PathBuf,
    /// The process that holds it.
    pub(super) keeper: Option<Alive>,
    /// The service.
    pub(super) service: Service,
    /// What is being done now, while it comes up.
    pub(super) now: Option<String>,
    /// What was done, in order.
    pub(super) stages: Vec<Stage>,
    /// The hub answers and every node is ready, or can be no readier.
    pub(super) up: bool,
    /// Why it does not come up.
    pub(super) failed: Option<String>,
    /// Where AWS is, for programs of this machine.
    pub(super) endpoint: Option<String>,
    /// Where the Docker is that the nodes run on, if not where the environment
    /// says.
    pub(super) docker: Option<String>,
    /// Where people find the hub.
    pub(super) hub: Hub,
    /// How they sign in.
    pub(super) login: Login,
    /// Its nodes.
    pub(super) nodes: Vec<Node>,
    /// What does not succeed now, by instance or object.
    pub(super) failures: BTreeMap<String, String>,
}

/// The service, `lyceum serve`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    /// Its process.
    pub(super) alive: Option<Alive>,
    /// How often it was started.
    pub(super) starts: u32,
}

/// Something that was done, and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) seconds: f64,
}

/// Where people find the hub.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Hub {
    /// Its address on this machine, `https://127.0.0.1:8443/`.
    pub(super) address: Option<String>,
    /// Its address among the nodes.
    pub(super) inside: Option<String>,
    /// SHA-256 of its certificate.
    pub(super) fingerprint: Option<String>,
}

/// How people sign in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// What else there is to know about it.
    pub(super) note: Option<String>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    /// Its short name: `hub`, `workers-1`.
    pub(super) name: String,
    /// Its instance.
    pub(super) id: String,
    /// Its group.
    pub(super) group: String,
    /// Its address in the nodes' network.
    pub(super) address: String,
    /// The instance's state, as EC2 has it.
    pub(super) state: String,
}

impl State {
    /// Whether its keeper runs.
    pub(super) fn is_kept(&self) -> bool {
        self.keeper.as_ref().is_some_and(Alive::is_running)
    }
}

/// The state as its keeper writes it.
#[derive(Debug)]
pub(super) struct Board {
    home: Home,
    now: Mutex<(State, Instant)>,
}

impl Board {
    pub(super) fn new(home: Home, state: State) -> Self {
        let board = Self { home, now: Mutex::new((State::default(), Instant::now())) };
        board.change(|now| *now = state);
        board
    }

    /// Changes it; written down if that makes a difference.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        let mut now = self.lock();
        let before = now.0.clone();
        change(&mut now.0);
        if before != now.0
            && let Err(error) = self.home.write(&now.0)
        {
            tracing::warn!(%error, "the state cannot be written");
        }
    }

    /// What is done from now on.
    pub(super) fn begin(&self, what: &str) {
        tracing::info!("{what}");
        self.change(|state| state.now = Some(what.into()));
    }

    /// Something is done that began when the last was.
    pub(super) fn done(&self, what: &str) {
        let took = {
            let mut now = self.lock();
            std::mem::replace(&mut now.1, Instant::now()).elapsed()
        };
        self.took(what, took);
    }

    pub(super) fn took(&self, what: &str, took: Duration) {
        tracing::info!(seconds = took.as_secs_f64(), "done: {what}");
        let seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        self.change(|state| state.stages.push(Stage { name: what.into(), seconds }));
        self.lock().1 = Instant::now();
    }

    /// What is written down now.
    pub(super) fn state(&self) -> State {
        self.lock().0.clone()
    }

    fn lock(&self) -> MutexGuard<'_, (State, Instant)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
