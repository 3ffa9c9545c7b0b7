//! What keeping a node costs: a converged worker looked through by the agent, and
//! by Ansible with the same role, on one node in one run.
//!
//! May not: change the node. Both find nothing to do, or the figures are refused.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lyceum_local::Node;
use serde::Deserialize;
use serde_json::Value;

use crate::emulator::{cache, in_tests, python};
use crate::live::{Live, NOTEBOOK};

/// Runs of each, one after the other.
const RUNS: usize = 5;
/// Looks in a run of the agent that runs as a service: its CPU time is told in
/// hundredths of a second.
const LOOKS: usize = 5;
/// From nothing to a converged worker.
const READY: Duration = Duration::from_secs(600);
/// Where the comparison lies on the node.
const THERE: &str = "/srv/bench";

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Run {
    wall: f64,
    cpu: f64,
    cpu_all: f64,
    kib: f64,
    kib_most: f64,
    code: i32,
}

/// The runs of both.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    steps: usize,
    checks: usize,
    running: Vec<Run>,
    agent: Vec<Run>,
    ansible: Vec<Run>,
}

impl Nodes {
    /// Makes a cluster with a worker, and measures there.
    pub fn measured() -> Result<Self> {
        let packages = packages()?;
        let live = Live::prepare("bench", "10.88.0.0/16", 1)?;
        live.serve()?;
        live.until("a worker that is as it should be", READY, |all| {
            all.values().filter(|report| report.ready()).count() == 2
        })?;
        // Nothing but what is measured looks at the node.
        live.service.kill();
        let worker = live.nodes_of("workers")?.into_iter().next().context("there is no worker")?;
        worker.shell("systemctl stop lyceum-agent")?;
        let mut nodes = Self::default();
        let names = nodes.begin(&worker)?;
        prepare(&worker, &packages)?;
        let hub = live.hub()?.address()?.context("the hub has no address")?;
        let playbook = playbook(&worker)?;
        ensure!(playbook == names, "the playbook is not the role: {playbook:?}, {names:?}");
        for _ in 0..RUNS {
            nodes.running.push(running(&worker)?);
            nodes.agent.push(agent(&worker)?);
            nodes.ansible.push(ansible(&worker, hub.to_string().as_str())?);
        }
        Ok(nodes)
    }

    /// The middle of what a look costs the agent that runs on every node: CPU
    /// seconds, the programs it runs counted, and MiB of itself.
    pub fn agent(&self) -> (f64, f64) {
        (middle(&self.running, |run| run.cpu_all), middle(&self.running, |run| run.kib) / 1024.0)
    }

    /// What the agent looks at, by name.
    fn begin(&mut self, worker: &Node) -> Result<BTreeSet<String>> {
        let said = worker.succeed(&["lyceum-agent", "once", "--format", "json"])?;
        let report: Value = serde_json::from_str(&said)?;
        let ids = |list: &str| -> Vec<String> {
            let all = report[list].as_array().into_iter().flatten();
            all.filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
        };
        let (steps, checks) = (ids("steps"), ids("checks"));
        (self.steps, self.checks) = (steps.len(), checks.len());
        Ok(steps.into_iter().chain(checks).collect())
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, checks) = (self.steps, self.checks);
        writeln!(
            f,
            "a converged worker looked through: {steps} steps, {checks} checks; the middle of \
             {RUNS} runs, fewest and most in brackets"
        )?;
        let head = ["wall s", "CPU s", "CPU s, all", "MiB", "MiB, largest"];
        writeln!(f, "{:<18}{}", "", head.map(|one| format!("{one:>24}")).concat())?;
        let columns: [fn(&Run) -> f64; 5] = [
            |run| run.wall,
            |run| run.cpu,
            |run| run.cpu_all,
            |run| run.kib / 1024.0,
            |run| run.kib_most / 1024.0,
        ];
        let rows = [
            ("as it runs", &self.running),
            ("lyceum-agent once", &self.agent),
            ("Ansible", &self.ansible),
        ];
        for (name, runs) in rows {
            let cells = columns.map(|column| format!("{:>24}", spread(runs, column)));
            writeln!(f, "{name:<18}{}", cells.concat())?;
        }
        let ratio = columns.map(|column| {
            let ratio = middle(&self.ansible, column) / middle(&self.agent, column);
            format!("{:>24}", format!("{ratio:.1} x"))
        });
        writeln!(f, "{:<18}{}", "Ansible / once", ratio.concat())
    }
}

/// The agent as a service, asked to look.
fn running(worker: &Node) -> Result<Run> {
    worker.shell("systemctl start lyceum-agent")?;
    let said = worker.shell(&format!("python3 {THERE}/running.py {LOOKS}"))?;
    worker.shell("systemctl stop lyceum-agent")?;
    serde_json::from_str(&said).with_context(|| said.clone())
}

fn agent(worker: &Node) -> Result<Run> {
    let (run, said) = run(worker, "lyceum-agent once --format json")?;
    let report: Value = serde_json::from_str(said.get(said.find('{').unwrap_or(0)..).unwrap_or(""))
        .with_context(|| said.clone())?;
    let steps = report["steps"].as_array().into_iter().flatten();
    let changed: Vec<&Value> = steps.filter(|step| step["outcome"]["is"] != "unchanged").collect();
    ensure!(changed.is_empty() && report["ready"] == true, "the agent did something: {changed:?}");
    Ok(run)
}

fn ansible(worker: &Node, hub: &str) -> Result<Run> {
    let play = format!(
        "env PYTHONPATH={THERE}/packages ANSIBLE_LOCALHOST_WARNING=0 LC_ALL=C.UTF-8 \
         python3 -m ansible.cli.playbook -i localhost, -c local \
         -e ansible_python_interpreter=/usr/bin/python3 -e hub={hub} -e notebook={NOTEBOOK} \
         {THERE}/worker.yml"
    );
    let (run, said) = run(worker, &play)?;
    let recap = said.lines().rev().find(|line| line.contains("changed=")).unwrap_or_default();
    ensure!(recap.contains("changed=0") && recap.contains("failed=0"), "Ansible: {said}");
    Ok(run)
}

fn run(worker: &Node, command: &str) -> Result<(Run, String)> {
    let measure = format!("python3 {THERE}/measure.py {THERE}/output {command}");
    let run: Run = serde_json::from_str(&worker.shell(&measure)?)?;
    let said = worker.read(&format!("{THERE}/output"))?;
    ensure!(run.code == 0, "{command} ended with {}: {said}", run.code);
    Ok((run, said))
}

/// Brings what Ansible needs, and the files the role has written.
fn prepare(worker: &Node, packages: &Path) -> Result<()> {
    worker.shell(&format!("mkdir -p {THERE}/given"))?;
    worker.copy_in(packages, &format!("{THERE}/packages"))?;
    for name in ["worker.yml", "measure.py", "running.py"] {
        worker.copy_in(&in_tests(&format!("bench/{name}")), &format!("{THERE}/{name}"))?;
    }
    let play = fs::read_to_string(in_tests("bench/worker.yml"))?;
    let files = play.split("{{ given }}").skip(1).filter_map(|rest| rest.split('"').next());
    for file in files.filter(|file| file.starts_with('/') && !file.contains("{{")) {
        worker.shell(&format!("cp --parents {file} {THERE}/given"))?;
    }
    let timers = "/etc/systemd/system/lyceum-*.service /etc/systemd/system/lyceum-*.timer";
    worker.shell(&format!("cp --parents {timers} {THERE}/given"))?;
    Ok(())
}

/// The names of the playbook's tasks.
fn playbook(worker: &Node) -> Result<BTreeSet<String>> {
    let script = "import json, sys, yaml
play, = yaml.safe_load(open(sys.argv[1]))
print(json.dumps([task['name'] for task in play['tasks']]))";
    let (path, file) = (format!("PYTHONPATH={THERE}/packages"), format!("{THERE}/worker.yml"));
    let names = worker.succeed(&["env", &path, "python3", "-c", script, &file])?;
    Ok(serde_json::from_str(&names)?)
}

/// Ansible for a node's Python, fetched once.
fn packages() -> Result<PathBuf> {
    let list = in_tests("bench/requirements.txt");
    let wanted = fs::read_to_string(&list)?;
    let folder = cache()?.join("ansible");
    if fs::read_to_string(folder.join("requirements.txt")).is_ok_and(|had| had == wanted) {
        return Ok(folder);
    }
    fs::remove_dir_all(&folder).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let of_nodes = ["--python-version", "3.11", "--only-binary=:all:"];
    let done = Command::new(python()?)
        .args(pip)
        .args(of_nodes)
        .arg("--target")
        .arg(&folder)
        .arg("-r")
        .arg(&list)
        .status()?;
    if !done.success() {
        bail!("Ansible cannot be fetched");
    }
    fs::copy(&list, folder.join("requirements.txt"))?;
    Ok(folder)
}

fn sorted(runs: &[Run], of: fn(&Run) -> f64) -> Vec<f64> {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all
}

fn middle(runs: &[Run], of: fn(&Run) -> f64) -> f64 {
    let all = sorted(runs, of);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn spread(runs: &[Run], of: fn(&Run) -> f64) -> String {
    let all = sorted(runs, of);
    match (all.first(), all.last()) {
        (Some(least), Some(most)) => {
            format!("{:.2} ({least:.2}-{most:.2})", middle(runs, of))
        }
        _ => "-".into(),
    }
}
