//! `make bench`: time, requests and memory for 1, 10, 30 and 100 clusters in
//! one region, beside Terraform's recorded figures and beside what was
//! promised; the offline speed of validation; and what a converged worker costs,
//! beside Ansible on the same node.
//!
//! `--n 1,10` chooses the numbers of clusters, `--only clouds|nodes` a half. Exits 1
//! where a promise is not kept. Terraform is not run; Ansible is fetched and run.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use system_tests::bench::terraform::Deed;
use system_tests::bench::{
    Bounds, Cost, Measured, Nodes, Row, Table, cpu_of, measured, name, repository,
};
use system_tests::proxy::{Fault, Lent, Rule};
use system_tests::scenario::{Lyceum, Repo, World};

const NUMBERS: &[usize] = &[1, 10, 30, 100];
const OFFLINE: usize = 1_000;
/// As when Terraform was measured.
const DELAY: Duration = Duration::from_millis(10);
/// From here on the emulator's own work is most of a plan's time; beyond it a plan
/// is long enough to be run once.
const MANY: usize = 30;
/// Plans are brief, so that one alone tells more of the machine's other work.
const PLANS: usize = 5;
/// For one command.
const PATIENCE: Duration = Duration::from_secs(900);
/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn main() -> Result<ExitCode> {
    let asked = Asked::of(std::env::args().skip(1))?;
    let mut bench = Bench::new();
    if asked.clouds {
        bench.clouds(&asked.numbers)?;
    }
    if asked.nodes {
        bench.nodes()?;
    }
    Ok(bench.told())
}

fn say_terms() {
    println!(
        "Lyceum on the emulator, {} ms added to every request.\n\
         Call rates: 2000 a second and service, raised in lyceum.yaml.\n\
         Terraform: recorded, provider 5.100, the same delay and resources.\n\
         Plans of at most {MANY} clusters: median time of {PLANS} runs, most memory and calls.\n\
         moto s: CPU time of the emulator, one Python process, within the wall time.\n\
         The emulator has costs that AWS has not: it looks for the tags of each EC2\n\
         object among those of all, and works out anew for every request and field what\n\
         never changes. Terraform was measured with them, and so are apply, destroy and\n\
         the first table of plans. The second is without them (emulator/quick.py).\n\
         That one is judged for 30 clusters. Terraform was measured behind the emulator's\n\
         own server, which makes a connection for each request; all else here behind one\n\
         that keeps them (emulator/listen.py).\n",
        DELAY.as_millis()
    );
}

/// The tables as they fill.
struct Bench {
    apply: Table,
    /// On the emulator as it is.
    plan: Table,
    /// On the emulator made quick.
    plan_quick: Table,
    destroy: Table,
    nodes: Option<Nodes>,
    bounds: Bounds,
}

impl Bench {
    fn new() -> Self {
        Self {
            apply: Table::new(Deed::Apply, "apply from nothing"),
            plan: Table::new(Deed::Plan, "plan, nothing to change, emulator as it is"),
            plan_quick: Table::new(Deed::Plan, "plan, nothing to change, emulator made quick"),
            destroy: Table::new(Deed::Destroy, "destroy"),
            nodes: None,
            bounds: Bounds::default(),
        }
    }

    fn clouds(&mut self, numbers: &[usize]) -> Result<()> {
        say_terms();
        for clusters in numbers {
            self.run(*clusters).with_context(|| format!("with {clusters} clusters"))?;
        }
        self.validate()
    }

    fn nodes(&mut self) -> Result<()> {
        let nodes = Nodes::measured().context("on a node")?;
        self.bounds.node(nodes.agent());
        self.nodes = Some(nodes);
        Ok(())
    }

    /// Applies from nothing, plans again, destroys.
    fn run(&mut self, clusters: usize) -> Result<()> {
        let subject = Subject::new(clusters)?;
        let applied = subject.row(&["apply", "--yes"])?;
        self.apply.add(applied);
        self.bounds.apply(clusters, applied.cost);

        let as_it_is = subject.plan()?;
        self.plan.add(as_it_is);
        subject.world.be_quick(true)?;
        let quick = subject.plan()?;
        self.plan_quick.add(quick);
        // Where the emulator outweighs the program, both are said.
        let judged = if clusters >= MANY { quick } else { as_it_is };
        let how = if clusters >= MANY { ", emulator made quick" } else { "" };
        self.bounds.plan((clusters, how), judged.cost, judged.calls);
        if clusters == MANY {
            self.bounds.beside(clusters, as_it_is.cost);
        }
        subject.world.be_quick(false)?;

        self.destroy.add(subject.destroy()?);
        Ok(())
    }

    /// Checks a thousand manifests, of the working tree, without AWS.
    fn validate(&mut self) -> Result<()> {
        let repo = repository(OFFLINE)?;
        let program = Lyceum::new(NOWHERE, repo.path())?;
        let Measured { cost, .. } = measured(&program, &["validate"], PATIENCE)?;
        self.bounds.validate(OFFLINE, cost);
        progress("lyceum validate", cost, OFFLINE, 0);
        Ok(())
    }

    fn told(&self) -> ExitCode {
        let Self { apply, plan, plan_quick, destroy, .. } = self;
        for table in
            [apply, plan, plan_quick, destroy].into_iter().filter(|table| !table.is_empty())
        {
            println!("{table}");
        }
        if let Some(nodes) = &self.nodes {
            println!("{nodes}");
        }
        self.bounds.verdicts().iter().for_each(|verdict| println!("{verdict}"));
        let kept = self.bounds.verdicts().iter().all(|verdict| verdict.is_kept());
        if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A repository and an empty account.
struct Subject {
    world: World,
    program: Lyceum,
    clusters: usize,
    _repo: Repo,
}

impl Subject {
    fn new(clusters: usize) -> Result<Self> {
        let repo = repository(clusters)?;
        let world = World::lending(Lent::nothing())?;
        world.proxy.rule(Rule::new("*", Fault::Latency { base: DELAY, jitter: Duration::ZERO }));
        world.be_quick(false)?;
        let program = Lyceum::new(&world.endpoint(), repo.path())?;
        Ok(Self { world, program, clusters, _repo: repo })
    }

    /// Runs a command; its calls are those the proxy saw.
    fn row(&self, arguments: &[&str]) -> Result<Row> {
        self.world.proxy.forget_attempts();
        let before = cpu_of(self.world.emulator())?;
        let Measured { cost, .. } = measured(&self.program, arguments, PATIENCE)?;
        let emulator = cpu_of(self.world.emulator())?.saturating_sub(before);
        let calls = self.world.proxy.attempts().len();
        progress(&format!("lyceum {}", arguments[0]), cost, self.clusters, calls);
        Ok(Row { clusters: self.clusters, cost, emulator, calls })
    }

    /// Plans with nothing to change: of several runs the median time, and the most
    /// memory and calls.
    fn plan(&self) -> Result<Row> {
        let arguments = &["plan", "--detailed-exitcode", "--stats"];
        // A long one tells enough by itself.
        let runs = if self.clusters > MANY { 1 } else { PLANS };
        let mut rows = (0..runs).map(|_| self.row(arguments)).collect::<Result<Vec<_>>>()?;
        let peak = rows.iter().map(|row| row.cost.peak).max().unwrap_or_default();
        let calls = rows.iter().map(|row| row.calls).max().unwrap_or_default();
        rows.sort_by_key(|row| row.cost.wall);
        let middle = rows.swap_remove(runs / 2);
        Ok(Row { cost: Cost { peak, ..middle.cost }, calls, ..middle })
    }

    /// Destroys all of them.
    fn destroy(&self) -> Result<Row> {
        let names: Vec<String> = (0..self.clusters).map(name).collect();
        let mut arguments = vec!["destroy", "--yes", "--force"];
        names.iter().for_each(|name| arguments.extend(["--cluster", name]));
        let row = self.row(&arguments)?;
        let left = self.world.inventory()?.objects("instance").len();
        ensure!(left == 0, "{left} instances are left after the destroy");
        Ok(row)
    }
}

/// Says on standard error how far it is: a run with 100 clusters takes a while.
fn progress(line: &str, cost: Cost, clusters: usize, calls: usize) {
    let wall = cost.wall.as_secs_f64();
    eprintln!("{line:<16} {clusters:>5} clusters {wall:>8.2} s {calls:>6} calls");
}

/// What is to be measured.
struct Asked {
    numbers: Vec<usize>,
    clouds: bool,
    nodes: bool,
}

impl Asked {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut asked = Self { numbers: NUMBERS.to_vec(), clouds: true, nodes: true };
        while let Some(argument) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
            match (argument.as_str(), value.as_str()) {
                ("--n", list) => {
                    let numbers = list.split(',').map(|number| Ok(number.trim().parse()?));
                    asked.numbers = numbers.collect::<Result<_>>()?;
                }
                ("--only", "clouds") => asked.nodes = false,
                ("--only", "nodes") => asked.clouds = false,
                _ => bail!("{argument} {value} is unknown; there are --n and --only clouds|nodes"),
            }
        }
        Ok(asked)
    }
}
