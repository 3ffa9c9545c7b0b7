//! What was promised, and whether it is kept.

use std::fmt;

use super::Cost;
use super::terraform::{Deed, recorded};

const MIB: u64 = 1 << 20;
/// Clusters that the offline bound is about.
const OFFLINE: usize = 1_000;

/// Calls that a plan without changes may make.
pub fn calls_of_a_plan(clusters: usize) -> usize {
    45 + 8 * clusters
}

/// One promise and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    what: String,
    found: f64,
    most: f64,
    unit: &'static str,
    is_judged: bool,
}

impl Verdict {
    /// It was not more than promised, or is only said.
    pub fn is_kept(&self) -> bool {
        !self.is_judged || self.found <= self.most
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, most, unit, .. } = self;
        let word = match (self.is_judged, self.is_kept()) {
            (false, _) => "beside",
            (true, true) => "kept  ",
            (true, false) => "MISSED",
        };
        let places = if found.fract() == 0.0 && most.fract() == 0.0 { 0 } else { 2 };
        write!(f, "{word}  {what}: {found:.places$} of at most {most:.places$} {unit}")
    }
}

/// The promises as they come to be judged.
#[derive(Debug, Default)]
pub struct Bounds(Vec<Verdict>);

impl Bounds {
    /// Of an apply from nothing: a fifth of Terraform's time.
    pub fn apply(&mut self, clusters: usize, cost: Cost) {
        self.time(Deed::Apply, (clusters, ""), cost, 5.0);
    }

    /// Of a plan without changes: calls by a formula, a fifth of Terraform's
    /// time for one cluster and a twentieth for 30, 64 MiB for 30. `how` the time was
    /// come to is said with it.
    pub fn plan(&mut self, (clusters, how): (usize, &str), cost: Cost, requests: usize) {
        let most = calls_of_a_plan(clusters);
        let what = format!("plan, {clusters} clusters, 45 + 8·N");
        self.add(what, requests as f64, most as f64, "calls");
        match clusters {
            1 => self.time(Deed::Plan, (clusters, how), cost, 5.0),
            30 => {
                self.time(Deed::Plan, (clusters, how), cost, 20.0);
                self.add(format!("plan, {clusters} clusters"), mebibytes(cost), 64.0, "MiB");
            }
            _ => {}
        }
    }

    /// Of the same plan on the emulator as it is, which is said and not judged.
    pub fn beside(&mut self, clusters: usize, cost: Cost) {
        let kept = self.0.len();
        self.time(Deed::Plan, (clusters, ", emulator as it is"), cost, 20.0);
        self.0[kept..].iter_mut().for_each(|verdict| verdict.is_judged = false);
    }

    /// Of checking a thousand manifests without AWS: 1 s of CPU, 100 MiB.
    pub fn validate(&mut self, clusters: usize, cost: Cost) {
        if clusters == OFFLINE {
            let what = format!("validate, {clusters} clusters");
            self.add(what.clone(), cost.cpu.as_secs_f64(), 1.0, "s of CPU");
            self.add(what, mebibytes(cost), 100.0, "MiB");
        }
    }

    /// Of looking through a converged worker: 150 ms of CPU, 30 MiB.
    pub fn node(&mut self, (cpu, mebibytes): (f64, f64)) {
        let what = "a converged worker looked through";
        self.add(what.into(), cpu, 0.15, "s of CPU, all programs");
        self.add(what.into(), mebibytes, 30.0, "MiB");
    }

    /// All that was judged.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.0
    }

    /// A part of what Terraform took, where that was recorded.
    fn time(&mut self, deed: Deed, (clusters, how): (usize, &str), cost: Cost, part: f64) {
        if let Some(theirs) = recorded(deed, clusters) {
            let what =
                format!("{deed:?}, {clusters} clusters, 1/{part} of Terraform's").to_lowercase();
            self.add(what + how, cost.wall.as_secs_f64(), theirs.seconds / part, "s");
        }
    }

    fn add(&mut self, what: String, found: f64, most: f64, unit: &'static str) {
        self.0.push(Verdict { what, found, most, unit, is_judged: true });
    }
}

fn mebibytes(cost: Cost) -> f64 {
    cost.peak as f64 / MIB as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn judged(seconds: f64, requests: usize) -> Vec<bool> {
        let mut bounds = Bounds::default();
        let wall = Duration::from_secs_f64(seconds);
        bounds.plan((30, ""), Cost { wall, cpu: wall, peak: 64 * MIB }, requests);
        bounds.verdicts().iter().map(Verdict::is_kept).collect()
    }

    #[test]
    fn a_bound_is_the_most_that_is_kept() {
        assert_eq!(judged(1.39, 285), [true, true, true]);
        assert_eq!(judged(1.40, 286), [false, false, true]);
    }

    #[test]
    fn whole_numbers_are_shown_as_such() {
        let mut verdict = Verdict {
            what: "plan".into(),
            found: 54.0,
            most: 53.0,
            unit: "calls",
            is_judged: true,
        };
        assert_eq!(verdict.to_string(), "MISSED  plan: 54 of at most 53 calls");
        verdict.is_judged = false;
        assert!(verdict.is_kept() && verdict.to_string().starts_with("beside"));
    }
}
