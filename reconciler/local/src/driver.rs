//! Makes the emulator's cloud true: an instance that is launched becomes a node,
//! one that is terminated goes away, file systems, access points, volumes and
//! names follow.
//!
//! It looks at all of it again and again and remembers nothing but which nodes it
//! is busy with, so it may be ended and started anew at any time. What a person
//! did to a node (a power cut, a cut cable) stays done: only the emulator's word
//! starts or removes one. That a node is dead it tells the emulator, as EC2's
//! status checks tell a group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::emulator::ask;
use crate::error::Error;
use crate::ground::Ground;
use crate::identity::{Credentials, Identity};
use crate::node::{Node, Spec};

const LOOK_EVERY: Duration = Duration::from_millis(400);
/// How long an instance is pending, as on AWS: what is attached to it by then is
/// there when it boots.
const PENDING: Duration = Duration::from_secs(2);
/// Between two looks at which nodes are dead.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long a node is dead before its instance is impaired: minutes on AWS. Who
/// stops one for a moment gets it back.
const IMPAIRED: Duration = Duration::from_secs(15);
/// Nodes that are started or ended at the same time.
const AT_ONCE: usize = 4;

/// How nodes are made.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Environment of every node besides where AWS is.
    pub environment: BTreeMap<String, String>,
    /// Memory of an instance type in MiB; types that are absent have all there is.
    pub memory_mib: BTreeMap<String, u32>,
}

/// A driver; it ends with this value.
#[derive(Debug)]
pub struct Driver {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Work {
    ground: Arc<Ground>,
    emulator: SocketAddr,
    endpoint: String,
    terms: Terms,
    end: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    busy: BTreeSet<String>,
    names: BTreeMap<String, Ipv4Addr>,
    /// When instances without a node were first seen.
    pending: BTreeMap<String, Instant>,
    /// The instances there are.
    instances: Vec<Instance>,
    /// Instances that were told to stop.
    stopped: BTreeSet<String>,
    /// When nodes were first seen dead, and when they were last looked at.
    dead: BTreeMap<String, Instant>,
    checked: Option<Instant>,
    failed: BTreeMap<String, String>,
}

/// The emulator's answer.
#[derive(Debug, Deserialize)]
struct Cloud {
    instances: Vec<Instance>,
    addresses: BTreeMap<String, String>,
    file_systems: Vec<FileSystem>,
    names: BTreeMap<String, Vec<String>>,
}

/// An instance as the emulator has it.
#[derive(Clone, Debug, Deserialize)]
pub struct Instance {
    id: String,
    state: String,
    #[serde(rename = "type")]
    instance_type: String,
    image: String,
    zone: String,
    private_ip: String,
    role: String,
    spot: bool,
    tags: BTreeMap<String, String>,
    user_data: String,
    volumes: BTreeMap<String, Volume>,
}

#[derive(Clone, Debug, Deserialize)]
struct Volume {
    id: String,
    gib: u32,
}

#[derive(Debug, Deserialize)]
struct FileSystem {
    id: String,
    targets: Vec<Ipv4Addr>,
    access_points: Vec<AccessPoint>,
}

#[derive(Debug, Deserialize)]
struct AccessPoint {
    id: String,
    path: String,
    user: u32,
    group: u32,
    mode: String,
}

impl Driver {
    /// Follows the emulator at an address of this machine, which nodes reach as
    /// `endpoint`.
    pub fn start(
        ground: Arc<Ground>,
        emulator: SocketAddr,
        endpoint: &str,
        terms: Terms,
    ) -> Result<Self, Error> {
        let endpoint = endpoint.to_owned();
        let end = AtomicBool::new(false);
        let work = Work { ground, emulator, endpoint, terms, end, seen: Mutex::default() };
        let work = Arc::new(work);
        let own = work.clone();
        let thread = thread::Builder::new()
            .name("lyceum-driver".into())
            .spawn(move || own.follow())
            .map_err(Error::starting("the driver of nodes"))?;
        Ok(Self { work, thread: Some(thread) })
    }

    /// The instances that are not gone, first of all those launched first.
    pub fn instances(&self) -> Vec<Instance> {
        self.work.seen().instances.clone()
    }

    /// What does not succeed now, by instance or object; empty when all is well.
    pub fn failures(&self) -> BTreeMap<String, String> {
        self.work.seen().failed.clone()
    }
}

impl Instance {
    /// `i-…`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As EC2 has it: `pending`, `running`, …
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Where it is: `us-east-1`.
    pub fn region(&self) -> &str {
        self.zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase())
    }

    /// Its address in the cloud's network; none before it has one.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.private_ip.parse().ok()
    }

    /// One of its tags; empty without.
    pub fn tag(&self, key: &str) -> &str {
        self.tags.get(key).map_or("", String::as_str)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.work.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Work {
    fn follow(self: &Arc<Self>) {
        while !self.end.load(Ordering::Relaxed) {
            let looked = self.look();
            // An emulator that is away takes nothing away: its word is missing.
            self.note("emulator", looked.map(|cloud| self.make_true(&cloud)));
            thread::park_timeout(LOOK_EVERY);
        }
        while !self.seen().busy.is_empty() {
            thread::park_timeout(LOOK_EVERY);
        }
    }

    fn look(&self) -> Result<Cloud, Error> {
        let answer = ask(self.emulator, "GET", "/lyceum/cloud")?;
        serde_json::from_slice(&answer).map_err(|source| Error::Unexpected {
            what: "the emulator's cloud".into(),
            said: source.to_string(),
        })
    }

    fn make_true(self: &Arc<Self>, cloud: &Cloud) {
        for file_system in &cloud.file_systems {
            self.note(&file_system.id, self.share(file_system));
        }
        for (name, addresses) in &cloud.names {
            self.note(name, self.lead(name, addresses, &cloud.addresses));
        }
        match self.ground.nodes() {
            Ok(nodes) => {
                let ours = self.ours(&cloud.instances);
                self.note("health", self.check(&ours, &nodes));
                self.follow_instances(&ours, nodes);
            }
            Err(error) => self.note("nodes", Err(error)),
        }
    }

    /// Those that are not gone and have an address in this network: others are of
    /// clusters for which there is no ground here, and stay words.
    fn ours(&self, instances: &[Instance]) -> Vec<Instance> {
        let range = self.ground.subnet();
        let is_ours = |one: &&Instance| {
            let gone = matches!(one.state.as_str(), "shutting-down" | "terminated");
            !gone && one.address().is_some_and(|address| range.contains(address))
        };
        let ours: Vec<Instance> = instances.iter().filter(is_ours).cloned().collect();
        self.seen().instances.clone_from(&ours);
        ours
    }

    /// Tells the emulator of the nodes that are dead and should not be.
    fn check(&self, instances: &[Instance], nodes: &[Node]) -> Result<(), Error> {
        if self.seen().checked.is_some_and(|at| at.elapsed() < CHECK_EVERY) {
            return Ok(());
        }
        self.seen().checked = Some(Instant::now());
        let running = self.ground.running()?;
        let is_up = |id: &str| {
            let mut instances = instances.iter();
            instances.any(|one| one.id == id && one.state == "running")
        };
        let mut impaired = Vec::new();
        {
            let mut seen = self.seen();
            let Seen { busy, stopped, dead, .. } = &mut *seen;
            let is_dead = |id: &str| {
                !running.contains(id) && !busy.contains(id) && !stopped.contains(id) && is_up(id)
            };
            let found: BTreeSet<&str> =
                nodes.iter().map(Node::name).filter(|id| is_dead(id)).collect();
            dead.retain(|id, _| found.contains(id.as_str()));
            for id in found {
                let since = *dead.entry(id.to_owned()).or_insert_with(Instant::now);
                if since.elapsed() >= IMPAIRED {
                    impaired.push(id.to_owned());
                }
            }
        }
        for id in impaired {
            ask(self.emulator, "POST", &format!("/lyceum/impaired/{id}"))?;
        }
        Ok(())
    }

    fn share(&self, file_system: &FileSystem) -> Result<(), Error> {
        let all = self.ground.file_systems();
        all.create(&file_system.id)?;
        for address in &file_system.targets {
            all.answer_at(&file_system.id, *address)?;
        }
        for point in &file_system.access_points {
            let mode = u32::from_str_radix(&point.mode, 8).unwrap_or(0o755);
            let owner = (point.user, point.group, mode);
            all.access_point(&point.id, &file_system.id, &point.path, owner)?;
        }
        Ok(())
    }

    /// A public address leads nowhere on one machine; the private one it stands
    /// for does.
    fn lead(
        &self,
        name: &str,
        addresses: &[String],
        private: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let private = addresses.iter().find_map(|one| private.get(one)?.parse::<Ipv4Addr>().ok());
        let Some(address) = private else { return Ok(()) };
        if self.seen().names.get(name) != Some(&address) {
            self.ground.set_name(name, IpAddr::V4(address))?;
            self.seen().names.insert(name.to_owned(), address);
        }
        Ok(())
    }

    fn follow_instances(self: &Arc<Self>, instances: &[Instance], nodes: Vec<Node>) {
        let there: BTreeMap<String, Node> =
            nodes.into_iter().map(|node| (node.name().to_owned(), node)).collect();
        for instance in instances {
            match (instance.state.as_str(), there.get(&instance.id)) {
                ("pending" | "running", None) if self.has_waited(&instance.id) => {
                    let instance = instance.clone();
                    self.begin(&instance.id.clone(), move |work| work.launch(&instance));
                }
                ("pending" | "running", Some(node)) if self.was_stopped(&instance.id) => {
                    let node = node.clone();
                    self.begin(&instance.id, move |work| {
                        node.start()?;
                        work.seen().stopped.remove(node.name());
                        Ok(())
                    });
                }
                ("stopping" | "stopped", Some(node)) if !self.was_stopped(&instance.id) => {
                    let node = node.clone();
                    self.begin(&instance.id, move |work| {
                        work.seen().stopped.insert(node.name().to_owned());
                        node.stop()
                    });
                }
                _ => {}
            }
        }
        // What the emulator does not know, or knows as ended, is no instance.
        let alive: BTreeSet<&str> = instances.iter().map(|one| one.id.as_str()).collect();
        for (name, node) in there {
            if !alive.contains(name.as_str()) {
                self.begin(&name, move |work| work.terminate(&node));
            }
        }
    }

    /// Does something about one instance on a thread of its own, unless that is
    /// under way or enough others are.
    fn begin<F>(self: &Arc<Self>, id: &str, act: F)
    where
        F: FnOnce(&Self) -> Result<(), Error> + Send + 'static,
    {
        {
            let mut seen = self.seen();
            if seen.busy.len() >= AT_ONCE || !seen.busy.insert(id.to_owned()) {
                return;
            }
        }
        let (work, name) = (self.clone(), id.to_owned());
        let acting = move || {
            let acted = act(&work);
            work.note(&name, acted);
            work.seen().busy.remove(&name);
        };
        if let Err(error) = thread::Builder::new().spawn(acting) {
            self.note(id, Err(Error::starting("a node")(error)));
            self.seen().busy.remove(id);
        }
    }

    fn launch(&self, instance: &Instance) -> Result<(), Error> {
        let address: Ipv4Addr = instance.private_ip.parse().map_err(|_| Error::Unexpected {
            what: format!("the private address of {}", instance.id),
            said: instance.private_ip.clone(),
        })?;
        let mut spec = Spec::new(&instance.id, address, identity(instance)?);
        spec.environment.clone_from(&self.terms.environment);
        spec.environment.insert("AWS_ENDPOINT_URL".into(), self.endpoint.clone());
        spec.memory_mib = self.terms.memory_mib.get(&instance.instance_type).copied();
        for (name, volume) in &instance.volumes {
            self.ground.volumes().create(&volume.id, volume.gib.saturating_mul(1024))?;
            spec.volumes.insert(name.clone(), volume.id.clone());
        }
        self.ground.start_node(&spec)?;
        self.seen().pending.remove(&instance.id);
        Ok(())
    }

    /// In order, as AWS does, and whether or not the node goes along.
    fn terminate(&self, node: &Node) -> Result<(), Error> {
        if node.is_running()? {
            let _ = node.stop();
        }
        self.ground.remove_node(node)?;
        self.seen().stopped.remove(node.name());
        Ok(())
    }

    fn has_waited(&self, id: &str) -> bool {
        let since = *self.seen().pending.entry(id.to_owned()).or_insert_with(Instant::now);
        since.elapsed() >= PENDING
    }

    fn was_stopped(&self, id: &str) -> bool {
        self.seen().stopped.contains(id)
    }

    fn note(&self, what: &str, done: Result<(), Error>) {
        let mut seen = self.seen();
        match done {
            Ok(()) => seen.failed.remove(what),
            Err(error) => seen.failed.insert(what.to_owned(), whole(&error)),
        };
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(instance: &Instance) -> Result<Identity, Error> {
    let given = STANDARD.decode(instance.user_data.trim());
    let user_data = given.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let mut identity = Identity::of(&instance.id);
    identity.instance_type.clone_from(&instance.instance_type);
    identity.image_id.clone_from(&instance.image);
    identity.zone.clone_from(&instance.zone);
    identity.spot = instance.spot;
    identity.tags = instance.tags.clone();
    identity.user_data = user_data.filter(|text| !text.is_empty());
    if !instance.role.is_empty() {
        identity.credentials = Some(Credentials::sample(&instance.role));
    }
    Ok(identity)
}

/// An error with its causes, for a person.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}
