//! Looking at a host for each kind of check. What was seen instead is said in
//! words; nothing of a file's content is.

use std::time::Duration;

use super::{
    CommandCheck, DockerServiceCheck, FileCheck, HttpCheck, MountCheck, PortCheck, Probe,
    ServiceCheck, SwarmCheck,
};
use crate::node::host::{FileKind, Host, HostError, Program};
use crate::node::step::{LARGEST_FILE, Texts, is_mounted_as, mode_of};

/// What was seen where a check does not hold.
type Seen = Result<(), String>;

impl Probe {
    /// Looks; what was seen instead where it does not hold.
    pub(in crate::node) fn look(&self, host: &mut dyn Host) -> Seen {
        match self {
            Self::PortCheck(check) => check.look(host),
            Self::HttpCheck(check) => check.look(host),
            Self::CommandCheck(check) => check.look(host),
            Self::FileCheck(check) => check.look(host),
            Self::MountCheck(check) => check.look(host),
            Self::ServiceCheck(check) => check.look(host),
            Self::DockerServiceCheck(check) => check.look(host),
            Self::SwarmCheck(check) => check.look(host),
        }
    }
}

impl PortCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let open = host.connects(&self.host, self.port, seconds(self.timeout_seconds));
        let none = || format!("nobody listens on {} port {}", self.host, self.port);
        open.map_err(said)?.then_some(()).ok_or_else(none)
    }
}

impl HttpCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let answer = host.http_get(&self.url, self.verify, seconds(self.timeout_seconds));
        let (status, body) = answer.map_err(said)?;
        if status != self.status {
            return Err(format!("{} answers {status}, not {}", self.url, self.status));
        }
        match &self.contains {
            Some(text) if !body.contains(text) => {
                Err(format!("the answer of {} does not hold `{text}`", self.url))
            }
            _ => Ok(()),
        }
    }
}

impl CommandCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let program = Program {
            argv: self.run.clone(),
            env: Texts::new(),
            cwd: "/".into(),
            timeout: seconds(self.timeout_seconds),
        };
        let ended = host.run(&program).map_err(said)?;
        let name = self.run.join(" ");
        if ended.code != self.code {
            let end = ended.output.trim().lines().last().unwrap_or_default();
            let end: String = end.chars().take(200).collect();
            return Err(format!("`{name}` ended with {}, not {}: {end}", ended.code, self.code));
        }
        match &self.contains {
            Some(text) if !ended.output.contains(text) => {
                Err(format!("the output of `{name}` does not hold `{text}`"))
            }
            _ => Ok(()),
        }
    }
}

impl FileCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let stat = host.stat(&self.path).map_err(said)?;
        let Some(stat) = stat else { return Err(format!("nothing is at {}", self.path)) };
        if let Some(mode) = &self.mode {
            let wanted = mode_of(mode).map_err(|error| error.message)?;
            if stat.mode != wanted {
                return Err(format!("{} has mode {:04o}, not {wanted:04o}", self.path, stat.mode));
            }
        }
        let Some(text) = &self.contains else { return Ok(()) };
        if stat.kind != FileKind::File {
            return Err(format!("{} is no file", self.path));
        }
        let content = host.read(&self.path, LARGEST_FILE).map_err(said)?;
        let holds = String::from_utf8_lossy(&content).contains(text.as_str());
        holds.then_some(()).ok_or_else(|| format!("{} does not hold `{text}`", self.path))
    }
}

impl MountCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let mounted = host.mounted(&self.path).map_err(said)?;
        let Some(mounted) = mounted else {
            return Err(format!("nothing is mounted at {}", self.path));
        };
        let other = || format!("{} is a mount of type {}", self.path, mounted.fs_type);
        is_mounted_as(self.mount_type, &mounted).then_some(()).ok_or_else(other)
    }
}

impl ServiceCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let unit = host.unit(&self.unit).map_err(said)?;
        match (unit.loaded, unit.active.as_str()) {
            (true, "active") => Ok(()),
            (true, state) => Err(format!("{} is {state}", self.unit)),
            (false, _) => Err(format!("systemd knows no unit {}", self.unit)),
        }
    }
}

impl DockerServiceCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let service = host.service(&self.name).map_err(said)?;
        let Some(service) = service else {
            return Err(format!("the swarm has no service {}", self.name));
        };
        let (running, wanted) = host.service_tasks(&service.id).map_err(said)?;
        let fewer = || format!("{running} of {wanted} tasks of {} run", self.name);
        (running >= wanted && wanted > 0).then_some(()).ok_or_else(fewer)
    }
}

impl SwarmCheck {
    fn look(&self, host: &mut dyn Host) -> Seen {
        let swarm = host.swarm().map_err(said)?;
        if swarm.state != "active" {
            return Err(format!(
                "the node's part in the swarm is {}: {}",
                swarm.state, swarm.error
            ));
        }
        match (self.manager, swarm.manager) {
            (true, false) => Err("the node is a worker, not a manager".into()),
            (false, true) => Err("the node is a manager, not a worker".into()),
            _ => Ok(()),
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

fn said(error: HostError) -> String {
    error.to_string()
}
