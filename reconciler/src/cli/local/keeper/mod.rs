//! The process that holds a cloud: its ground, its emulator, the driver of its
//! nodes, the service. It brings all of it up, writes down how far it is, keeps
//! the service alive, and takes all of it down when it is asked to end.
//!
//! Whatever ends it, a SIGKILL even, ends the emulator and the service with it;
//! what is Docker's then stays until `down`, `up` or any other cloud removes it.

mod coming_up;
mod secrets;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use lyceum_core::manifest::Declared;
use lyceum_core::node::rollout::Standing;
use lyceum_local::{Alive, Cloud, Forward, Node, Options, Place, Subnet, Terms, known};
use tokio::signal::unix::{SignalKind, signal};

use super::home::{Home, place};
use super::orders::{Desk, Given, Order};
use super::python;
use super::service::Service;
use super::shelf::Images;
use super::state::{self, Board, State};
use crate::cli::args::LocalKeepArgs;
use crate::cli::failure::{Failed, shown};
use crate::cli::{Exit, output};
use crate::road::{DeclaredManifests, declared};
use crate::source::Git;

/// Between two looks at the instances, and at how ready they are.
const SEE_EVERY: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(200);
/// What the service tags instances with: whose they are, as an address.
const ADDRESS: &str = "lyceum:address";

pub(super) fn run(args: LocalKeepArgs) -> Result<Exit, Failed> {
    // A session of its own: no terminal ends it.
    rustix::process::setsid().ok();
    let ended = ended()?;
    let home = Home::of(&args.cloud.name)?;
    let board = Arc::new(Board::new(
        home.clone(),
        State {
            name: args.cloud.name.clone(),
            cluster: args.cluster.clone(),
            repository: args.repo.clone(),
            keeper: Alive::of(std::process::id()),
            ..State::default()
        },
    ));
    let kept = keep(&args, &home, &board, &ended);
    if let Err(error) = &kept
        && !ended.load(Ordering::SeqCst)
    {
        output::note("the cloud does not come up");
        board.change(|state| state.failed = Some(shown(error)));
    }
    kept.map(|()| Exit::Well)
}

fn keep(
    args: &LocalKeepArgs,
    home: &Home,
    board: &Arc<Board>,
    ended: &AtomicBool,
) -> Result<(), Failed> {
    let place = place()?;
    let read = declared(&args.repo, Some("HEAD"))?;
    let images = Images::of(&read.manifests, cluster(&read, &args.cluster)?);
    let cloud = open(args, &place, board, (&read, &images))?;
    let mut keeper = Keeper::new(args, home, &place, (board.clone(), cloud))?;
    keeper.prepare(&read, &images)?;
    keeper.images = images;
    let desk = Desk::open(home.socket(&place))?;
    board.begin("the service makes the cluster in AWS");
    while !ended.load(Ordering::SeqCst) {
        if let Some(given) = desk.next(GLANCE) {
            keeper.obey(given);
        }
        keeper.step();
    }
    tracing::info!("ending");
    board.change(|state| state.now = Some("ending".into()));
    drop(desk);
    keeper.close()
}

/// The cloud below the cluster, and the emulator's Python before it.
fn open(
    args: &LocalKeepArgs,
    place: &Place,
    board: &Arc<Board>,
    (read, images): (&DeclaredManifests, &Images),
) -> Result<Cloud, Failed> {
    board.begin("the emulator's Python packages");
    let fresh = !python::is_there(place);
    let python = python::make(place)?;
    if fresh {
        board.done("the emulator's Python packages");
    }
    let range = &cluster(read, &args.cluster)?.cluster.spec.network.cidr;
    let range: Subnet = range.parse()?;
    let (said, done) = (board.clone(), board.clone());
    let options = Options {
        subnet: Some(range),
        report: &move |what| said.begin(what),
        done: &move |what, took| done.took(what, took),
        ..Options::named(&args.cloud.name)
    };
    board.begin("a network, a resolver, a registry, the emulator");
    Ok(Cloud::open(place, &options, &python, (&images.shelf(), Terms::default()))?)
}

/// A cloud that stands, and what is under way in it. Fields end in their order.
struct Keeper {
    service: Option<Service>,
    board: Arc<Board>,
    cloud: Cloud,
    place: Place,
    repository: PathBuf,
    cluster: String,
    images: Images,
    port: u16,
    log: PathBuf,
    agent: PathBuf,
    /// Short names, which are not given twice.
    names: BTreeMap<String, String>,
    door: Option<(Ipv4Addr, Forward)>,
    stage: usize,
    revision: String,
    /// Whether the hub has the image that it would build.
    given: bool,
    /// Instances to be taken away, and when.
    noticed: Vec<(Instant, String)>,
    seen: Option<Instant>,
    looked: Option<Instant>,
    /// What was last seen to change, and when.
    last: (Vec<(String, Standing, usize)>, Instant),
}

impl Keeper {
    fn new(
        args: &LocalKeepArgs,
        home: &Home,
        place: &Place,
        (board, cloud): (Arc<Board>, Cloud),
    ) -> Result<Self, Failed> {
        let endpoint = cloud.emulator().url();
        board.change(|state| {
            state.endpoint = Some(endpoint);
            state.docker = cloud.ground().daemon().docker().host().map(String::from);
        });
        Ok(Self {
            service: None,
            board,
            cloud,
            place: place.clone(),
            repository: args.repo.clone(),
            cluster: args.cluster.clone(),
            images: Images::default(),
            port: args.port,
            log: home.service_log(),
            agent: args.agent.clone(),
            names: BTreeMap::new(),
            door: None,
            stage: 0,
            revision: String::new(),
            given: false,
            noticed: Vec::new(),
            seen: None,
            looked: None,
            last: (Vec::new(), Instant::now()),
        })
    }

    /// What an operator does before a cluster can come up: a zone for its domain,
    /// the secrets that it refers to. Then the service begins.
    fn prepare(&mut self, read: &DeclaredManifests, images: &Images) -> Result<(), Failed> {
        self.revision = read.manifests.revision.clone();
        // What an author has under these names is in the place of ours.
        images.stock(images, self.cloud.ground(), &self.place)?;
        self.board.begin("the images that nodes begin with");
        // Without them nodes pull what they need, which takes longer.
        if let Err(error) = self.cloud.ground().bake() {
            tracing::warn!("nodes begin without their images: {error}");
        }
        self.board.done("the images that nodes begin with");
        for one in read.manifests.clusters.values() {
            if let Some(domain) = &one.cluster.spec.domain {
                let zone = domain.split_once('.').map_or(domain.as_str(), |(_, zone)| zone);
                self.cloud.emulator().make_zone(zone)?;
            }
        }
        let login = self.secrets(read)?;
        self.board.change(|state| state.login = login);
        let branch = branch(&self.repository)?;
        let endpoint = self.cloud.emulator().url();
        let of = (self.repository.as_path(), branch.as_str());
        self.service = Some(Service::start(of, &self.agent, &self.log, &endpoint)?);
        Ok(())
    }

    /// Once around.
    fn step(&mut self) {
        // A cloud outlives what goes wrong in it: the next look tries again.
        if is_due(&mut self.seen, SEE_EVERY)
            && let Err(error) = self.see()
        {
            tracing::warn!("{error:#}");
        }
        if is_due(&mut self.looked, LOOK_EVERY) {
            let looked = match self.board.state().up {
                true => self.follow_commits(),
                false => self.come_up(),
            };
            // The emulator may be busy, a commit may be wrong: the next look tells.
            if let Err(error) = looked {
                tracing::warn!("{error:#}");
            }
        }
    }

    /// The instances, the service, what is due.
    fn see(&mut self) -> Result<(), Failed> {
        if let Some(service) = &mut self.service {
            service.tend()?;
            let state = service.state();
            self.board.change(|now| now.service = state);
        }
        let due: Vec<String> = {
            let now = Instant::now();
            let (due, later) = std::mem::take(&mut self.noticed)
                .into_iter()
                .partition(|(at, _): &(Instant, String)| *at <= now);
            self.noticed = later;
            due.into_iter().map(|(_, id)| id).collect()
        };
        let instances = self.cloud.driver().instances();
        for id in due {
            let region = instances.iter().find(|one| one.id() == id).map(|one| one.region());
            if let Some(region) = region {
                self.cloud.emulator().terminate(region, &id)?;
            }
        }
        let nodes: Vec<state::Node> = instances
            .iter()
            .map(|one| {
                let group = group(one.tag(ADDRESS));
                state::Node {
                    name: self.name(one.id(), &group),
                    id: one.id().into(),
                    group,
                    address: one.address().map(|it| it.to_string()).unwrap_or_default(),
                    state: one.state().into(),
                }
            })
            .collect();
        self.open_door(&nodes)?;
        let failures = self.cloud.driver().failures();
        self.board.change(|now| (now.nodes, now.failures) = (nodes, failures));
        Ok(())
    }

    /// `hub`, `workers-1`: numbers are not given again.
    fn name(&mut self, id: &str, group: &str) -> String {
        if let Some(name) = self.names.get(id) {
            return name.clone();
        }
        let number = |count: usize| format!("{group}-{count}");
        let mut name = if group == "hub" { group.to_string() } else { number(1) };
        let mut count = 1;
        while self.names.values().any(|other| *other == name) {
            count += 1;
            name = number(count);
        }
        self.names.insert(id.into(), name.clone());
        name
    }

    /// The hub's door on this machine, wherever the hub is now.
    fn open_door(&mut self, nodes: &[state::Node]) -> Result<(), Failed> {
        let hub = nodes.iter().rev().find(|node| node.group == "hub");
        let Some(at) = hub.and_then(|hub| hub.address.parse::<Ipv4Addr>().ok()) else {
            return Ok(());
        };
        let target = SocketAddr::from((at, 443));
        match &mut self.door {
            Some((led, _)) if *led == at => return Ok(()),
            Some((led, door)) => {
                *led = at;
                door.set_target(Some(target));
            }
            None => {
                let ground = self.cloud.ground();
                let door = ground
                    .forward_here(self.port, target)
                    .or_else(|_| ground.forward_here(0, target))?;
                self.door = Some((at, door));
            }
        }
        let address = self.door.as_ref().map(|(_, door)| format!("https://{}/", door.address()));
        self.board.change(|state| {
            state.hub.address = address;
            state.hub.inside = Some(format!("https://{at}/"));
        });
        Ok(())
    }

    fn hub(&self) -> Option<Node> {
        let state = self.board.state();
        let hub = state.nodes.iter().rev().find(|node| node.group == "hub")?;
        let nodes = self.cloud.ground().nodes().ok()?;
        nodes.into_iter().find(|node| node.name() == hub.id)
    }

    /// A commit may name another image, which the registry then has.
    fn follow_commits(&mut self) -> Result<(), Failed> {
        let revision = Git::open(&self.repository)?.resolve("HEAD")?;
        if revision == self.revision {
            return Ok(());
        }
        self.revision = revision;
        let read = declared(&self.repository, Some("HEAD"))?;
        let images = Images::of(&read.manifests, cluster(&read, &self.cluster)?);
        images.stock(&self.images, self.cloud.ground(), &self.place)?;
        self.images = images;
        Ok(())
    }

    fn obey(&mut self, given: Given) {
        let Order::Notice { node, seconds } = given.order;
        (given.done)(self.notice(&node, seconds).map_err(|error| format!("{error:#}")));
    }

    /// As EC2 does: first a word, then the end.
    fn notice(&mut self, id: &str, seconds: u64) -> Result<(), Failed> {
        let instances = self.cloud.driver().instances();
        let found = instances.iter().find(|one| one.id() == id);
        let address = found.and_then(|one| one.address());
        let address = address.with_context(|| format!("there is no instance {id}"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let told = self.cloud.ground().metadata().change(address, |identity| {
            identity.rebalance = Some(now);
            identity.interruption = Some(now + seconds);
        });
        if !told {
            bail!("{id} has not begun yet");
        }
        self.noticed.push((Instant::now() + Duration::from_secs(seconds), id.into()));
        Ok(())
    }

    /// All of it, the service first: nobody follows what ends.
    fn close(mut self) -> Result<(), Failed> {
        drop(self.service.take());
        let (name, place) = (self.cloud.ground().name().to_string(), self.place.clone());
        let docker = self.cloud.ground().daemon().docker().clone();
        drop(self.cloud);
        // What could not be removed was said to the log; `down` tells whoever asks.
        match known(&docker, &place) {
            Ok(left) if left.contains(&name) => bail!("something is left of {name}"),
            _ => Ok(()),
        }
    }
}

/// The cluster that has machines here.
pub(super) fn cluster<'a>(read: &'a DeclaredManifests, name: &str) -> Result<&'a Declared, Failed> {
    let known = read.manifests.clusters.keys().map(String::as_str).collect();
    let found = read.manifests.clusters.get(name);
    found.ok_or_else(|| crate::road::RoadError::unknown_cluster(name, &known).into())
}

/// The branch of a working tree.
pub(super) fn branch(repository: &std::path::Path) -> Result<String, Failed> {
    let head = git2::Repository::open(repository)?.head()?.shorthand().map(String::from);
    let name = head.ok().filter(|name| name != "HEAD");
    name.ok_or_else(|| anyhow!("{} is on no branch", repository.display()))
}

/// `hub` or `workers`, from `lab/instance/hub` or `lab/scaling-group/workers`.
fn group(address: &str) -> String {
    address.rsplit('/').next().unwrap_or_default().into()
}

fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

/// True from the first SIGTERM or SIGINT on.
fn ended() -> Result<Arc<AtomicBool>, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let ended = Arc::new(AtomicBool::new(false));
    let heard = ended.clone();
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                heard.store(true, Ordering::SeqCst);
            }
        });
    });
    Ok(ended)
}
