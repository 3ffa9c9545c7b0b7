//! A cluster that lives: the service against the emulator, and a machine for
//! every instance, all of it on this machine.

mod eye;
mod service;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lyceum_local::{Cloud, Daemon, Image, Node, Options, Place, Shelf, Subnet, Terms};
use serde_json::Value;

pub use eye::Eye;
pub use service::Service;

use crate::emulator::python;
use crate::scenario::{Lyceum, Repo};

/// The name of the only cluster.
pub const CLUSTER: &str = "lab";
/// Its manifest, in its repository.
pub const CLUSTER_FILE: &str = "clusters/lab/cluster.yaml";
/// The image its users get; the local registry answers as this one.
pub const NOTEBOOK: &str = "quay.io/jupyter/minimal-notebook:lyceum-test";
/// The image hub and proxy run.
pub const HUB: &str = "quay.io/lyceum/hub:lyceum-test";
/// What everybody signs in with.
pub const PASSWORD: &str = "a trial's password";
const GLANCE: Duration = Duration::from_secs(1);

const CLUSTER_YAML: &str = "apiVersion: lyceum/v1
kind: Cluster
metadata:
  name: lab
spec:
  network: {cidr: CIDR, zones: 1}
  hub: {dataVolumeGiB: 1}
  workers: {min: WORKERS, max: 4}
  jupyter:
    image: IMAGE
    auth: {type: dummy, admins: [ada]}
    limits: {memory: 512M, cpu: 0.5, users: 20}
  attributes:
    jupyterhub: {image: \"HUB\"}
";

/// A cluster with its cloud. Fields end in their order.
#[derive(Debug)]
pub struct Live {
    /// What makes the repository true in the cloud.
    pub service: Service,
    eye: Eye,
    /// The cloud below it.
    pub cloud: Cloud,
    /// Its repository.
    pub repo: Repo,
    program: Lyceum,
}

/// A node's report, and what is asked of it again and again.
#[derive(Clone, Debug)]
pub struct Report(pub Value);

impl Live {
    /// Makes the images that are missing, which takes minutes the first time.
    /// The daemon is there as long as what this gives.
    pub fn images() -> Result<Daemon> {
        let place = Place::of_this_machine()?;
        let daemon = Daemon::start(&place)?;
        for image in [Image::Node, Image::Hub, Image::Notebook] {
            image.ensure(daemon.docker(), &place, &|stage| println!("{stage}"))?;
        }
        Ok(daemon)
    }

    /// A cloud of this name with a repository of one cluster, and nobody yet who
    /// makes the one true in the other.
    pub fn prepare(name: &str, cidr: &str, workers: u32) -> Result<Self> {
        let subnet: Subnet = cidr.parse()?;
        let options = Options { subnet: Some(subnet), ..Options::named(name) };
        let shelf = Shelf { hub: Some(HUB.into()), notebooks: vec![NOTEBOOK.into()] };
        let place = Place::of_this_machine()?;
        let cloud = Cloud::open(&place, &options, &python()?, (&shelf, Terms::default()))?;
        cloud.ground().bake()?;
        let repo = Repo::of_examples(&["none"])?;
        let text = CLUSTER_YAML
            .replace("CIDR", cidr)
            .replace("WORKERS", &workers.to_string())
            .replace("HUB", HUB)
            .replace("IMAGE", NOTEBOOK);
        repo.write(CLUSTER_FILE, &text)?;
        repo.remove("clusters/defaults.yaml")?;
        repo.commit("A cluster")?;
        // The same way to AWS as the nodes have: what is in it is in everybody's.
        let url = format!("http://{}", cloud.endpoint());
        let program = Lyceum::new(&url, repo.path())?.with("RUST_LOG", "info");
        let agent = agent()?;
        let agent = agent.to_str().context("the agent's path is no text")?;
        let service = Service::new(&program, &["serve", "--interval", "10s", "--agent", agent]);
        let eye = Eye::open(&cloud.emulator().url())?;
        Ok(Self { service, eye, cloud, repo, program })
    }

    /// The program, pointed at the cloud and the repository.
    pub fn program(&self) -> &Lyceum {
        &self.program
    }

    /// Starts the service, with the agent that is made for nodes.
    pub fn serve(&self) -> Result<()> {
        // Made by the operator, before anybody needs it.
        let secret = format!("/lyceum/{CLUSTER}/trial-password");
        self.program.run_reading(&["secret", "set", &secret], PASSWORD)?.succeeded()?;
        self.service.start()
    }

    /// Changes a text of the cluster's manifest and commits; gives the revision.
    pub fn commit(&self, what: &str, from: &str, to: &str) -> Result<String> {
        self.repo.edit(CLUSTER_FILE, from, to)?;
        self.repo.commit(what)
    }

    /// The node of the hub, once its instance is there.
    pub fn hub(&self) -> Result<Node> {
        let hub = self.nodes_of("hub")?.into_iter().next();
        hub.context("there is no hub yet")
    }

    /// The nodes of a group, by instance id.
    pub fn nodes_of(&self, group: &str) -> Result<Vec<Node>> {
        let kind = if group == "hub" { "instance/hub" } else { "scaling-group/workers" };
        let script = "
for page in aws('ec2').get_paginator('describe_instances').paginate():
    for reservation in page['Reservations']:
        for one in reservation['Instances']:
            tags = {tag['Key']: tag['Value'] for tag in one.get('Tags', [])}
            if one['State']['Name'] == 'running' and tags.get('lyceum:address', '').endswith(args[0]):
                print(one['InstanceId'])
";
        let listed = self.look(script, &[kind])?;
        let all = self.cloud.ground().nodes()?;
        let of_it = |node: &Node| listed.lines().any(|id| id == node.name());
        Ok(all.into_iter().filter(of_it).collect())
    }

    /// What the nodes report, by instance.
    pub fn reports(&self) -> Result<BTreeMap<String, Report>> {
        let script = "
s3, found = aws('s3'), {}
for bucket in s3.list_buckets()['Buckets']:
    for one in s3.list_objects_v2(Bucket=bucket['Name'], Prefix='clusters/').get('Contents', []):
        if '/nodes/' in one['Key']:
            body = s3.get_object(Bucket=bucket['Name'], Key=one['Key'])['Body'].read()
            found[one['Key'].rsplit('/', 1)[1].removesuffix('.json')] = json.loads(body)
print(json.dumps(found))
";
        let found: BTreeMap<String, Value> = serde_json::from_str(&self.look(script, &[])?)?;
        Ok(found.into_iter().map(|(id, report)| (id, Report(report))).collect())
    }

    /// Waits until something of the reports holds; fails with what they say.
    pub fn until(
        &self,
        what: &str,
        within: Duration,
        mut holds: impl FnMut(&BTreeMap<String, Report>) -> bool,
    ) -> Result<Duration> {
        let started = Instant::now();
        let mut last = BTreeMap::new();
        while started.elapsed() < within {
            if let Ok(reports) = self.reports() {
                if holds(&reports) {
                    return Ok(started.elapsed());
                }
                last = reports;
            }
            std::thread::sleep(GLANCE);
        }
        bail!("not within {within:?}: {what}\n{}\n{}", troubles(&last), self.said())
    }

    /// What a script of boto3 prints about the cloud; see [`Eye`].
    pub fn look(&self, script: &str, args: &[&str]) -> Result<String> {
        self.eye.look(script, args)
    }

    /// What the service and the driver said, for a failed test.
    pub fn said(&self) -> String {
        format!("{}\ndriver: {:?}", self.service.said(), self.cloud.driver().failures())
    }
}

impl Report {
    /// Every check holds and every step is as it should be.
    pub fn ready(&self) -> bool {
        self.0["ready"] == true
    }

    /// `hub` or `workers`.
    pub fn group(&self) -> &str {
        self.0["facts"]["group"].as_str().unwrap_or_default()
    }

    /// The commit it is.
    pub fn revision(&self) -> &str {
        self.0["applied"]["revision"].as_str().unwrap_or_default()
    }

    /// When the run began of which it tells: seconds since 1970.
    pub fn began(&self) -> u64 {
        self.0["started"].as_u64().unwrap_or_default()
    }

    /// The number of the pointer it took last; 0 when none.
    pub fn taken(&self) -> u64 {
        self.0["pointer"]["sequence"].as_u64().unwrap_or_default()
    }

    /// Why it takes no pointer; empty when it does.
    pub fn refused(&self) -> &str {
        self.0["pointer"]["refused"].as_str().unwrap_or_default()
    }
}

/// What is not as it should be, a line each.
fn troubles(reports: &BTreeMap<String, Report>) -> String {
    let mut lines = vec![format!("{} reports", reports.len())];
    for (id, Report(report)) in reports {
        lines.push(format!("{id} {} ready={}", report["facts"]["group"], report["ready"]));
        let steps = report["steps"].as_array().into_iter().flatten();
        lines.extend(
            steps
                .filter(|step| {
                    ["failed", "blocked"].contains(&step["outcome"]["is"].as_str().unwrap_or(""))
                })
                .map(|step| format!("  {} {}", step["id"], step["outcome"])),
        );
        let checks = report["checks"].as_array().into_iter().flatten();
        lines.extend(
            checks.filter(|check| check["holds"] == false).map(|check| format!("  {check}")),
        );
    }
    lines.join("\n")
}

/// `LYCEUM_AGENT`, or the agent that `make agent` puts beside the program.
pub fn agent() -> Result<PathBuf> {
    if let Some(agent) = std::env::var_os("LYCEUM_AGENT") {
        return Ok(agent.into());
    }
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join("lyceum-agent"));
    found
        .into_iter()
        .find(|path| path.is_file())
        .context("the agent is not built; `make agent` builds it")
}
