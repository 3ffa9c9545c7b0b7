//! What this machine lacks, all of it at once, each with the way to get it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lyceum_local::{Daemon, Image, Place};

use super::python;

/// Images, blobs and what the nodes write, in GiB.
const DISK: u64 = 10;
/// A hub, two workers and a few notebooks, in GiB.
const MEMORY: u64 = 3;
const GIB: u64 = 1024 * 1024 * 1024;

/// Something that is missing, and how to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) what: String,
    pub(super) get: String,
}

impl Lack {
    fn new(what: impl Into<String>, get: impl Into<String>) -> Self {
        Self { what: what.into(), get: get.into() }
    }
}

/// A machine, as far as a cloud on it depends on that.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// A Docker daemon answers.
    pub(super) docker: bool,
    /// Who asks is root.
    pub(super) root: bool,
    /// Folders with programs.
    pub(super) path: Vec<PathBuf>,
    /// The emulator's packages are there.
    pub(super) emulator: bool,
    /// Python can make an environment.
    pub(super) venv: bool,
    /// The images that have to be built.
    pub(super) unbuilt: Vec<String>,
    /// Room on the disk, in bytes.
    pub(super) disk: u64,
    /// Memory that programs can have, in bytes.
    pub(super) memory: u64,
    /// Parts of the kernel that were looked for in vain.
    pub(super) kernel: Vec<&'static str>,
    /// The agent for the nodes.
    pub(super) agent: bool,
}

impl Machine {
    /// This one.
    pub(super) fn look(place: &Place, agent: bool) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Where root's programs are, also for who has no root's path.
        let path = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
        let docker = Daemon::find(place);
        let built = |image: &Image| match &docker {
            Some(docker) => docker.succeed(&["image", "inspect", &image.tag()]).is_ok(),
            // Our own Docker is not running: what it has is not known.
            None => place.cache().join("docker").exists(),
        };
        let images = [Image::Node, Image::Hub, Image::Notebook];
        Self {
            root: rustix::process::geteuid().is_root(),
            path: path.collect(),
            emulator: python::is_there(place),
            venv: succeeds("python3", &["-c", "import venv, ensurepip"]),
            unbuilt: images.iter().filter(|one| !built(one)).map(|one| one.tag()).collect(),
            docker: docker.is_some(),
            disk: free(place.cache()),
            memory: memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
            kernel: KERNEL.iter().copied().filter(|part| !has(part)).collect(),
            agent,
        }
    }

    fn has(&self, program: &str) -> bool {
        self.path.iter().any(|folder| folder.join(program).is_file())
    }
}

/// Everything it lacks.
pub(super) fn lacks(machine: &Machine) -> Vec<Lack> {
    let mut lacks = Vec::new();
    of_rights(machine, &mut lacks);
    of_docker(machine, &mut lacks);
    of_programs(machine, &mut lacks);
    let mut room = |what: &str, there: u64, least: u64, get: &str| {
        if there < least * GIB {
            let has = there as f64 / GIB as f64;
            lacks.push(Lack::new(
                format!("{what}: {least} GiB are needed, {has:.1} are there"),
                get,
            ));
        }
    };
    room("disk", machine.disk, DISK, "make room, or set XDG_CACHE_HOME to where there is some");
    room("memory", machine.memory, MEMORY, "end other programs, or take a larger machine");
    for part in &machine.kernel {
        let get = format!("`sudo modprobe {part}`, or a kernel that has it");
        lacks.push(Lack::new(format!("the kernel's {part}"), get));
    }
    if !machine.agent {
        let get = "`make agent` builds it there; or name its file with --agent";
        lacks.push(Lack::new("lyceum-agent beside this program", get));
    }
    lacks
}

/// Also where Docker answers whoever asks and has the images: users' folders
/// belong to the users of notebooks, and what nodes write belongs to theirs.
fn of_rights(machine: &Machine, lacks: &mut Vec<Lack>) {
    if !machine.root {
        let get = "put `sudo` before this, and before whatever else concerns that cloud";
        lacks.push(Lack::new("root's rights, to build images and own nodes' files", get));
    }
}

/// One that answers, or what it takes to start one.
fn of_docker(machine: &Machine, lacks: &mut Vec<Lack>) {
    if machine.docker {
        return;
    }
    let needed = ["docker", "dockerd", "docker-init", "iptables", "unshare"];
    let missing: Vec<&str> = needed.into_iter().filter(|name| !machine.has(name)).collect();
    if missing.contains(&"dockerd") || missing.contains(&"docker") {
        let get = "`sudo apt-get install docker.io iptables`, or as docs.docker.com has it";
        lacks.push(Lack::new("Docker", get));
    } else if !missing.is_empty() {
        let get = "`apt-get install docker.io iptables util-linux`";
        lacks.push(Lack::new(format!("{}, to start Docker", missing.join(", ")), get));
    }
}

fn of_programs(machine: &Machine, lacks: &mut Vec<Lack>) {
    let can_make_it = machine.has("python3") && machine.venv;
    if !machine.emulator && !can_make_it {
        let get = "`sudo apt-get install python3-venv`";
        lacks.push(Lack::new("Python 3 with venv, for the AWS emulator", get));
    }
    if !machine.unbuilt.is_empty() && !machine.has("mmdebstrap") {
        let get = "`sudo apt-get install mmdebstrap`";
        let images = machine.unbuilt.join(", ");
        lacks.push(Lack::new(format!("mmdebstrap, to build {images}"), get));
    }
}

/// What nodes and the swarm between them need.
const KERNEL: &[&str] = &["overlay", "fuse", "vxlan"];

/// Built in, loaded, or to be loaded when it is needed. Where the kernel's list
/// is not there, what cannot be told is not called missing.
fn has(part: &str) -> bool {
    let text = |path: String| fs::read_to_string(path).unwrap_or_default();
    let release = text("/proc/sys/kernel/osrelease".into());
    let folder = format!("/lib/modules/{}", release.trim());
    let listed = |name: &str| {
        let file = format!("/{part}.ko");
        text(format!("{folder}/{name}")).lines().any(|line| line.contains(&file))
    };
    Path::new("/sys/module").join(part).exists()
        || text("/proc/filesystems".into()).split_whitespace().any(|one| one == part)
        || Path::new("/dev").join(part).exists()
        || listed("modules.builtin")
        || listed("modules.dep")
        || part == "vxlan" && !Path::new(&folder).join("modules.dep").exists()
}

fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |found| found.f_bavail * found.f_frsize)
}

fn memory(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib * 1024)
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Machine {
        Machine {
            docker: false,
            root: false,
            path: Vec::new(),
            emulator: false,
            venv: false,
            unbuilt: vec!["lyceum-local/node:1".into()],
            disk: GIB,
            memory: memory("MemTotal: 9 kB\nMemAvailable: 1048576 kB\n"),
            kernel: vec!["vxlan"],
            agent: false,
        }
    }

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        let all = lacks(&bare());
        let said: Vec<&str> = all.iter().map(|lack| lack.what.as_str()).collect();
        let begins = [
            "root's rights",
            "Docker",
            "Python 3",
            "mmdebstrap",
            "disk: 10 GiB are needed, 1.0",
            "memory: 3 GiB",
            "the kernel's vxlan",
            "lyceum-agent",
        ];
        assert_eq!(said.len(), begins.len(), "{said:?}");
        assert!(said.iter().zip(begins).all(|(it, begin)| it.starts_with(begin)), "{said:?}");
        assert!(all.iter().all(|lack| !lack.get.is_empty()));
    }

    #[test]
    fn a_machine_that_has_it_all_lacks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["docker", "dockerd", "docker-init", "iptables", "unshare", "mmdebstrap"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let root = Machine {
            root: true,
            path: vec![folder.path().into()],
            emulator: true,
            disk: u64::MAX,
            memory: u64::MAX,
            kernel: Vec::new(),
            agent: true,
            ..bare()
        };
        assert_eq!(lacks(&root), Vec::new());
        // Not root, also with a Docker that has the images.
        let user = Machine { root: false, docker: true, unbuilt: Vec::new(), ..root };
        let said = lacks(&user);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].get.contains("`sudo`"), "{said:?}");
    }
}
