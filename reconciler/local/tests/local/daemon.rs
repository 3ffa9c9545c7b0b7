//! The Docker daemon of our own: shared by those who use it, gone with the last.

use std::path::{Path, PathBuf};

use lyceum_local::{Daemon, Place};

use crate::kit::say;

/// Short, for the sockets in it; gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = PathBuf::from(format!("/tmp/lyl-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
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
    assert_eq!(processes_of(&folder.0), Vec::<String>::new());
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&folder.0.display().to_string()), "{mounts}");
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
