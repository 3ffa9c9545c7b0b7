//! Dying anywhere: for every mutating call of a run, in turn, one thing goes
//! wrong with it; then plain passes follow, and the account must be what an
//! undisturbed run makes of it.
//!
//! A call is known by its action and its place among the calls of that action,
//! since the order of different actions varies from run to run.

mod case;
mod scene;
mod table;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};

use crate::proxy::{Attempt, Lent, Outcome};
use crate::scenario::{Inventory, Victim, World};

pub use case::{Case, Deed, Fate, Place};
use scene::Scene;
pub use table::table;

/// A case that was run.
#[derive(Debug)]
pub struct Verdict {
    /// Which.
    pub case: Case,
    /// Passes until nothing was left to do, or why it went wrong.
    pub passes: Result<usize>,
}

/// The undisturbed runs that every case is held against.
#[derive(Debug)]
pub struct Suite {
    cluster: String,
    /// What there is after each deed.
    done: BTreeMap<Deed, Inventory>,
    /// In rows, a call each: every fate that befalls every call.
    cases: Vec<Case>,
}

impl Suite {
    /// Does each deed to a cluster of the examples undisturbed, and makes a case
    /// of every mutating call of it and every fate.
    pub fn new(cluster: &str, deeds: &[Deed]) -> Result<Self> {
        let (world, cluster) = (World::new()?, cluster.to_string());
        let mut suite = Self { cluster, done: BTreeMap::new(), cases: Vec::new() };
        for deed in deeds {
            world.reset()?;
            suite.add(*deed, &world)?;
        }
        Ok(suite)
    }

    fn add(&mut self, deed: Deed, world: &World) -> Result<()> {
        let mut scene = Scene::new(deed, &self.cluster, world)?;
        let passes = scene.converge()?;
        ensure!(passes == 1, "{deed:?} undisturbed takes {passes} passes");
        self.cases.extend(case::all(deed, &world.proxy.attempts()));
        expect_implemented(world)?;
        let found = world.inventory()?;
        let left = found.of_cluster(&self.cluster);
        ensure!(deed != Deed::Remove || left.is_empty(), "removing it leaves {left:#?}");
        self.done.insert(deed, found);
        Ok(())
    }

    /// Every case.
    pub fn cases(&self) -> Vec<Case> {
        [self.cases.clone(), case::outlasted(&self.cases)].concat()
    }

    /// About `count` of them, spread evenly over the calls, one fate after the
    /// other; first of all one of those that take long.
    pub fn sample(&self, count: usize) -> Vec<Case> {
        let (all, fates) = (self.cases.len(), Fate::EACH.len());
        if count * fates >= all {
            return self.cases().into_iter().step_by((all / count.max(1)).max(1)).collect();
        }
        let long = case::outlasted(&self.cases).into_iter().take(1);
        let place = |number: usize| number * (all / fates) / count * fates + number % fates;
        let spread = (0..count).filter_map(|number| self.cases.get(place(number)).cloned());
        long.chain(spread).collect()
    }

    /// Runs cases on several worlds at once, and tells of each as it ends.
    pub fn run(
        &self,
        cases: &[Case],
        worlds: usize,
        tell: &(dyn Fn(&Verdict) + Sync),
    ) -> Result<Vec<Verdict>> {
        let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let work = || -> Result<()> {
                let world = World::new()?;
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let passes = self.judge(&world, case);
                    let verdict = Verdict { case: case.clone(), passes };
                    tell(&verdict);
                    verdicts
                        .lock()
                        .map_err(|_| anyhow::anyhow!("a worker panicked"))?
                        .push(verdict);
                }
                Ok(())
            };
            let workers: Vec<_> = (0..worlds.max(1)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(_) => bail!("a worker panicked"),
            })
        })?;
        verdicts.into_inner().map_err(|_| anyhow::anyhow!("a worker panicked"))
    }

    /// Runs one case; gives the passes that were needed after it.
    pub fn judge(&self, world: &World, case: &Case) -> Result<usize> {
        world.reset()?;
        world.proxy.lend(Lent::default());
        let mut scene = Scene::new(case.deed, &self.cluster, world)?;
        let victim = Victim::default();
        world.proxy.lend(case.fate.lent());
        world.proxy.rule(case.fate.rule(&case.call, &victim));
        let disturbed = scene.begin(&victim)?.wait()?;
        if !befell(&world.proxy.attempts()) {
            bail!("the call was not made, or nothing happened to it: {disturbed}");
        }
        let failed = disturbed.stderr.contains(&format!("not done: {}", case.call.action));
        match case.fate {
            Fate::Throttled => ensure!(!failed, "a busy account fails a step: {disturbed}"),
            Fate::Outlasted => ensure!(failed, "no step failed: {disturbed}"),
            _ => {}
        }
        world.proxy.clear_rules();
        let mut passes = scene.converge()?;
        if case.fate == Fate::KilledUnseen {
            // A plan is also empty as long as a duplicate cannot be seen. Now it can.
            world.proxy.lend(Lent { late: None, ..Lent::default() });
            passes += scene.converge()?;
        }
        expect_implemented(world)?;
        self.compare(case.deed, &world.inventory()?)?;
        Ok(passes)
    }

    fn compare(&self, deed: Deed, found: &Inventory) -> Result<()> {
        let expected = self.done.get(&deed).context("it was never done undisturbed")?;
        let difference = expected.difference(found);
        if difference.is_empty() {
            return Ok(());
        }
        bail!("not what an undisturbed run makes:\n{}", difference.join("\n"))
    }
}

fn befell(attempts: &[Attempt]) -> bool {
    attempts.iter().any(|attempt| matches!(attempt.outcome, Some(Outcome::Faulted { .. })))
}

/// A gap must not look like a retry.
fn expect_implemented(world: &World) -> Result<()> {
    let unknown = world.proxy.unimplemented();
    let unexpected: Vec<&String> =
        unknown.iter().filter(|action| !KNOWN_GAPS.contains(&action.as_str())).collect();
    if unexpected.is_empty() {
        return Ok(());
    }
    Err(anyhow::anyhow!("{unexpected:?}")).context("the emulator does not implement calls")
}

/// What the emulator is known not to offer and the program leaves out, having
/// found so from the answer.
pub const KNOWN_GAPS: &[&str] = &["efs:PutBackupPolicy"];
