//! A node: a container that boots systemd, with its own Docker, its own address,
//! and user data that runs once. To what runs inside it is a machine.
//!
//! A `Node` is a name for one, not its owner: it may be made again from the names
//! of its cloud and itself, and it stays until it is removed or its cloud ends.
//!
//! May not: reach the host's control groups or clock. Its own control groups are
//! a namespace of the host's, made writable inside. (Handing it the host's
//! `/sys/fs/cgroup` instead turns that read-only for the host.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use crate::baked::Baked;
use crate::command::{Output, wait_until};
use crate::docker::{Docker, LABEL, SOON};
use crate::error::Error;
use crate::identity::Identity;
use crate::storage::Volumes;

/// An inner Docker is there within seconds; a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// For a command in a node, unless another time is given.
const COMMAND_WITHIN: Duration = Duration::from_secs(120);
/// systemd stops its services in this time, or is killed.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// The largest file system that is filled up on request.
const FILLED_AT_MOST: u32 = 512;
/// What such a disk has beyond what is to be on it, in MiB.
const ROOM: u32 = 8;

/// Where a node finds its environment: systemd units read it with
/// `EnvironmentFile=-/etc/lyceum/environment`, scripts source it if it is there.
pub const ENVIRONMENT: &str = "/etc/lyceum/environment";

/// Succeeds when not one byte more can be written.
const FILL: &str = r#"
disk=$(mktemp -d /run/disk.XXXXXX)
mkdir -p -- "$1"
mount -t tmpfs -o "size=$2m,mode=$(stat -c %a -- "$1")" small "$disk"
cp -a -- "$1/." "$disk/"
mount --bind "$disk" "$1"
umount "$disk"
rmdir "$disk"
for size in 64k 1; do
    dd if=/dev/zero of="$1/.filler-$size" "bs=$size" 2>/dev/null || true
done
! bash -c 'echo more > "$1/.probe"' - "$1" 2>/dev/null
"#;

/// What a node is made from.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name in its cloud, also its host name.
    pub name: String,
    /// Its address in the cloud's network.
    pub address: Ipv4Addr,
    /// Who it is to the metadata service.
    pub identity: Identity,
    /// The memory it has, and believes to have, in MiB; all there is without.
    pub memory_mib: Option<u32>,
    /// The lines of [`ENVIRONMENT`].
    pub environment: BTreeMap<String, String>,
    /// Its volumes: the device as AWS names it, `/dev/sdf`, and the volume's id.
    pub volumes: BTreeMap<String, String>,
    /// Names it knows besides the cloud's.
    pub hosts: BTreeMap<String, IpAddr>,
}

impl Spec {
    /// A node with nothing particular.
    pub fn new(name: &str, address: Ipv4Addr, identity: Identity) -> Self {
        Self {
            name: name.to_owned(),
            address,
            identity,
            memory_mib: None,
            environment: BTreeMap::new(),
            volumes: BTreeMap::new(),
            hosts: BTreeMap::new(),
        }
    }
}

/// What every node of a cloud shares.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) docker: Docker,
    pub(crate) cloud: String,
    pub(crate) image: String,
    pub(crate) network: String,
    pub(crate) rights: Rights,
    pub(crate) volumes: Volumes,
    /// Host path, path in the node: read-only files and shared folders.
    pub(crate) shared: Vec<(String, String)>,
}

/// How a container gets what systemd and Docker need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rights {
    /// `--privileged`.
    Privileged,
    /// The same as a list, without a capability that the machine's root lacks.
    Listed,
}

impl Rights {
    /// Whichever works here.
    pub(crate) fn of(docker: &Docker, image: &str) -> Result<Self, Error> {
        let probe = ["run", "--rm", "--network", "none", "--privileged", image, "true"];
        let output = docker.run(&probe, b"", SOON)?;
        Ok(if output.success() { Self::Privileged } else { Self::Listed })
    }

    pub(crate) fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Privileged => &["--privileged"],
            Self::Listed => &[
                "--cap-add=ALL",
                "--cap-drop=SYS_RESOURCE",
                "--cap-drop=SYS_TIME",
                "--security-opt=seccomp=unconfined",
                "--security-opt=apparmor=unconfined",
                "--security-opt=systempaths=unconfined",
                "--device-cgroup-rule=a *:* rwm",
                "--device=/dev/fuse",
            ],
        }
    }
}

/// A node of a cloud.
#[derive(Clone, Debug)]
pub struct Node {
    docker: Docker,
    name: String,
    container: String,
}

impl Node {
    /// The node of this name; it need not be running, or be there at all.
    pub fn named(docker: &Docker, cloud: &str, name: &str) -> Self {
        Self {
            docker: docker.clone(),
            name: name.to_owned(),
            container: container_name(cloud, name),
        }
    }

    /// All nodes of a cloud, running or not, by name.
    pub fn all(docker: &Docker, cloud: &str) -> Result<Vec<Self>, Error> {
        let names = listed(docker, cloud, &["--all"])?;
        Ok(names.into_iter().map(|name| Self::named(docker, cloud, &name)).collect())
    }

    /// The names of the nodes of a cloud that run.
    pub fn running(docker: &Docker, cloud: &str) -> Result<BTreeSet<String>, Error> {
        listed(docker, cloud, &["--filter", "status=running"])
    }

    /// Makes it and starts it; `scratch` is a folder for what is put into it.
    pub(crate) fn start_new(
        around: &Surroundings,
        (spec, baked): (&Spec, Option<&Baked>),
        scratch: &Path,
    ) -> Result<Self, Error> {
        let node = Self::named(&around.docker, &around.cloud, &spec.name);
        let create = create(around, spec, &node)?;
        let environment = scratch.join(format!("environment-{}", spec.name));
        fs::write(&environment, environment_file(&spec.environment)?)
            .map_err(Error::file("write", &environment))?;
        let label = format!("{LABEL}={}", around.cloud);
        let volume = node.volume();
        around.docker.succeed(&["volume", "create", "--label", &label, &volume])?;
        // A node without its images pulls them.
        if let Some(Err(error)) = baked.map(|baked| baked.fill(around, &volume)) {
            eprintln!("{} begins without its images: {error}", spec.name);
        }
        around.docker.succeed(&create)?;
        node.copy_in(&environment, ENVIRONMENT)?;
        node.start()?;
        Ok(node)
    }

    /// Its name in its cloud.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its container, for `docker`.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Waits until its Docker answers.
    pub fn wait_until_ready(&self) -> Result<(), Error> {
        wait_until(&format!("a ready Docker on {}", self.name), READY_WITHIN, || {
            let ask = ["docker", "version", "--format", "{{.Server.Version}}"];
            match self.is_running()? {
                true => Ok(self.run(&ask)?.success()),
                false => Err(self.ended()),
            }
        })
    }

    /// Waits until its user data has run, and gives what that wrote. A script
    /// that failed is an error.
    pub fn wait_for_user_data(&self, within: Duration) -> Result<String, Error> {
        let unit = "lyceum-user-data.service";
        let ask = ["systemctl", "show", "--value", "--property", "ActiveState", unit];
        let mut state = String::new();
        wait_until(&format!("the user data of {}", self.name), within, || {
            self.run(&ask)?.stdout.trim().clone_into(&mut state);
            Ok(state == "active" || state == "failed")
        })?;
        let written = self.run(&["cat", "/var/log/cloud-init-output.log"])?.stdout;
        match state.as_str() {
            "active" => Ok(written),
            _ => Err(Error::Failed {
                what: format!("the user data of {}", self.name),
                code: None,
                said: written + &self.run(&["journalctl", "--no-pager", "-u", unit])?.stdout,
            }),
        }
    }

    /// Its address in the cloud's network.
    pub fn address(&self) -> Result<Option<Ipv4Addr>, Error> {
        let found = self.docker.inspect("container", &self.container)?;
        Ok(found.and_then(|found| {
            let networks = found["NetworkSettings"]["Networks"].as_object()?;
            networks.values().next()?["IPAMConfig"]["IPv4Address"].as_str()?.parse().ok()
        }))
    }

    /// Whether its container runs.
    pub fn is_running(&self) -> Result<bool, Error> {
        let found = self.docker.inspect("container", &self.container)?;
        Ok(found.is_some_and(|found| found["State"]["Running"] == true))
    }

    /// Runs a command in it, whatever comes of it.
    pub fn run<S: AsRef<str>>(&self, words: &[S]) -> Result<Output, Error> {
        self.run_with(words, b"", COMMAND_WITHIN)
    }

    /// The same with input and a time.
    pub fn run_with<S: AsRef<str>>(
        &self,
        words: &[S],
        input: &[u8],
        within: Duration,
    ) -> Result<Output, Error> {
        let mut command = vec!["exec", "--interactive", &self.container];
        command.extend(words.iter().map(AsRef::as_ref));
        self.docker.run(&command, input, within)
    }

    /// Runs a command and gives what it printed; anything but success is an
    /// error with what it said.
    pub fn succeed<S: AsRef<str>>(&self, words: &[S]) -> Result<String, Error> {
        let output = self.run(words)?;
        match output.success() {
            true => Ok(output.stdout.trim().to_owned()),
            false => Err(Error::Failed {
                what: format!("{}: {}", self.name, joined(words)),
                code: output.code,
                said: output.said(),
            }),
        }
    }

    /// Runs lines of shell, which stop at the first that fails.
    pub fn shell(&self, script: &str) -> Result<String, Error> {
        self.succeed(&["bash", "-euo", "pipefail", "-c", script])
    }

    /// The text of a file in it.
    pub fn read(&self, path: &str) -> Result<String, Error> {
        self.succeed(&["cat", "--", path])
    }

    /// Writes a file in it, with its mode (`0644`).
    pub fn write(&self, path: &str, content: &[u8], mode: &str) -> Result<(), Error> {
        let script = "umask 077; mkdir -p -- \"$(dirname -- \"$1\")\" && cat > \"$1.new\" \
                      && chmod \"$2\" \"$1.new\" && mv -f -- \"$1.new\" \"$1\"";
        let words = ["sh", "-c", script, "write", path, mode];
        let output = self.run_with(&words, content, COMMAND_WITHIN)?;
        match output.success() {
            true => Ok(()),
            false => Err(Error::Failed {
                what: format!("{}: write {path}", self.name),
                code: output.code,
                said: output.said(),
            }),
        }
    }

    /// Copies a file or a folder of the host into it.
    pub fn copy_in(&self, from: &Path, to: &str) -> Result<(), Error> {
        let from = from.display().to_string();
        self.docker.succeed(&["cp", &from, &format!("{}:{to}", self.container)]).map(drop)
    }

    /// A power cut: every process ends at once, what is on its disk stays.
    pub fn cut_power(&self) -> Result<(), Error> {
        self.docker.succeed(&["kill", "--signal", "KILL", &self.container])?;
        wait_until(&format!("the end of {}", self.name), STOPPED_WITHIN, || Ok(!self.is_running()?))
    }

    /// Shuts it down in order.
    pub fn stop(&self) -> Result<(), Error> {
        let seconds = STOPPED_WITHIN.as_secs().to_string();
        let stop = ["stop", "--time", &seconds, &self.container];
        self.docker.succeed_within(&stop, STOPPED_WITHIN * 2).map(drop)
    }

    /// Switches it on again after [`Self::cut_power`] or [`Self::stop`].
    pub fn start(&self) -> Result<(), Error> {
        self.docker.succeed(&["start", &self.container]).map(drop)
    }

    /// Cuts it off from the network: nothing comes in or goes out, and nobody is
    /// told. Done below its own firewall, so that roles do not undo it; ends with
    /// [`Self::heal`] or a power cut.
    pub fn cut_network(&self) -> Result<(), Error> {
        self.shell(
            "for rule in 'PREROUTING -i' 'POSTROUTING -o'; do \
               iptables -w -t mangle -C $rule eth0 -j DROP 2>/dev/null \
               || iptables -w -t mangle -I $rule eth0 -j DROP; done",
        )
        .map(drop)
    }

    /// Ends what [`Self::cut_network`] began.
    pub fn heal_network(&self) -> Result<(), Error> {
        self.shell(
            "for rule in 'PREROUTING -i' 'POSTROUTING -o'; do \
               while iptables -w -t mangle -D $rule eth0 -j DROP 2>/dev/null; do :; done; done",
        )
        .map(drop)
    }

    /// What it sends goes over a line of so many kilobits a second; over one that
    /// is as fast as it was for none. Ends with a power cut, too.
    pub fn slow_network(&self, kilobits: Option<u32>) -> Result<(), Error> {
        match kilobits {
            None => self.shell("tc qdisc del dev eth0 root 2>/dev/null || true"),
            Some(rate) => self.shell(&format!(
                "tc qdisc replace dev eth0 root tbf rate {rate}kbit burst 16kb latency 400ms"
            )),
        }
        .map(drop)
    }

    /// Fills the disk that a folder is on, whatever is in it. See
    /// [`Self::fill_disk`].
    pub fn fill(&self, folder: &str) -> Result<(), Error> {
        let used = self.succeed(&["du", "-sm", "--", folder])?;
        let used = used.split_whitespace().next().and_then(|number| number.parse::<u32>().ok());
        self.fill_disk(folder, used.unwrap_or(FILLED_AT_MOST).saturating_add(ROOM))
    }

    /// Ends what [`Self::cut_network`], [`Self::slow_network`] and
    /// [`Self::fill_disk`] began.
    pub fn heal(&self) -> Result<(), Error> {
        self.slow_network(None)?;
        self.heal_network()?;
        let filled = "awk '$1 == \"small\" && $3 == \"tmpfs\" { print $2 }' /proc/mounts";
        for folder in self.shell(filled)?.lines() {
            self.empty_disk(folder)?;
        }
        Ok(())
    }

    /// Puts a folder on a full disk of its own: what is in it stays readable, and
    /// nothing can be written. `mib` is the disk's size. Ends with
    /// [`Self::empty_disk`] or a power cut.
    pub fn fill_disk(&self, folder: &str, mib: u32) -> Result<(), Error> {
        if mib == 0 || mib > FILLED_AT_MOST {
            let value = format!("{mib} MiB");
            return Err(Error::Invalid { what: "the size", value, why: "between 1 and 512 MiB" });
        }
        let size = mib.to_string();
        self.succeed(&["bash", "-euo", "pipefail", "-c", FILL, "fill", folder, &size]).map(drop)
    }

    /// Ends what [`Self::fill_disk`] began; the folder is as it was before.
    pub fn empty_disk(&self, folder: &str) -> Result<(), Error> {
        self.succeed(&["umount", "--lazy", folder]).map(drop)
    }

    /// The end of its journal, for a person or a failed test.
    pub fn journal(&self, lines: u32) -> Result<String, Error> {
        self.succeed(&["journalctl", "--no-pager", "--lines", &lines.to_string()])
    }

    /// Removes it with everything on its disk.
    pub fn remove(&self) -> Result<(), Error> {
        self.docker.succeed(&["rm", "--force", "--volumes", &self.container])?;
        self.docker.succeed(&["volume", "rm", "--force", &self.volume()]).map(drop)
    }

    fn volume(&self) -> String {
        format!("{}-docker", self.container)
    }

    fn ended(&self) -> Error {
        let logs = self.docker.run(&["logs", "--tail", "20", &self.container], b"", SOON);
        Error::Failed {
            what: format!("node {}", self.name),
            code: None,
            said: logs.map(|logs| logs.said()).unwrap_or_default(),
        }
    }
}

/// Names of nodes, as Docker lists their containers.
fn listed(docker: &Docker, cloud: &str, which: &[&str]) -> Result<BTreeSet<String>, Error> {
    let filters = [format!("label={LABEL}={cloud}"), format!("label={LABEL}.node")];
    let format = format!("{{{{.Label \"{LABEL}.node\"}}}}");
    let mut ask = vec!["container", "ls", "--format", &format];
    for filter in &filters {
        ask.extend(["--filter", filter]);
    }
    ask.extend(which);
    Ok(docker.succeed(&ask)?.lines().map(str::to_owned).collect())
}

/// The name of a node's container.
pub fn container_name(cloud: &str, node: &str) -> String {
    format!("lyceum-{cloud}-{node}")
}

fn create(around: &Surroundings, spec: &Spec, node: &Node) -> Result<Vec<String>, Error> {
    let mut words: Vec<String> = ["create", "--cgroupns", "private", "--stop-signal", "SIGRTMIN+3"]
        .map(str::to_owned)
        .to_vec();
    words.extend(around.rights.flags().iter().map(|flag| (*flag).to_owned()));
    let mut option = |name: &str, value: String| words.push(format!("--{name}={value}"));
    option("name", node.container.clone());
    option("hostname", spec.name.clone());
    option("label", format!("{LABEL}={}", around.cloud));
    option("label", format!("{LABEL}.node={}", spec.name));
    option("network", around.network.clone());
    option("ip", spec.address.to_string());
    for folder in ["/run", "/run/lock", "/tmp:exec"] {
        option("tmpfs", folder.to_owned());
    }
    option("volume", format!("{}:/var/lib/docker", node.volume()));
    for (from, to) in &around.shared {
        option("volume", format!("{from}:{to}"));
    }
    for (device, volume) in &spec.volumes {
        let (file, at) = around.volumes.attach(device, volume)?;
        option("volume", format!("{file}:{at}"));
    }
    for (name, address) in &spec.hosts {
        option("add-host", format!("{name}:{address}"));
    }
    if let Some(mib) = spec.memory_mib {
        option("memory", format!("{mib}m"));
        option("env", format!("LYCEUM_LOCAL_MEMORY_KIB={}", u64::from(mib) * 1_024));
    }
    words.push(around.image.clone());
    Ok(words)
}

/// The text of an environment file, as systemd and a shell both read it.
pub(crate) fn environment_file(environment: &BTreeMap<String, String>) -> Result<String, Error> {
    let mut text = String::new();
    for (key, value) in environment {
        let plain = |one: char| one.is_ascii_alphanumeric() || "_-./:@%+,=".contains(one);
        if !key.chars().all(|one| one.is_ascii_alphanumeric() || one == '_') || key.is_empty() {
            let value = key.clone();
            return Err(Error::Invalid {
                what: "the variable",
                value,
                why: "letters, digits and _",
            });
        }
        if !value.chars().all(plain) {
            let value = value.clone();
            return Err(Error::Invalid { what: "the value", value, why: "no spaces, quotes or $" });
        }
        text.push_str(&format!("{key}={value}\n"));
    }
    Ok(text)
}

fn joined<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_file_is_read_alike_by_systemd_and_a_shell() {
        let one = |key: &str, value: &str| {
            environment_file(&BTreeMap::from([(key.to_owned(), value.to_owned())]))
        };
        assert_eq!(
            one("AWS_ENDPOINT_URL", "http://10.0.0.1:80").unwrap(),
            "AWS_ENDPOINT_URL=http://10.0.0.1:80\n"
        );
        assert!(one("A B", "x").is_err() && one("A", "x y").is_err() && one("A", "$(x)").is_err());
    }
}
