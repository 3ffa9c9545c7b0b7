//! The Docker daemon nodes run on: the machine's own where one answers, else one
//! that is started here and ended again by the last who uses it.
//!
//! Ours has everything of its own: data, sockets, container namespace, and a pid
//! and a mount namespace, so that its end, however it comes, ends every process
//! and every mount below it. It is used by whoever shares `users.lock`; a crash
//! lets go of that, and the next user finds the daemon, uses it, and ends it.
//! What outlives it by nature, its rules in the host's packet filter and the
//! host's forwarding switch, is put back as it was.
//!
//! May not: touch a daemon it did not start.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::alive::{born, signal, stat};
use crate::command::{self, wait_until};
use crate::docker::Docker;
use crate::error::Error;
use crate::lock::Lock;
use crate::place::{Place, is_root};

const READY_WITHIN: Duration = Duration::from_secs(60);
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// Another may be starting or ending it.
const TURN_WITHIN: Duration = Duration::from_secs(120);
const SETUP: &str = "run `make setup`, or install the packages docker.io and iptables";

/// A daemon, for as long as this value lives.
#[derive(Debug)]
pub struct Daemon {
    docker: Docker,
    own: Option<Own>,
}

impl Daemon {
    /// Finds the machine's daemon, or starts one.
    pub fn start(place: &Place) -> Result<Self, Error> {
        let environment = Docker::of_environment();
        if std::env::var_os("DOCKER_HOST").is_some() || environment.answers() {
            return match environment.answers() {
                true => Ok(Self { docker: environment, own: None }),
                false => Err(Error::Missing {
                    what: "a Docker daemon at DOCKER_HOST",
                    get: "start it, or unset DOCKER_HOST",
                }),
            };
        }
        let own = Own::join(place)?;
        Ok(Self { docker: own.docker(), own: Some(own) })
    }

    /// The daemon that answers, if one does; none is started, none kept.
    pub fn find(place: &Place) -> Option<Docker> {
        [Docker::of_environment(), own_docker(place.run())]
            .into_iter()
            .find(|docker| docker.answers())
    }

    /// How to talk to it.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Whether it was started here.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The process that its end ends, if it was started here.
    pub fn process(&self) -> Option<u32> {
        self.own.as_ref().and_then(|own| own.process())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(own) = &self.own
            && let Err(error) = own.leave()
        {
            eprintln!("the local Docker daemon does not end: {error}");
        }
    }
}

/// The daemon of a place.
#[derive(Debug)]
struct Own {
    run: PathBuf,
    data: PathBuf,
    users: Lock,
}

impl Own {
    fn join(place: &Place) -> Result<Self, Error> {
        if !is_root() {
            return Err(Error::Missing {
                what: "a Docker daemon",
                get: "start Docker, or put `sudo` before it so that one can be started",
            });
        }
        let run = place.run().to_owned();
        let _turn = Lock::alone(&run.join("turn.lock"), TURN_WITHIN)?;
        let users = Lock::shared(&run.join("users.lock"))?;
        let own = Self { run, data: place.cache().join("docker"), users };
        if !own.is_well() {
            own.end()?;
            own.begin()?;
        }
        Ok(own)
    }

    /// Others may depend on it: one that is only slow is given time.
    fn is_well(&self) -> bool {
        let docker = self.docker();
        let answer = || Ok(docker.answers());
        self.process().is_some() && wait_until("an answer of dockerd", READY_WITHIN, answer).is_ok()
    }

    /// Ends it when nobody else uses it.
    fn leave(&self) -> Result<(), Error> {
        let _turn = Lock::alone(&self.run.join("turn.lock"), TURN_WITHIN)?;
        match self.users.becomes_alone() {
            true => self.end(),
            false => Ok(()),
        }
    }

    fn docker(&self) -> Docker {
        own_docker(&self.run)
    }

    fn begin(&self) -> Result<(), Error> {
        let before = Before::look();
        self.write("before", &before.text())?;
        self.write("daemon.json", "{}")?;
        let log_at = self.run.join("dockerd.log");
        let log = File::create(&log_at).map_err(Error::file("write", &log_at))?;
        let errors = log.try_clone().map_err(Error::file("write", &log_at))?;
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Error::starting("unshare dockerd"))?;
        self.write("pid", &format!("{} {}", child.id(), born(child.id()).unwrap_or_default()))?;
        let docker = self.docker();
        let ready = wait_until("the start of dockerd", READY_WITHIN, || match child.try_wait() {
            Ok(Some(_)) => Err(Error::Failed {
                what: "dockerd".to_owned(),
                code: None,
                said: last_lines(&log_at),
            }),
            _ => Ok(docker.answers()),
        });
        // Reaped whenever it ends, so that it never stays as a zombie.
        std::thread::spawn(move || child.wait());
        ready
    }

    fn command(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]);
        // What the host mounts later is still seen inside.
        command.args(["--propagation", "slave", "--", "docker-init", "--", "dockerd"]);
        let at = |name: &str| self.run.join(name).display().to_string();
        command.args(["--config-file", &at("daemon.json"), "--exec-root", &at("exec")]);
        command.args(["--pidfile", &at("dockerd.pid"), "--host"]);
        command.arg(format!("unix://{}", at("docker.sock")));
        command.arg("--data-root").arg(&self.data);
        command.args(["--bridge", "none", "--group", "root"]);
        command.args(["--containerd-namespace", "lyceum-local"]);
        command.args(["--containerd-plugins-namespace", "lyceum-local-plugins"]);
        command
    }

    /// Ends whatever is left of it, alive or not.
    fn end(&self) -> Result<(), Error> {
        if let Some(process) = self.process() {
            // docker-init hands it on; should dockerd not answer, the end of
            // unshare is the end of all.
            for child in children(process) {
                signal("TERM", &child.to_string());
            }
            let gone =
                wait_until("the end of dockerd", ENDS_WITHIN, || Ok(self.process().is_none()));
            if gone.is_err() {
                signal("KILL", &process.to_string());
                wait_until("the end of dockerd", ENDS_WITHIN, || Ok(self.process().is_none()))?;
            }
        }
        // Another daemon uses the same chains and groups: then they stay.
        if !another_daemon_runs() {
            if let Ok(text) = fs::read_to_string(self.run.join("before")) {
                Before::of(&text).put_back();
            }
            remove_empty_groups();
        }
        for name in ["pid", "before", "docker.sock", "dockerd.pid", "daemon.json"] {
            let _ = fs::remove_file(self.run.join(name));
        }
        let _ = fs::remove_dir_all(self.run.join("exec"));
        Ok(())
    }

    /// The outermost process, if it is still the one that was started.
    fn process(&self) -> Option<u32> {
        let text = fs::read_to_string(self.run.join("pid")).ok()?;
        let (process, start) = text.trim().split_once(' ')?;
        let process = process.parse().ok()?;
        (born(process).as_deref() == Some(start)).then_some(process)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.run.join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))
    }
}

fn own_docker(run: &Path) -> Docker {
    let host = format!("unix://{}", run.join("docker.sock").display());
    // The client that came with the daemon understands it; one found first on the
    // path may be too new for it.
    let beside = Path::new("/usr/bin/docker");
    let program = if beside.exists() { beside } else { Path::new("docker") };
    Docker::at(host, program.to_owned())
}

/// What dockerd changes on a host and leaves changed.
struct Before {
    forwarding: String,
    policy: String,
}

impl Before {
    fn look() -> Self {
        let rules = output("iptables", &["-w", "-S", "FORWARD"]);
        let policy = rules.lines().find_map(|line| line.strip_prefix("-P FORWARD "));
        Self {
            forwarding: fs::read_to_string(FORWARDING).unwrap_or_default().trim().to_owned(),
            policy: policy.unwrap_or("ACCEPT").trim().to_owned(),
        }
    }

    fn text(&self) -> String {
        format!("{} {}", self.forwarding, self.policy)
    }

    fn of(text: &str) -> Self {
        let (forwarding, policy) = text.split_once(' ').unwrap_or(("", "ACCEPT"));
        Self { forwarding: forwarding.to_owned(), policy: policy.to_owned() }
    }

    /// Best effort: each part stands alone, and what is gone is gone.
    fn put_back(&self) {
        for (program, table) in [
            ("iptables", "filter"),
            ("iptables", "nat"),
            ("ip6tables", "filter"),
            ("ip6tables", "nat"),
        ] {
            let rules = output(program, &["-w", "-t", table, "-S"]);
            for arguments in removals(&rules) {
                let _ = command::run(
                    Command::new(program).args(["-w", "-t", table]).args(arguments),
                    b"",
                    Duration::from_secs(10),
                );
            }
        }
        output("iptables", &["-w", "-P", "FORWARD", &self.policy]);
        if !self.forwarding.is_empty() {
            let _ = fs::write(FORWARDING, &self.forwarding);
        }
    }
}

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// The commands that take Docker's chains, and the rules that lead to them, out
/// of a table listed by `iptables -S`.
fn removals(rules: &str) -> Vec<Vec<&str>> {
    let (mut jumps, mut flushes, mut chains) = (Vec::new(), Vec::new(), Vec::new());
    for line in rules.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["-N", chain] if chain.starts_with("DOCKER") => {
                flushes.push(vec!["-F", chain]);
                chains.push(vec!["-X", chain]);
            }
            ["-A", chain, ..] if !chain.starts_with("DOCKER") && line.contains("-j DOCKER") => {
                let mut rule = words.clone();
                rule[0] = "-D";
                jumps.push(rule);
            }
            _ => {}
        }
    }
    jumps.into_iter().chain(flushes).chain(chains).collect()
}

/// The groups dockerd made for its containers; those in use stay.
fn remove_empty_groups() {
    remove_empty_below(Path::new("/sys/fs/cgroup/docker"));
    let Ok(hierarchies) = fs::read_dir("/sys/fs/cgroup") else { return };
    for hierarchy in hierarchies.flatten() {
        remove_empty_below(&hierarchy.path().join("docker"));
    }
}

fn remove_empty_below(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty_below(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

fn another_daemon_runs() -> bool {
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    entries.flatten().any(|entry| is_a_daemon(&entry.path()))
}

/// One that was killed keeps its name until the kernel is done with it, but has no
/// command line any more: counted, it would leave the host as dockerd made it.
fn is_a_daemon(process: &Path) -> bool {
    let read = |name| fs::read(process.join(name)).unwrap_or_default();
    read("comm").trim_ascii() == b"dockerd" && !read("cmdline").is_empty()
}

fn output(program: &str, arguments: &[&str]) -> String {
    command::run(Command::new(program).args(arguments), b"", Duration::from_secs(10))
        .map(|output| output.stdout)
        .unwrap_or_default()
}

fn children(of: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process| stat(*process).is_some_and(|stat| stat.get(1) == Some(&of.to_string())))
        .collect()
}

fn last_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.len().saturating_sub(12);
    format!("{}\n{SETUP}", lines[shown..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_has_ended_is_none_although_it_is_not_gone_yet() {
        let folder = std::env::temp_dir().join(format!("lyl-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("dockerd");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program).arg("60").spawn().unwrap();
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let is_it = |what, expected: bool| {
            let seen = || Ok(is_a_daemon(&process) == expected);
            wait_until(what, READY_WITHIN, seen).unwrap();
        };
        is_it("its life", true);
        child.kill().unwrap();
        is_it("its death", false);
        // Nobody has waited for it: it is there, by its name.
        assert_eq!(fs::read_to_string(process.join("comm")).unwrap(), "dockerd\n");
        child.wait().unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_dockers_chains_are_taken_out_of_a_table() {
        let rules = "-P FORWARD DROP\n-N DOCKER\n-N DOCKER-USER\n-N mine\n\
                     -A FORWARD -j DOCKER-USER\n-A FORWARD -j mine\n-A DOCKER-USER -j RETURN\n";
        let expected: Vec<Vec<&str>> = vec![
            vec!["-D", "FORWARD", "-j", "DOCKER-USER"],
            vec!["-F", "DOCKER"],
            vec!["-F", "DOCKER-USER"],
            vec!["-X", "DOCKER"],
            vec!["-X", "DOCKER-USER"],
        ];
        assert_eq!(removals(rules), expected);
    }
}
