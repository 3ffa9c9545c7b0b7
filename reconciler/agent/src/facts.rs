//! What a node is: from the machine, its metadata, its settings and the
//! cluster's `facts` parameter.

use std::collections::BTreeMap;
use std::path::Path;

use lyceum_core::node::facts::Facts;
use serde::{Deserialize, Serialize};

use crate::aws::role::Identity;
use crate::disk;
use crate::settings::Settings;

/// Longest file of the system that is read here.
const LARGEST: usize = 1024 * 1024;

/// What the cluster tells its nodes, once its parts are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterFacts {
    /// Access points by name.
    pub access_points: BTreeMap<String, String>,
    /// The shared file system.
    pub file_system: String,
    /// The hub's private address.
    pub hub: String,
    /// Private DNS namespace.
    pub namespace: String,
    /// The hub's public address.
    pub public_address: String,
}

/// What this machine is, without a cloud.
pub fn of_machine() -> Facts {
    let cpus = text("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count();
    Facts {
        hostname: text("/proc/sys/kernel/hostname").trim().into(),
        os: os(&text("/etc/os-release")),
        arch: std::env::consts::ARCH.into(),
        cpus: u32::try_from(cpus.max(1)).unwrap_or(u32::MAX),
        memory_mib: memory_mib(&text("/proc/meminfo")),
        ..Facts::default()
    }
}

/// The same, as a node of a cluster.
pub fn of_node(settings: &Settings, identity: &Identity, cluster: &ClusterFacts) -> Facts {
    Facts {
        instance_id: identity.instance_id.clone(),
        instance_type: identity.instance_type.clone(),
        private_ip: identity.private_ip.clone(),
        zone: identity.availability_zone.clone(),
        region: settings.region.clone(),
        cluster: settings.cluster.clone(),
        group: settings.group.clone(),
        owner: settings.owner.clone(),
        bucket: settings.bucket.clone(),
        parameters: settings.parameters.clone(),
        hub: cluster.hub.clone(),
        public_address: cluster.public_address.clone(),
        namespace: cluster.namespace.clone(),
        file_system: cluster.file_system.clone(),
        access_points: cluster.access_points.clone(),
        ..of_machine()
    }
}

fn text(path: &str) -> String {
    let content = disk::read(Path::new(path), LARGEST).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&content).into_owned()
}

/// `debian-12`, `ubuntu-24.04`, `amazon-linux-2023`.
fn os(release: &str) -> String {
    let value = |key: &str| {
        let found = release.lines().find_map(|line| line.strip_prefix(key));
        found.unwrap_or_default().trim_matches('"').to_string()
    };
    let id = match value("ID=").as_str() {
        "amzn" => "amazon-linux".to_string(),
        id => id.to_string(),
    };
    format!("{id}-{}", value("VERSION_ID="))
}

fn memory_mib(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_known_by_its_release_file() {
        assert_eq!(os("PRETTY_NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n"), "debian-12");
        assert_eq!(os("ID=\"amzn\"\nVERSION_ID=\"2023\"\n"), "amazon-linux-2023");
        assert_eq!(os("ID=ubuntu\nVERSION_ID=\"24.04\"\n"), "ubuntu-24.04");
        assert_eq!(memory_mib("MemTotal:        8144268 kB\nMemFree: 1 kB\n"), 7953);
    }

    #[test]
    fn what_the_cluster_tells_may_grow() {
        let text = r#"{"accessPoints":{"homes":"fsap-1"},"hub":"10.0.0.10","bucket":"b","new":1}"#;
        let facts: ClusterFacts = serde_json::from_str(text).unwrap();
        assert_eq!(facts.access_points["homes"], "fsap-1");
    }
}
