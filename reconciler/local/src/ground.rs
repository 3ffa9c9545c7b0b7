//! What the nodes of one local cloud stand on: a Docker daemon, a network, and
//! in it what a VPC and a region give: a resolver, a metadata service, a registry,
//! file systems, a way to the AWS emulator.
//!
//! All of it carries the cloud's label or lies in its folder, and ends with this
//! value; only images, the registry's blobs and what is baked of them stay. What a
//! crash leaves is known by the cloud's lock, which nobody holds then, and is
//! removed by the next cloud of any name. Addresses are as in a VPC: .1 is the
//! host, .2 the resolver, .3 the registry; nodes have .4 and above.
//!
//! May not: change what carries no label of a local cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::baked::Stock;
use crate::command::{self, wait_until};
use crate::daemon::Daemon;
use crate::docker::{Docker, LABEL, SOON};
use crate::error::Error;
use crate::forward::Forward;
use crate::image::Image;
use crate::lock::Lock;
use crate::metadata::Metadata;
use crate::node::{Node, Rights, Spec, Surroundings, container_name};
use crate::place::{Place, is_root};
use crate::registry::{self, Registry};
use crate::serving::Serving;
use crate::storage::{self, FileSystems, Volumes};
use crate::subnet::{Subnet, create_network};

const SERVICES_WITHIN: Duration = Duration::from_secs(60);
const LONGEST_NAME: usize = 30;
/// Where AWS has it.
const METADATA: &str = "169.254.169.254";

/// What a local cloud is made from.
pub struct Options<'a> {
    /// Its name; several of different names stand side by side.
    pub name: String,
    /// The range of its nodes; without one, a free range is found.
    pub subnet: Option<Subnet>,
    /// The public registries that the local one answers as.
    pub registries: Vec<String>,
    /// Is told of every stage that takes long.
    pub report: &'a dyn Fn(&str),
    /// Is told of every stage that is over, and how long it took.
    pub done: &'a dyn Fn(&str, Duration),
}

impl Options<'_> {
    /// One of this name, that reports to nobody.
    pub fn named(name: &str) -> Self {
        let registries = ["registry-1.docker.io", "quay.io", "ghcr.io", "public.ecr.aws"];
        Self {
            name: name.to_owned(),
            subnet: None,
            registries: registries.map(str::to_owned).to_vec(),
            report: &|_| {},
            done: &|_, _| {},
        }
    }
}

/// A local cloud without its nodes.
#[derive(Debug)]
pub struct Ground {
    // First of all: nothing answers while the rest is removed.
    serving: Serving,
    subnet: Subnet,
    around: Surroundings,
    metadata: Metadata,
    file_systems: FileSystems,
    registry: Registry,
    names: Mutex<BTreeMap<String, IpAddr>>,
    stock: Stock,
    claim: Claim,
}

impl Ground {
    /// Makes it, after removing what crashed clouds left behind.
    pub fn open(place: &Place, options: &Options<'_>) -> Result<Self, Error> {
        let claim = Claim::take(place, &options.name)?;
        let docker = claim.docker().clone();
        let image = Image::Node.ensure(&docker, place, options.report)?;
        let (rights, made) = thread::scope(|scope| {
            let rights = scope.spawn(|| Rights::of(&docker, &image));
            let made = create_network(&docker, &claim.name, options.subnet);
            // A thread that failed says as little as one that was refused.
            (rights.join().unwrap_or(Ok(Rights::Listed)), made)
        });
        let (network, bridge, subnet) = made?;
        let file_systems = FileSystems::at(claim.folder().join("file-systems"))?;
        let serving = Serving::start()?;
        let metadata = Metadata::default();
        let host = SocketAddr::from((subnet.address(1), 0));
        let port = metadata.listen(&serving, host)?.port();
        claim.host(&redirect(&claim.name, &bridge, port), &image)?;
        let around = Surroundings {
            rights: rights?,
            volumes: Volumes::at(claim.folder().join("volumes"))?,
            shared: shared(&claim, &file_systems),
            docker: docker.clone(),
            cloud: claim.name.clone(),
            image,
            network,
        };
        let container = container_name(&claim.name, "registry");
        let registry = Registry { docker, container };
        let ground = Self {
            serving,
            subnet,
            around,
            metadata,
            file_systems,
            registry,
            names: Mutex::default(),
            stock: Stock::of(&options.registries),
            claim,
        };
        ground.start_services(options)?;
        Ok(ground)
    }

    /// Starts a node. What it is and knows is there before it boots.
    pub fn start_node(&self, spec: &Spec) -> Result<Node, Error> {
        check_name(&spec.name)?;
        self.metadata.set(spec.address, spec.identity.clone());
        Node::start_new(&self.around, (spec, self.stock.baked().as_ref()), &self.claim.folder())
    }

    /// Puts an image that Docker has on this machine into the registry under a
    /// production name, `quay.io/group/image:tag`.
    pub fn stock(&self, image: &str, name: &str) -> Result<(), Error> {
        let digest = self.registry.push(image, name)?;
        self.stock.has(name, &digest);
        Ok(())
    }

    /// Nodes that start from now on have all images that were stocked and can be
    /// pulled here; what is stocked later they pull.
    pub fn bake(&self) -> Result<(), Error> {
        self.stock.bake(&self.around, &self.claim.place)
    }

    /// Removes a node with everything on its disk, as the end of an instance does.
    pub fn remove_node(&self, node: &Node) -> Result<(), Error> {
        if let Some(address) = node.address()? {
            self.metadata.remove(address);
        }
        node.remove()
    }

    /// The nodes there are, running or not, by name.
    pub fn nodes(&self) -> Result<Vec<Node>, Error> {
        Node::all(&self.around.docker, &self.claim.name)
    }

    /// The names of those that run.
    pub fn running(&self) -> Result<BTreeSet<String>, Error> {
        Node::running(&self.around.docker, &self.claim.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.claim.name
    }

    /// The folder of what it keeps, gone with it.
    pub fn folder(&self) -> PathBuf {
        self.claim.folder()
    }

    /// The daemon its nodes run on.
    pub fn daemon(&self) -> &Daemon {
        &self.claim.daemon
    }

    /// The range of its nodes.
    pub fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// The address at which nodes reach this machine.
    pub fn host(&self) -> Ipv4Addr {
        self.subnet.address(1)
    }

    /// What nodes are told about themselves.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What nodes can mount.
    pub fn file_systems(&self) -> &FileSystems {
        &self.file_systems
    }

    /// What nodes have as disks.
    pub fn volumes(&self) -> &Volumes {
        &self.around.volumes
    }

    /// What nodes pull images from.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Lets nodes reach `target`, which listens on this machine only, at a port
    /// of [`Self::host`]; any free one for 0.
    pub fn forward(&self, port: u16, target: SocketAddr) -> Result<Forward, Error> {
        Forward::start(&self.serving, SocketAddr::from((self.host(), port)), target)
    }

    /// Lets this machine reach `target`, which is a node's, at a port of its
    /// loopback address; any free one for 0.
    pub fn forward_here(&self, port: u16, target: SocketAddr) -> Result<Forward, Error> {
        Forward::start(&self.serving, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), target)
    }

    /// From now on nodes, and what runs in their containers, find `name` there.
    pub fn set_name(&self, name: &str, address: IpAddr) -> Result<(), Error> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned(), address);
        let text: String = names.iter().map(|(name, at)| format!("{at} {name}\n")).collect();
        self.write("names", &text)?;
        let container = container_name(&self.claim.name, "names");
        self.around.docker.succeed(&["kill", "--signal", "HUP", &container]).map(drop)
    }

    /// Removes all of it, and ends the daemon if nobody else uses it. Dropping it
    /// does the same, and prints what fails.
    pub fn close(mut self) -> Result<(), Error> {
        self.claim.open = false;
        self.claim.clear()
    }

    fn start_services(&self, options: &Options<'_>) -> Result<(), Error> {
        let (names, registry) = (self.subnet.address(2), self.subnet.address(3));
        self.write("names", "")?;
        self.write("resolv.conf", &format!("nameserver {names}\noptions timeout:2 attempts:2\n"))?;
        let at = self.claim.folder().join("names").display().to_string();
        let mut resolver = service(&self.around, "names", names, &[(at, "/names:ro")]);
        let answers = options.registries.iter().map(|name| format!("--address=/{name}/{registry}"));
        resolver.extend(answers);
        let cache = |name: &str| self.claim.place.cache().join(name).display().to_string();
        let kept = [(cache("authority"), "/authority"), (cache("registry"), "/registry")];
        let mut images = service(&self.around, "registry", registry, &kept);
        images.extend(options.registries.iter().cloned());
        let docker = &self.around.docker;
        thread::scope(|scope| {
            let resolver = scope.spawn(|| docker.succeed(&resolver));
            docker.succeed(&images).and(resolver.join().unwrap_or_else(|_| Ok(String::new())))
        })?;

        for (what, address) in [("the resolver", (names, 53)), ("the registry", (registry, 443))] {
            let address = SocketAddr::from(address);
            let wait = Duration::from_secs(1);
            wait_until(&format!("{what} at {address}"), SERVICES_WITHIN, || {
                Ok(TcpStream::connect_timeout(&address, wait).is_ok())
            })?;
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.claim.folder().join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))
    }
}

/// Removes whatever a cloud that nobody holds any more left behind: containers,
/// volumes, networks, rules, mounts, files. Nothing, where there is nothing.
pub fn remove(place: &Place, name: &str) -> Result<(), Error> {
    check_name(name)?;
    let there = place.clouds().join(name).exists();
    let listed = |docker: &Docker| Ok::<_, Error>(known(docker, place)?.contains(name));
    if !there && !Daemon::find(place).as_ref().map_or(Ok(false), listed)? {
        return Ok(());
    }
    let mut claim = Claim::take(place, name)?;
    claim.open = false;
    claim.clear()
}

/// Removes what every crashed cloud left behind.
pub fn sweep(docker: &Docker, place: &Place) -> Result<(), Error> {
    for name in known(docker, place)? {
        // Held by one that runs, or by the caller.
        let path = lock_path(place, &name);
        if let Some(lock) = Lock::try_alone(&path)? {
            clear(docker, place, &name)?;
            lock.remove(&path);
        }
    }
    Ok(())
}

/// A cloud's name, taken, with the daemon it needs: whatever is made under it is
/// gone when this goes.
#[derive(Debug)]
struct Claim {
    name: String,
    place: Place,
    open: bool,
    daemon: Daemon,
    lock: Lock,
}

impl Claim {
    fn take(place: &Place, name: &str) -> Result<Self, Error> {
        check_name(name)?;
        let lock = Lock::try_alone(&lock_path(place, name))?
            .ok_or_else(|| Error::Taken { name: name.to_owned() })?;
        let daemon = Daemon::start(place)?;
        let claim = Self { name: name.to_owned(), place: place.clone(), open: true, daemon, lock };
        claim.clear()?;
        sweep(claim.docker(), place)?;
        for folder in
            [claim.folder(), place.cache().join("authority"), place.cache().join("registry")]
        {
            fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
        }
        // Another cloud's registry may be using them.
        if known(claim.docker(), place)?.iter().all(|other| other == name) {
            registry::bound(&place.cache().join("registry"), registry::KEPT)?;
        }
        Ok(claim)
    }

    fn docker(&self) -> &Docker {
        self.daemon.docker()
    }

    fn folder(&self) -> PathBuf {
        self.place.clouds().join(&self.name)
    }

    fn clear(&self) -> Result<(), Error> {
        clear(self.docker(), &self.place, &self.name)
    }

    /// Runs a script where the daemon's networks are: on this host. Who is not
    /// root may still be allowed to use Docker, which is as good.
    fn host(&self, script: &str, image: &str) -> Result<(), Error> {
        on_host(self.docker(), script, Some(image))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.open
            && let Err(error) = self.clear()
        {
            eprintln!("the local cloud {} leaves something behind: {error}", self.name);
        }
        self.lock.remove(&lock_path(&self.place, &self.name));
    }
}

fn clear(docker: &Docker, place: &Place, name: &str) -> Result<(), Error> {
    docker.remove_labelled(&format!("{LABEL}={name}"))?;
    let image = docker.inspect("image", &Image::Node.tag())?.map(|_| Image::Node.tag());
    on_host(docker, &no_redirect(name), image.as_deref())?;
    let folder = place.clouds().join(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", &folder)(error))
        }
        _ => Ok(()),
    }
}

fn on_host(docker: &Docker, script: &str, image: Option<&str>) -> Result<(), Error> {
    if is_root() {
        return command::succeed(Command::new("sh").args(["-c", script]), b"", SOON).map(drop);
    }
    // Without an image there is no cloud that could have left anything.
    let Some(image) = image else { return Ok(()) };
    let run = ["run", "--rm", "--network=host", "--cap-add=NET_ADMIN", image, "sh", "-c", script];
    docker.succeed(&run).map(drop)
}

/// Names of clouds of which anything is there: folders and labels.
pub fn known(docker: &Docker, place: &Place) -> Result<BTreeSet<String>, Error> {
    let clouds = place.clouds();
    let entries = fs::read_dir(&clouds).map_err(Error::file("read", &clouds))?;
    let mut names: BTreeSet<String> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let filter = format!("label={LABEL}");
    let format = format!("{{{{.Label \"{LABEL}\"}}}}");
    for kind in ["container", "network", "volume"] {
        let mut ask = vec![kind, "ls", "--filter", &filter, "--format", &format];
        if kind == "container" {
            ask.push("--all");
        }
        names.extend(docker.succeed(&ask)?.lines().map(str::to_owned));
    }
    names.retain(|name| check_name(name).is_ok());
    Ok(names)
}

fn shared(claim: &Claim, file_systems: &FileSystems) -> Vec<(String, String)> {
    let text = |path: PathBuf| path.display().to_string();
    let authority = claim.place.cache().join("authority/authority.pem");
    vec![
        (text(file_systems.folder().to_owned()), storage::IN_NODE.to_owned()),
        (text(claim.folder().join("resolv.conf")), "/etc/resolv.conf:ro".to_owned()),
        (text(authority), "/etc/ssl/certs/lyceum-local.pem:ro".to_owned()),
    ]
}

/// `docker run` of a service, up to its arguments.
fn service(
    around: &Surroundings,
    name: &str,
    address: Ipv4Addr,
    volumes: &[(String, &str)],
) -> Vec<String> {
    let mut words = vec!["run".to_owned(), "--detach".to_owned()];
    words.push(format!("--name={}", container_name(&around.cloud, name)));
    words.push(format!("--label={LABEL}={}", around.cloud));
    words.push(format!("--network={}", around.network));
    words.push(format!("--ip={address}"));
    words.push("--cap-add=NET_ADMIN".to_owned());
    if name == "registry" {
        words.push("--publish=127.0.0.1::443".to_owned());
    }
    words.extend(volumes.iter().map(|(from, to)| format!("--volume={from}:{to}")));
    words.extend([around.image.clone(), format!("/usr/lib/lyceum-local/{name}")]);
    words
}

/// What nodes send to the metadata address goes to the service on this host; the
/// host's own metadata service, if it has one, is left alone.
fn redirect(cloud: &str, bridge: &str, port: u16) -> String {
    format!(
        "iptables -w -t nat -I PREROUTING -i {bridge} -d {METADATA}/32 -p tcp --dport 80 \
         -m comment --comment lyceum-local:{cloud} -j REDIRECT --to-ports {port}"
    )
}

fn no_redirect(cloud: &str) -> String {
    format!(
        "command -v iptables >/dev/null || exit 0; \
         iptables -w -t nat -S PREROUTING | tr -d '\"' | sed -n 's/^-A //p' \
         | grep -F -e '--comment lyceum-local:{cloud} ' \
         | while read -r rule; do iptables -w -t nat -D $rule; done; true"
    )
}

fn lock_path(place: &Place, name: &str) -> PathBuf {
    Path::new(&place.clouds()).join(format!("{name}.lock"))
}

/// Names become names of containers, folders and hosts.
fn check_name(name: &str) -> Result<(), Error> {
    let plain = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-';
    let good = name.bytes().all(plain)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.len() <= LONGEST_NAME;
    match good {
        true => Ok(()),
        false => Err(Error::Invalid {
            what: "the name",
            value: name.to_owned(),
            why: "1 to 30 of a-z, 0-9 and -, the first no -",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_wherever_it_is_used() {
        assert!(check_name("hub-1").is_ok());
        for name in ["", "-x", "A", "a b", "a/b", "..", "a;b", &"x".repeat(31)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
