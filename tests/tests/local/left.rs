//! Whatever there is of a cloud on this machine, found by its name, without a
//! word of the program.

use std::fs;
use std::process::Command;

use lyceum_local::{Daemon, LABEL, Place};

use crate::kit::Local;

/// Containers, volumes, networks, rules, mounts, namespaces, processes, files.
pub(crate) fn left(local: &Local) -> Vec<String> {
    let mut left = in_docker(local);
    let rules = Command::new("iptables").args(["-w", "-t", "nat", "-S"]).output().unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    let spaces = Command::new("ip").args(["netns", "list"]).output();
    let spaces = spaces.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    for text in [rules, spaces.unwrap_or_default(), mounts] {
        let named = text.lines().filter(|line| line.contains(&local.name));
        left.extend(named.map(str::to_owned));
    }
    left.extend(processes(local));
    let place = Place::of_this_machine().unwrap();
    let clouds = place.cache().join("clouds");
    let state = local.home().join("state.json");
    let socket = place.run().join(format!("{}.sock", local.name));
    let paths =
        [clouds.join(&local.name), clouds.join(format!("{}.lock", local.name)), state, socket];
    left.extend(paths.iter().filter(|path| path.exists()).map(|path| path.display().to_string()));
    left
}

fn in_docker(local: &Local) -> Vec<String> {
    let Some(docker) = Daemon::find(&Place::of_this_machine().unwrap()) else { return Vec::new() };
    let filter = format!("label={LABEL}={}", local.name);
    let kinds = [vec!["container", "ls", "--all"], vec!["volume", "ls"], vec!["network", "ls"]];
    let list = |kind: Vec<&str>| {
        let ask = [kind, vec!["--quiet", "--filter", &filter]].concat();
        // Another user of the daemon may have ended it since.
        docker.succeed(&ask).unwrap_or_default()
    };
    kinds
        .into_iter()
        .map(list)
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Command lines that name the cloud; but for this test's own calls.
fn processes(local: &Local) -> Vec<String> {
    let own = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        line.contains(&local.name).then(|| line.replace('\0', " "))
    });
    own.collect()
}
