//! Made-up clusters: as many as asked for, alike but for name, range and domain.

use anyhow::{Result, ensure};

use crate::scenario::Repo;

/// 10.0.0.0/8 has no more ranges of this size.
const MOST: usize = 4096;
/// The size: room for the workers of every zone.
const PREFIX: u32 = 20;

/// A repository of `count` clusters in one region, committed. Every one has
/// what the example has; every other one has a domain.
pub fn repository(count: usize) -> Result<Repo> {
    ensure!(count <= MOST, "at most {MOST} clusters have a range of their own");
    let repo = Repo::of_examples(&["geo-101"])?;
    repo.remove("clusters/geo-101")?;
    repo.remove("clusters/defaults.yaml")?;
    // Lists of a hundred clusters take the emulator longer than a test allows.
    repo.edit("lyceum.yaml", "callTimeoutSeconds: 5", "callTimeoutSeconds: 60")?;
    for place in 0..count {
        let name = name(place);
        repo.write(&format!("clusters/{name}/cluster.yaml"), &manifest(place, &name))?;
    }
    repo.commit("Clusters to measure")?;
    Ok(repo)
}

/// The name of a cluster; they sort as they are counted.
pub fn name(place: usize) -> String {
    format!("bench-{place:04}")
}

fn manifest(place: usize, name: &str) -> String {
    let range = range(place);
    let domain = match place.is_multiple_of(2) {
        true => format!("  domain: {name}.example.edu\n"),
        false => String::new(),
    };
    format!(
        "\
apiVersion: lyceum/v1
kind: Cluster
metadata:
  name: {name}
  labels: {{department: geography, term: 2026-fall}}
spec:
  region: us-east-1
  os: debian-12
  network: {{cidr: {range}, zones: 2, adminCidrs: [203.0.113.0/24]}}
{domain}  hub: {{instanceType: t3.medium, volumeGiB: 20, dataVolumeGiB: 20}}
  workers:
    instanceTypes: [t3.large, t3a.large]
    purchase: {{onDemandBase: 0, spotPercent: 100}}
    min: 1
    max: 20
    volumeGiB: 50
    scaling:
      cpuPercent: 40
      sessionsPerNode: 8
      schedules:
        - {{name: monday-lab, start: \"0 8 * * MON\", end: \"0 12 * * MON\", min: 8, timezone: America/Denver}}
  storage: {{transitionToIADays: 30, backup: true, shared: [{{name: datasets, path: /srv/datasets}}]}}
  jupyter:
    image: quay.io/jupyter/datascience-notebook:2026-10-01
    auth: {{type: github, clientId: abc123, clientSecretRef: \"ssm:/lyceum/{name}/oauth-client-secret\", allowedOrganizations: [geo-dept], admins: [instructor]}}
    limits: {{memory: 2G, cpu: 1.0, users: 100}}
    idleTimeoutMinutes: 60
"
    )
}

/// The range of a cluster, overlapping no other's.
fn range(place: usize) -> String {
    let address = u32::from_be_bytes([10, 0, 0, 0]) + ((place as u32) << (32 - PREFIX));
    format!("{}/{PREFIX}", std::net::Ipv4Addr::from(address))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ranges_follow_one_another_and_stay_private() {
        assert_eq!(range(0), "10.0.0.0/20");
        assert_eq!(range(17), "10.1.16.0/20");
        assert_eq!(range(MOST - 1), "10.255.240.0/20");
        let all: BTreeSet<String> = (0..MOST).map(range).collect();
        assert_eq!(all.len(), MOST);
    }

    #[test]
    fn every_other_cluster_has_a_domain() {
        let with = (0..10).filter(|place| manifest(*place, "x").contains("domain:")).count();
        assert_eq!(with, 5);
    }
}
