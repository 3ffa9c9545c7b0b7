//! Dying anywhere: for every mutating call of a run, in turn, one thing goes
//! wrong with it; then plain passes follow, and the account must be what an
//! undisturbed run makes of it.
//!
//! A call is known by its action and its place among the calls of that action,
//! since the order of different actions varies from run to run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::proxy::{Attempt, Fault, Hook, Late, Lent, Outcome, Rule};
use crate::scenario::{Inventory, Lyceum, Repo, Victim, World};

/// Passes that may be needed until a plan is empty.
const PASSES: usize = 6;
/// Longer than the program waits for an answer (`callTimeoutSeconds`).
const SILENCE: Duration = Duration::from_secs(8);
/// Once more than the program tries by itself, so that the step fails.
const THROTTLES: u64 = 7;

/// What is being done when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// An apply from nothing.
    Apply,
    /// A destroy of what an apply has made.
    Destroy,
}

/// What happens to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The process is killed before the call is carried out.
    KilledBefore,
    /// The process is killed after it was carried out, before its answer.
    KilledAfter,
    /// The same, and what was made cannot be seen for some reads.
    KilledUnseen,
    /// Refused as too frequent, several times.
    Throttled,
    /// Answered with 500, not carried out.
    Failed,
    /// Carried out, and never answered.
    TimedOut,
}

impl Fate {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 6] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::KilledUnseen,
        Self::Throttled,
        Self::Failed,
        Self::TimedOut,
    ];

    /// A column's head.
    pub fn name(self) -> &'static str {
        match self {
            Self::KilledBefore => "killed before",
            Self::KilledAfter => "killed after",
            Self::KilledUnseen => "… and unseen",
            Self::Throttled => "throttled",
            Self::Failed => "500",
            Self::TimedOut => "timed out after",
        }
    }

    fn rule(self, call: &Place, victim: &Victim) -> Rule {
        let victim = victim.clone();
        let kill = Hook::new(move |_| victim.kill());
        let rule = |fault| Rule::new(&call.action, fault);
        match self {
            Self::KilledBefore => rule(Fault::Before(kill)).nth(call.nth),
            Self::KilledAfter | Self::KilledUnseen => rule(Fault::After(kill)).nth(call.nth),
            Self::Throttled => rule(Fault::Throttle).from_nth(call.nth, THROTTLES),
            Self::Failed => rule(Fault::Failed(500)).nth(call.nth),
            Self::TimedOut => rule(Fault::TimeoutAfter(SILENCE)).nth(call.nth),
        }
    }

    fn lent(self) -> Lent {
        match self {
            Self::KilledUnseen => {
                let late = Late { reads: 3, lasting: Duration::ZERO };
                Lent { late: Some(late), ..Lent::default() }
            }
            _ => Lent::default(),
        }
    }
}

/// A call: the nth of its action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// `ec2:CreateVpc`.
    pub action: String,
    /// From 1.
    pub nth: u64,
}

/// One thing that goes wrong once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// While doing what.
    pub deed: Deed,
    /// At which call.
    pub call: Place,
    /// What.
    pub fate: Fate,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deed, call, fate } = self;
        write!(f, "{deed:?}, {} #{}, {}", call.action, call.nth, fate.name())
    }
}

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
    repo: Repo,
    cluster: String,
    applied: Inventory,
    /// `None` where destroying is not among the deeds.
    destroyed: Option<Inventory>,
    cases: Vec<Case>,
}

impl Suite {
    /// Applies a cluster of the examples undisturbed, destroys it where that is
    /// among the deeds, and makes a case of every mutating call and every fate.
    pub fn new(cluster: &str, deeds: &[Deed]) -> Result<Self> {
        let repo = Repo::of_examples(&[cluster])?;
        let world = World::new()?;
        let program = Lyceum::new(&world.endpoint(), repo.path())?;
        program.apply()?;
        let mut cases = cases(Deed::Apply, &world.proxy.attempts());
        if !program.settled()? {
            bail!("the plan after an undisturbed apply is not empty: {:#}", program.plan()?);
        }
        let (applied, mut destroyed) = (world.inventory()?, None);
        if deeds.contains(&Deed::Destroy) {
            world.proxy.forget_attempts();
            program.run(&destroy(cluster))?.succeeded()?;
            cases.extend(self::cases(Deed::Destroy, &world.proxy.attempts()));
            destroyed = Some(world.inventory()?);
        }
        cases.retain(|case| deeds.contains(&case.deed));
        expect_implemented(&world)?;
        Ok(Self { repo, cluster: cluster.into(), applied, destroyed, cases })
    }

    /// Every case.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// About `count` of them, spread evenly over the calls, one fate after the
    /// other.
    pub fn sample(&self, count: usize) -> Vec<Case> {
        let (all, fates) = (self.cases.len(), Fate::ALL.len());
        if count * fates >= all {
            return self.cases.iter().step_by((all / count.max(1)).max(1)).cloned().collect();
        }
        // Cases stand in rows, a call each; a row has every fate once.
        let place = |number: usize| number * (all / fates) / count * fates + number % fates;
        (0..count).filter_map(|number| self.cases.get(place(number)).cloned()).collect()
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
        let program = Lyceum::new(&world.endpoint(), self.repo.path())?;
        if case.deed == Deed::Destroy {
            program.apply()?;
            world.proxy.forget_attempts();
        }
        let victim = Victim::default();
        world.proxy.lend(case.fate.lent());
        world.proxy.rule(case.fate.rule(&case.call, &victim));
        let disturbed = program.start_as(&self.command(case.deed), &victim)?.wait()?;
        if !befell(&world.proxy.attempts()) {
            bail!("the call was not made, or nothing happened to it: {disturbed}");
        }
        world.proxy.clear_rules();
        let mut passes = self.converge(&program, case.deed)?;
        if case.fate == Fate::KilledUnseen {
            // A plan is also empty as long as a duplicate cannot be seen. Now it can.
            world.proxy.lend(Lent { late: None, ..Lent::default() });
            passes += self.converge(&program, case.deed)?;
        }
        expect_implemented(world)?;
        self.compare(case.deed, &world.inventory()?)?;
        Ok(passes)
    }

    fn command(&self, deed: Deed) -> Vec<&str> {
        match deed {
            Deed::Apply => vec!["apply", "--yes"],
            Deed::Destroy => destroy(&self.cluster).to_vec(),
        }
    }

    /// Plain passes until there is nothing left to do.
    fn converge(&self, program: &Lyceum, deed: Deed) -> Result<usize> {
        let mut told = String::new();
        for pass in 1..=PASSES {
            let ended = program.run(&self.command(deed))?;
            let done = ended.code == Some(0)
                && match deed {
                    Deed::Apply => program.settled()?,
                    Deed::Destroy => true,
                };
            if done {
                return Ok(pass);
            }
            told = ended.to_string();
        }
        bail!("still not done after {PASSES} passes: {told}")
    }

    fn compare(&self, deed: Deed, found: &Inventory) -> Result<()> {
        let expected = match deed {
            Deed::Apply => &self.applied,
            Deed::Destroy => self.destroyed.as_ref().context("nothing was destroyed to compare")?,
        };
        let difference = expected.difference(found);
        if difference.is_empty() {
            return Ok(());
        }
        bail!("not what an undisturbed run makes:\n{}", difference.join("\n"))
    }
}

/// Fate to how many converged, and of how many.
type Row = BTreeMap<Fate, (usize, usize)>;

/// The table: an action a line, a fate a column, how many of how many passed.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut rows: BTreeMap<(Deed, &str), Row> = BTreeMap::new();
    for Verdict { case, passes } in verdicts {
        let row = rows.entry((case.deed, &case.call.action)).or_default();
        let cell = row.entry(case.fate).or_default();
        cell.0 += usize::from(passes.is_ok());
        cell.1 += 1;
    }
    let mut text = line("", "", &Fate::ALL.map(|fate| fate.name().to_string()));
    for ((deed, action), row) in &rows {
        let cells = Fate::ALL.map(|fate| {
            row.get(&fate).map_or("-".into(), |(passed, all)| format!("{passed}/{all}"))
        });
        text.push_str(&line(&format!("{deed:?}"), action, &cells));
    }
    let passed = verdicts.iter().filter(|verdict| verdict.passes.is_ok()).count();
    let most = verdicts.iter().filter_map(|one| one.passes.as_ref().ok()).max().unwrap_or(&0);
    text + &format!("{passed} of {} converged, in at most {most} passes\n", verdicts.len())
}

fn line(deed: &str, action: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>17}")).collect();
    format!("{deed:<8}{action:<48}{cells}\n")
}

fn destroy(cluster: &str) -> [&str; 5] {
    ["destroy", "--cluster", cluster, "--yes", "--force"]
}

/// A case for each mutating call of a run and each fate.
fn cases(deed: Deed, attempts: &[Attempt]) -> Vec<Case> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut cases = Vec::new();
    for attempt in attempts.iter().filter(|attempt| attempt.mutating) {
        let nth = counts.entry(&attempt.action).or_default();
        *nth += 1;
        let call = Place { action: attempt.action.clone(), nth: *nth };
        cases.extend(Fate::ALL.map(|fate| Case { deed, call: call.clone(), fate }));
    }
    cases
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_counts_what_converged() {
        let case = |nth, fate| Case {
            deed: Deed::Apply,
            call: Place { action: "ec2:CreateVpc".into(), nth },
            fate,
        };
        let verdicts = [
            Verdict { case: case(1, Fate::Failed), passes: Ok(2) },
            Verdict { case: case(2, Fate::Failed), passes: Err(anyhow::anyhow!("no")) },
        ];
        let table = table(&verdicts);
        assert!(table.contains("ec2:CreateVpc") && table.contains("1/2"), "{table}");
        assert!(table.contains("1 of 2 converged, in at most 2 passes"), "{table}");
    }
}
