//! The repository of those who have none: one small cluster and the cookbooks
//! that this program carries, committed, so that there is something to change.

use std::fs;
use std::path::Path;

use anyhow::Context;
use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature, StatusOptions};
use lyceum_core::manifest::repository::SERVICES;
use lyceum_local::Subnet;

use crate::cli::failure::Failed;

/// Its only cluster.
pub(super) const CLUSTER: &str = "lab";

/// The cookbooks, by their path.
const COOKBOOKS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/cookbooks.rs"));

const MANIFEST: &str = "\
# A cluster on this machine. Change it, commit, and watch: `lyceum local status`.
apiVersion: lyceum/v1
kind: Cluster
metadata:
  name: lab
spec:
  network: {cidr: CIDR, zones: 1}
  hub: {dataVolumeGiB: 1}
  workers: {min: 2, max: 4}
  jupyter:
    image: quay.io/jupyter/minimal-notebook:local
    # Any name and one password, which `lyceum local up` makes.
    auth: {type: dummy, admins: [admin]}
    limits: {memory: 512M, cpu: 0.5, users: 20}
  attributes:
    jupyterhub: {image: \"quay.io/lyceum/hub:local\"}
";

/// The emulator takes calls as fast as they come.
const SETTINGS: &str = "apiVersion: lyceum/v1\nkind: Repository\nspec:\n  rates:\n";

const README: &str = "\
# A cluster on this machine

`clusters/lab/cluster.yaml` says what it is, `cookbooks/` what its nodes are. Edit, `git commit`, and watch
`lyceum local status`. Some things to try:

- more workers: `workers: {min: 3, max: 4}`
- a line on every page of the hub: below `attributes`, `jupyterhub: {announcement: Hello}`
- a change of a role: any file below `cookbooks/`
- what would change, and why: `lyceum plan`, with the variables that `lyceum local status` shows
";

/// Makes it in a folder, for nodes in a range; what is there already stays.
pub(super) fn make(folder: &Path, range: Subnet) -> Result<(), Failed> {
    if folder.exists() {
        return Ok(());
    }
    // Made whole beside it: what is there is complete.
    let new = folder.with_extension("new");
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    let rates = SERVICES.iter().map(|one| format!("    {one}: {{perSecond: 2000, burst: 2000}}\n"));
    let settings: String = std::iter::once(SETTINGS.to_string()).chain(rates).collect();
    write(&new.join("lyceum.yaml"), settings.as_bytes())?;
    write(&new.join("README.md"), README.as_bytes())?;
    let manifest = MANIFEST.replace("CIDR", &range.to_string());
    write(&new.join(format!("clusters/{CLUSTER}/cluster.yaml")), manifest.as_bytes())?;
    for (name, content) in COOKBOOKS {
        write(&new.join("cookbooks").join(name), content)?;
    }
    commit(&new).context("cannot make a repository")?;
    Ok(fs::rename(new, folder)?)
}

/// Whether somebody has committed or changed anything since it was made.
pub(super) fn is_worked_in(folder: &Path) -> bool {
    let Ok(repository) = Repository::open(folder) else { return folder.exists() };
    let head = repository.head().and_then(|head| head.peel_to_commit());
    let is_first = head.is_ok_and(|commit| commit.parent_count() == 0);
    let mut options = StatusOptions::new();
    options.include_untracked(true);
    let is_clean = repository.statuses(Some(&mut options)).is_ok_and(|found| found.is_empty());
    !(is_first && is_clean)
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failed> {
    let failed = || format!("cannot write {}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(path)).with_context(failed)?;
    fs::write(path, content).with_context(failed)
}

fn commit(folder: &Path) -> Result<(), git2::Error> {
    let mut options = RepositoryInitOptions::new();
    let repository = Repository::init_opts(folder, options.initial_head("main"))?;
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let who = Signature::now("Lyceum", "lyceum@localhost")?;
    repository.commit(Some("HEAD"), &who, &who, "A cluster on this machine", &tree, &[])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::road::declared;

    #[test]
    fn it_is_valid_committed_and_notices_work() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("repository");
        make(&folder, "10.88.0.0/16".parse().unwrap()).unwrap();
        let read = declared(&folder, Some("HEAD")).unwrap();
        let [cluster] = read.manifests.clusters.values().collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!(cluster.cluster.metadata.name, CLUSTER);
        assert_eq!(cluster.cluster.spec.network.cidr, "10.88.0.0/16");
        assert!(read.manifests.warnings.is_empty(), "{:?}", read.manifests.warnings);
        assert!(!is_worked_in(&folder));
        fs::write(folder.join("README.md"), "mine").unwrap();
        assert!(is_worked_in(&folder));
        assert!(!is_worked_in(&around.path().join("nothing")));
        // Whatever somebody did to it stays.
        make(&folder, "10.89.0.0/16".parse().unwrap()).unwrap();
        assert_eq!(fs::read_to_string(folder.join("README.md")).unwrap(), "mine");
    }

    #[test]
    fn every_role_of_the_cluster_is_carried() {
        for name in ["base", "jupyterhub", "swarm-leader", "swarm-worker", "nginx"] {
            let file = format!("{name}/role.yaml");
            assert!(COOKBOOKS.iter().any(|(path, _)| *path == file), "{file}");
        }
    }
}
