//! The Docker daemon of our own: shared by those who use it, gone with the last.

use std::path::{Path, PathBuf};

use lyceum_local::{Daemon, Place};

use crate::kit::say;

/// Short, for the sockets in it; gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        // The test that runs this one elsewhere has the same temporary folder.
        let name = format!("lyl-{}", uuid());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

/// From the kernel, eight letters of it.
fn uuid() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap()[..8].to_owned()
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_daemon_of_our_own_ends_with_its_last_user() {
    let folder = Folder::new();
    let place = Place::at(folder.0.join("cache"), folder.0.join("run")).unwrap();
    let daemon = Daemon::start(&place).unwrap();
    daemon.docker().succeed(&["info"]).unwrap();
    if !daemon.is_own() {
        say("this machine has a Docker daemon of its own: none was started");
        return;
    }
    let process = daemon.process().unwrap();
    let found = Daemon::find(&place).unwrap();
    assert_eq!(found.host(), daemon.docker().host());
    let second = Daemon::start(&place).unwrap();
    assert_eq!(second.process(), Some(process));
    drop(daemon);
    second.docker().succeed(&["info"]).unwrap();

    // Killed without a word, it takes all of its own along, and is started anew.
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(killed.unwrap().success());
    lyceum_local::wait_until("its end", std::time::Duration::from_secs(20), || {
        Ok(processes_of(&folder.0).is_empty())
    })
    .unwrap();
    let third = Daemon::start(&place).unwrap();
    third.docker().succeed(&["info"]).unwrap();
    assert_ne!(third.process(), Some(process));
    drop(second);
    drop(third);
    assert!(Daemon::find(&place).is_none());
    assert_eq!(processes_of(&folder.0), Vec::<String>::new());
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&folder.0.display().to_string()), "{mounts}");
}

/// The other test, on a host of its own as far as packets and processes go, since
/// what dockerd leaves behind is shared with every other daemon of a host.
#[test]
fn what_a_daemon_changes_on_its_host_is_put_back() {
    let state = "iptables -S; iptables -t nat -S; cat /proc/sys/net/ipv4/ip_forward";
    let script = format!(
        "set -e; ip link set lo up; echo 0 > /proc/sys/net/ipv4/ip_forward; before=$({state}); \
         \"$1\" --exact daemon::a_daemon_of_our_own_ends_with_its_last_user >&2; \
         after=$({state}); [ \"$before\" = \"$after\" ] || {{ echo \"$after\" >&2; exit 1; }}"
    );
    let output = std::process::Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", &script, "host"])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

/// The command lines that name a folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name() != std::process::id().to_string().as_str())
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|line| line.contains(&folder))
        .map(|line| line.replace('\0', " "))
        .collect()
}
