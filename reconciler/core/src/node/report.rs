//! What a node says of itself, in `nodes/<instance-id>.json` under its
//! cluster's prefix.
//!
//! Invariant: no secret is in it, whatever failed.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::host::Cause;
use super::step::Difference;

/// The longest report that is read, in bytes.
pub const MAX_REPORT: usize = 256 * 1024;
/// Characters that are left of a text, and differences that are left of a step,
/// where a report would be longer; tried one after the other.
const CUTS: &[(usize, usize)] = &[(1_000, 20), (200, 5), (80, 2)];
/// What stands where something is left out.
const MORE: &str = "…";

/// What a node reports after every run. Fields are added, never renamed or
/// removed; readers take what they do not know as absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeReport {
    /// What it is.
    pub facts: Facts,
    /// The agent it runs.
    pub agent: AgentReport,
    /// The pointer it last took.
    pub pointer: PointerReport,
    /// What it last tried to be.
    pub attempted: Option<TargetReport>,
    /// What it last was, all of it.
    pub applied: Option<TargetReport>,
    /// Every step's outcome in the last run, in order.
    pub steps: Vec<StepReport>,
    /// Every check's result in the last run, in order.
    pub checks: Vec<CheckReport>,
    /// Steps and checks that are not listed, so that the report is not too
    /// long: those that are well go first.
    pub left_out: u64,
    /// Converged, and every check holds: may take work.
    pub ready: bool,
    /// Notebook servers running on it.
    pub sessions: u64,
    /// Seconds since 1970, UTC, when the last run began.
    pub started: i64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Seconds since 1970, UTC, when the next run is due.
    pub next: i64,
}

/// The agent of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentReport {
    /// Its version.
    pub version: String,
    /// SHA-256 of its binary, 64 hex digits.
    pub digest: String,
}

/// The pointer a node last took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PointerReport {
    /// Its sequence; 0 when none was ever taken.
    pub sequence: u64,
    /// Seconds since 1970, UTC, when the pointer was last seen to be current.
    pub seen: i64,
    /// Why the one that is there now was refused; empty when it was not.
    pub refused: String,
}

/// What a node tried to be, or was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetReport {
    /// The commit.
    pub revision: String,
    /// [`super::pointer::Target::digest`].
    pub target: String,
    /// The bundle's digest.
    pub bundle: String,
}

/// One step in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// `role/name`, with `[3]` for the fourth of a list.
    pub id: String,
    /// The kind of step.
    pub kind: String,
    /// What became of it.
    pub outcome: StepOutcome,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum StepOutcome {
    /// It was as it should be.
    Unchanged,
    /// It was changed.
    Changed {
        /// What was not as it should be.
        differences: Vec<Difference>,
    },
    /// It would be changed; only in a dry run.
    Would {
        /// What is not as it should be.
        differences: Vec<Difference>,
    },
    /// It could not be looked at or changed.
    Failed {
        /// What it means.
        cause: Cause,
        /// What went wrong.
        error: String,
        /// The way out.
        hint: String,
    },
    /// It was left alone, since what it needs is not as it should be.
    Blocked {
        /// The step it waits for.
        on: String,
    },
}

/// One check in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// `role/name`.
    pub id: String,
    /// It holds.
    pub holds: bool,
    /// What was seen where it does not hold; empty where it does.
    pub seen: String,
}

impl NodeReport {
    /// Every step is as it should be.
    pub fn converged(&self) -> bool {
        !self.steps.iter().any(|step| {
            matches!(step.outcome, StepOutcome::Failed { .. } | StepOutcome::Blocked { .. })
        })
    }

    /// The report as it is sent: whole, or with texts cut, and in the end with
    /// steps and checks left out, so that it is never too long to be read.
    pub fn to_send(&self) -> Vec<u8> {
        let mut cut = self.clone();
        let mut sent = bytes(&cut);
        for (characters, differences) in CUTS {
            if sent.len() <= MAX_REPORT {
                return sent;
            }
            cut = self.clone();
            cut.shorten(*characters, *differences);
            sent = bytes(&cut);
        }
        if sent.len() <= MAX_REPORT { sent } else { bytes(&cut.with_the_worst()) }
    }

    fn shorten(&mut self, characters: usize, differences: usize) {
        shorten(&mut self.pointer.refused, characters);
        for step in &mut self.steps {
            step.outcome.shorten(characters, differences);
        }
        for check in &mut self.checks {
            shorten(&mut check.seen, characters);
        }
    }

    /// As many steps and checks as there is room for, those that are not well
    /// first, in their order. Steps leave some room to checks.
    fn with_the_worst(self) -> Self {
        let all = self.steps.len() + self.checks.len();
        let mut bare = self.clone();
        (bare.steps, bare.checks, bare.left_out) = (Vec::new(), Vec::new(), all as u64);
        let mut room = MAX_REPORT.saturating_sub(bytes(&bare).len());
        let mut for_checks = room / 4;
        room -= for_checks;
        let mut checks: Vec<bool> =
            self.checks.iter().map(|check| !check.holds && taken(&mut for_checks, check)).collect();
        room += for_checks;
        let mut steps = vec![false; self.steps.len()];
        for weight in 0..=StepOutcome::LIGHTEST {
            for (keep, step) in steps.iter_mut().zip(&self.steps) {
                *keep |= step.outcome.weight() == weight && taken(&mut room, step);
            }
        }
        for (keep, check) in checks.iter_mut().zip(&self.checks) {
            *keep = *keep || taken(&mut room, check);
        }
        bare.steps = chosen(self.steps, &steps);
        bare.checks = chosen(self.checks, &checks);
        bare.left_out = (all - bare.steps.len() - bare.checks.len()) as u64;
        bare
    }
}

impl StepOutcome {
    const LIGHTEST: u8 = 3;

    /// What is wrong is said before what is well.
    fn weight(&self) -> u8 {
        match self {
            Self::Failed { .. } => 0,
            Self::Blocked { .. } => 1,
            Self::Changed { .. } | Self::Would { .. } => 2,
            Self::Unchanged => Self::LIGHTEST,
        }
    }

    fn shorten(&mut self, characters: usize, most: usize) {
        match self {
            Self::Changed { differences } | Self::Would { differences } => {
                let more = differences.len().saturating_sub(most);
                differences.truncate(most);
                for it in differences.iter_mut() {
                    for text in [&mut it.what, &mut it.before, &mut it.after] {
                        shorten(text, characters);
                    }
                }
                if more > 0 {
                    differences.push(Difference::new(MORE, "", format!("{more} more")));
                }
            }
            Self::Failed { error, hint, .. } => {
                shorten(error, characters);
                shorten(hint, characters);
            }
            Self::Unchanged | Self::Blocked { .. } => {}
        }
    }
}

/// The beginning and the end of a text: an error's cause often stands last.
fn shorten(text: &mut String, characters: usize) {
    let count = text.chars().count();
    if count <= characters {
        return;
    }
    let half = characters / 2;
    let begin: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(count - half).collect();
    *text = format!("{begin}{MORE}{end}");
}

/// Whether something finds room, with the comma behind it.
fn taken(room: &mut usize, value: &impl Serialize) -> bool {
    let size = bytes(value).len() + 1;
    let fits = size <= *room;
    *room -= if fits { size } else { 0 };
    fits
}

fn chosen<T>(items: Vec<T>, keep: &[bool]) -> Vec<T> {
    items.into_iter().zip(keep).filter(|(_, keep)| **keep).map(|(item, _)| item).collect()
}

/// A report is made of texts and numbers: there is nothing that JSON lacks.
fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: usize, outcome: StepOutcome) -> StepReport {
        let id = format!("a-role-with-a-name/step-{number}");
        StepReport { id, kind: "docker_service".into(), outcome, took_ms: 12 }
    }

    fn failed(text: &str) -> StepOutcome {
        StepOutcome::Failed { cause: Cause::Failed, error: text.into(), hint: text.into() }
    }

    fn sent(report: &NodeReport) -> NodeReport {
        let bytes = report.to_send();
        assert!(bytes.len() <= MAX_REPORT, "{}", bytes.len());
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_report_of_two_thousand_steps_and_long_texts_can_be_read() {
        // A little more of everything than the mildest cut lets through.
        let long = format!("begins {} \"\u{1}é\n ends", "x\n".repeat(600));
        let change = |differences: usize| StepOutcome::Changed {
            differences: vec![Difference::new("content", &long, &long); differences],
        };
        let outcomes: [&dyn Fn(usize) -> StepOutcome; 5] = [
            &|_| failed(&long),
            &|_| change(21),
            &|number| if number % 2 == 0 { failed(&long) } else { StepOutcome::Unchanged },
            &|_| StepOutcome::Blocked { on: "a-role-with-a-name/step-0".into() },
            &|number| if number == 1_999 { failed(&long) } else { StepOutcome::Unchanged },
        ];
        for outcome in outcomes {
            let steps: Vec<_> = (0..2_000).map(|number| step(number, outcome(number))).collect();
            let check = CheckReport { id: "r/c".into(), holds: false, seen: long.clone() };
            let checks = vec![check; 2_000];
            let whole = NodeReport { steps, checks, ready: false, ..NodeReport::default() };
            let read = sent(&whole);
            let listed = read.steps.len() + read.checks.len();
            assert_eq!(read.left_out as usize + listed, 4_000);
            assert_eq!(read.converged(), whole.converged(), "what is wrong is said");
            assert!(listed > 400, "{listed}");
        }
    }

    #[test]
    fn a_short_report_is_whole_and_a_long_one_keeps_what_matters() {
        let whole = NodeReport { steps: vec![step(0, failed("why"))], ..NodeReport::default() };
        assert_eq!(sent(&whole), whole);
        // A few long texts: both ends of them stay, and every step.
        let long = format!("begins {} ends", "x".repeat(400_000));
        let steps = vec![step(0, failed(&long)), step(1, StepOutcome::Unchanged)];
        let read = sent(&NodeReport { steps, ..NodeReport::default() });
        assert_eq!((read.steps.len(), read.left_out), (2, 0));
        let StepOutcome::Failed { error, .. } = &read.steps[0].outcome else { panic!("{read:?}") };
        assert!(error.starts_with("begins ") && error.ends_with(" ends"), "{}", error.len());
        // The steps that are well go before the one that is not.
        let well = (0..5_000).map(|number| step(number, StepOutcome::Unchanged));
        let steps: Vec<_> = well.chain([step(5_000, failed("why"))]).collect();
        let read = sent(&NodeReport { steps, ..NodeReport::default() });
        assert_eq!(read.steps.last().unwrap().outcome, failed("why"));
        assert!(read.left_out > 0 && read.steps.len() > 500);
        assert_eq!(read.steps.len() as u64 + read.left_out, 5_001);
        let numbers: Vec<&str> = read.steps.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(numbers[0], "a-role-with-a-name/step-0", "in their order");
    }
}
