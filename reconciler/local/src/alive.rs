//! Processes of this machine, known for good: an id is given again once its
//! process has ended, an id and a birth never are.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command;

/// A process, or what was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    id: u32,
    born: String,
}

impl Alive {
    /// The one that has this id now; none where nobody has.
    pub fn of(id: u32) -> Option<Self> {
        born(id).map(|born| Self { id, born })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        born(self.id).as_deref() == Some(&self.born)
    }

    /// Sends it a signal, `TERM` or `KILL`, if it still runs.
    pub fn signal(&self, name: &str) {
        if self.is_running() {
            signal(name, &self.id.to_string());
        }
    }

    /// Sends a signal to all of the group that it leads, if it still runs.
    pub fn signal_group(&self, name: &str) {
        if self.is_running() {
            signal(name, &format!("-{}", self.id));
        }
    }
}

/// Sends a signal to a process, or to a group for a negative number. Whoever
/// waits for what comes of it finds out whether it was sent.
pub(crate) fn signal(name: &str, to: &str) {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, "--", to]);
    let _ = command::run(&mut kill, b"", Duration::from_secs(10));
}

/// When a process started, in ticks: with its id, this names it for good.
pub(crate) fn born(process: u32) -> Option<String> {
    stat(process)?.get(19).cloned()
}

/// The fields of `/proc/<pid>/stat` from the state on; none for a zombie, which
/// has ended.
pub(crate) fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<String> = fields.split(' ').map(str::to_owned).collect();
    (fields.first()? != "Z").then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_id_and_its_birth() {
        let own = Alive::of(std::process::id()).unwrap();
        assert!(own.is_running());
        let other = Alive { born: "0".to_owned(), ..own };
        assert!(!other.is_running());
        assert_eq!(Alive::of(u32::MAX), None);
    }

    #[test]
    fn a_signal_reaches_it_once_it_is_the_same() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let alive = Alive::of(child.id()).unwrap();
        Alive { born: "0".to_owned(), ..alive.clone() }.signal("KILL");
        assert!(alive.is_running());
        alive.signal("KILL");
        child.wait().unwrap();
        assert!(!alive.is_running());
    }
}
