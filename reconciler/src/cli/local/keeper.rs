//! The process that holds a cloud: its ground, its emulator, the driver of its
//! nodes, the service. It brings all of it up, writes down how far it is, keeps
//! the service alive, and takes all of it down when it is asked to end.
//!
//! Whatever ends it, a SIGKILL even, ends the emulator and the service with it;
//! what is Docker's then stays until `down`, `up` or any other cloud removes it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use lyceum_aws::{Aws, Options as AwsOptions};
use lyceum_core::manifest::Declared;
use lyceum_core::manifest::cluster::AuthType;
use lyceum_core::node::rollout::{NodeState, Standing};
use lyceum_local::{Alive, Cloud, Forward, Node, Options, Place, Subnet, Terms, known};
use tokio::signal::unix::{SignalKind, signal};

use super::home::{Home, place};
use super::orders::{Desk, Given, Order};
use super::service::Service;
use super::shelf::{self, Images};
use super::state::{self, Board, Login, State};
use super::{certificate, python, runtime};
use crate::cli::args::LocalKeepArgs;
use crate::cli::failure::{Failed, shown};
use crate::cli::{Exit, output};
use crate::render::status::ClusterStatus;
use crate::road::{DeclaredManifests, Road, Wanted, declared, status};
use crate::source::Git;

/// Between two looks at the instances, and at how ready they are.
const SEE_EVERY: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long nothing may change until what fails is taken for what stays so.
const STILL: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(200);
/// Of a password, in bytes.
const PASSWORD: usize = 9;
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
        let docker = self.cloud.ground().daemon().docker();
        // What an author has under these names is in the place of ours.
        images.stock(images, self.cloud.ground().registry(), docker, &self.place)?;
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

    /// Everyone's password where there is one, and a word in the place of a
    /// secret that only its owner knows.
    fn secrets(&self, read: &DeclaredManifests) -> Result<Login, Failed> {
        let one = cluster(read, &self.cluster)?;
        let spec = &one.cluster.spec;
        let auth = &spec.jupyter.auth;
        let owner = &read.manifests.repository.owner;
        let user = auth.admins.first().cloned();
        match auth.auth_type {
            AuthType::Dummy => {
                let attributes = spec.attributes.get("jupyterhub");
                let name = attributes.and_then(|all| all.get("trialPasswordParameter")?.as_str());
                let name = name.unwrap_or("trial-password");
                let password = password()?;
                let path = format!("/{owner}/{}/{name}", self.cluster);
                self.put(&spec.region, &path, &password)?;
                let note = "any other name gets in as well".to_string();
                let user = user.or_else(|| Some("ada".into()));
                Ok(Login { user, password: Some(password), note: Some(note) })
            }
            AuthType::Native if user.is_some() => Ok(Login { user, ..Login::default() }),
            AuthType::Native => {
                let note = "people sign up, and nobody can admit them: the manifest names no admin";
                Ok(Login { note: Some(note.into()), ..Login::default() })
            }
            AuthType::Github => {
                if let Some(path) = &auth.client_secret_ref {
                    let path = path.strip_prefix("ssm:").unwrap_or(path);
                    self.put(&spec.region, path, "made by lyceum local up")?;
                }
                let note = "through GitHub, which knows nothing of this machine: \
                            `auth: {type: dummy}` lets you in here";
                Ok(Login { note: Some(note.into()), ..Login::default() })
            }
        }
    }

    fn put(&self, region: &str, name: &str, value: &str) -> Result<(), Failed> {
        let emulator = Some(self.cloud.emulator().url());
        let options = AwsOptions { emulator, ..AwsOptions::default() };
        runtime()?.block_on(async {
            let aws = Aws::connect("lyceum", "", options).await?;
            aws.put_secret(region, name, value.into()).await
        })?;
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

    /// How far it is: what is done is written down, in its order.
    fn come_up(&mut self) -> Result<(), Failed> {
        self.give_image();
        let Some(found) = self.found()? else { return Ok(()) };
        let ready = |group: &str| {
            let is_ready = |node: &&NodeState| node.group == group && is_ready(node);
            found.nodes.iter().filter(is_ready).count()
        };
        let wanted = usize::try_from(found.workers_min.unwrap_or(0)).unwrap_or(0);
        let launched = |group: &str| {
            self.board.state().nodes.iter().filter(|node| node.group == group).count()
        };
        if self.stage == 0 && launched("hub") > 0 && launched("workers") >= wanted {
            self.reach(
                "the cluster in AWS, its instances launched",
                "the nodes become what their roles say",
            );
        }
        if self.stage == 1 && ready("hub") > 0 {
            self.reach("the hub ready", "the workers become ready");
        }
        if self.stage == 2 && ready("workers") >= wanted {
            self.reach(&format!("{wanted} workers ready"), "the hub is asked over TLS");
        }
        let answers = self.asked_over_tls();
        if self.stage == 3 && answers {
            self.reach("the hub answers over TLS", "");
            self.is_up();
        }
        if self.stage < 3 && self.is_still(&found) && answers {
            self.reach("the hub answers, and not all is well", "");
            self.is_up();
        }
        Ok(())
    }

    /// What the service's own status says of the cluster.
    fn found(&self) -> Result<Option<ClusterStatus>, Failed> {
        let read = declared(&self.repository, Some("HEAD"))?;
        let emulator = self.cloud.emulator().url();
        let only = Wanted { clusters: [self.cluster.clone()].into(), ..Wanted::default() };
        let found = runtime()?.block_on(async {
            let road = Road::to_emulator(read, None, only, emulator).await?;
            let look = road.look().await?;
            Ok::<_, Failed>(status(&road.declared, &look))
        })?;
        Ok(found.clusters.into_iter().find(|one| one.name == self.cluster))
    }

    fn reach(&mut self, what: &str, next: &str) {
        self.board.done(what);
        self.board.change(|state| state.now = (!next.is_empty()).then(|| next.into()));
        self.stage += 1;
    }

    fn is_up(&mut self) {
        let password = self.board.state().login.user.filter(|_| self.needs_password());
        let password = password.and_then(|_| self.admin_password());
        self.board.change(|state| {
            state.up = true;
            state.now = None;
            state.login.password = state.login.password.take().or(password);
        });
    }

    fn needs_password(&self) -> bool {
        self.board.state().login.password.is_none()
    }

    /// Made on the hub, where nobody but its administrator reads it.
    fn admin_password(&self) -> Option<String> {
        let hub = self.hub()?;
        hub.read("/srv/data/jupyterhub/admin-password").ok()
    }

    fn hub(&self) -> Option<Node> {
        let state = self.board.state();
        let hub = state.nodes.iter().rev().find(|node| node.group == "hub")?;
        let nodes = self.cloud.ground().nodes().ok()?;
        nodes.into_iter().find(|node| node.name() == hub.id)
    }

    fn asked_over_tls(&self) -> bool {
        let Some((_, door)) = &self.door else { return false };
        let told = certificate::answers(door.address(), "/hub/health").ok().flatten();
        let answers = told.is_some();
        self.board.change(|state| state.hub.fingerprint = told.or(state.hub.fingerprint.take()));
        answers
    }

    /// Every node is ready or fails, and nothing has changed for a while.
    fn is_still(&mut self, found: &ClusterStatus) -> bool {
        let now: Vec<(String, Standing, usize)> = found
            .nodes
            .iter()
            .map(|node| (node.id.clone(), node.standing, node.troubles.len()))
            .collect();
        if now != self.last.0 {
            self.last = (now, Instant::now());
        }
        let settled = |standing: Standing| matches!(standing, Standing::Good | Standing::Failing);
        !self.last.0.is_empty()
            && self.last.0.iter().all(|(_, standing, _)| settled(*standing))
            && self.last.1.elapsed() >= STILL
    }

    /// A role may say to build the hub's image from the internet; here it is there.
    fn give_image(&mut self) {
        let Some(name) = self.images.built.clone().filter(|_| !self.given) else { return };
        let Some(hub) = self.hub() else { return };
        let is_ready = hub.run(&["docker", "version"]).is_ok_and(|ran| ran.success());
        if !is_ready {
            return;
        }
        let docker = self.cloud.ground().daemon().docker();
        match shelf::give(docker, &hub, &name, &self.place) {
            Ok(()) => self.given = true,
            Err(error) => tracing::warn!("{error:#}"),
        }
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
        let docker = self.cloud.ground().daemon().docker();
        images.stock(&self.images, self.cloud.ground().registry(), docker, &self.place)?;
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

fn is_ready(node: &NodeState) -> bool {
    node.standing == Standing::Good && !node.behind && !node.leaving
}

fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

fn password() -> Result<String, Failed> {
    let mut bytes = [0; PASSWORD];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
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
