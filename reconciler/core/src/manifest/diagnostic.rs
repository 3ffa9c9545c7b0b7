//! What is wrong with the files of a commit, in words a person can act on.
//!
//! A diagnostic always names a place inside the file it is about, and a rule
//! whose id never changes its meaning. The text form is what `lyceum validate`
//! prints; editors and annotations read the same first line.

use std::fmt;

use serde::Serialize;

/// Whether a commit with this in it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The commit is refused.
    Error,
    /// Worth a look; the commit is used.
    Warning,
}

/// One finding at one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Diagnostic {
    /// The file, relative to the repository's root, with forward slashes.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The rule's stable id; all of them are in `schemas/README.md`.
    pub rule: &'static str,
    /// It may follow from nothing but another mistake that is reported already;
    /// such a finding is not kept.
    #[serde(skip)]
    pub(super) doubtful: bool,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) mark: Mark,
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Mark {
    /// The beginning of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

impl Diagnostic {
    /// An error.
    pub(crate) fn error(place: &Place, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            path: place.path.clone(),
            line: place.mark.line as usize,
            column: place.mark.column as usize,
            severity: Severity::Error,
            message: on_one_line(&message.into()),
            expected: None,
            hint: None,
            rule,
            doubtful: false,
        }
    }

    /// A warning.
    pub(crate) fn warning(place: &Place, rule: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, rule, message) }
    }

    /// Not to be kept where what it is about may have been meant otherwise.
    pub(super) fn unless(mut self, doubtful: bool) -> Self {
        self.doubtful |= doubtful;
        self
    }

    /// With what would be right.
    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// With what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Self { path, line, column, message, rule, .. } = self;
        write!(f, "{path}:{line}:{column}: {severity}: {message} [{rule}]")?;
        if let Some(expected) = &self.expected {
            write!(f, "\n    expected: {expected}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n    hint: {hint}")?;
        }
        Ok(())
    }
}

/// A message quotes what a file says: it must neither flood nor steer a terminal.
fn on_one_line(message: &str) -> String {
    const LONGEST: usize = 400;
    let mut line = String::with_capacity(message.len().min(LONGEST));
    for letter in message.chars() {
        if line.len() >= LONGEST {
            line.push('…');
            break;
        }
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

/// By file, line, column and rule, each finding once. A wrong value in defaults
/// is found again in every cluster that takes it; it is still one mistake.
pub(crate) fn in_order(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by(|one, other| {
        let key = |d: &Diagnostic| (d.line, d.column, d.rule, d.severity);
        (one.path.cmp(&other.path))
            .then_with(|| key(one).cmp(&key(other)))
            .then_with(|| one.message.cmp(&other.message))
    });
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_reads_like_a_compilers() {
        let place =
            Place { path: "clusters/a/cluster.yaml".into(), mark: Mark { line: 12, column: 5 } };
        let found = Diagnostic::error(&place, "enum", "`os` is `x`").expected("y").hint("z");
        let expected =
            "clusters/a/cluster.yaml:12:5: error: `os` is `x` [enum]\n    expected: y\n    hint: z";
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn messages_stay_on_one_line_whatever_they_quote() {
        let place = Place { path: "lyceum.yaml".into(), mark: Mark::START };
        let found =
            Diagnostic::error(&place, "cidr", format!("\u{1b}[31m\n{}", "é".repeat(10_000)));
        assert!(found.message.len() < 500 && !found.message.chars().any(char::is_control));
    }

    #[test]
    fn order_is_by_place_and_doubles_are_one() {
        let at = |line: u32, rule: &'static str| {
            let mark = Mark { line, column: 1 };
            Diagnostic::warning(&Place { path: "a".into(), mark }, rule, "m")
        };
        let sorted = in_order(vec![at(10, "b"), at(2, "b"), at(2, "a"), at(10, "b")]);
        let seen: Vec<(usize, &str)> =
            sorted.iter().map(|found| (found.line, found.rule)).collect();
        assert_eq!(seen, [(2, "a"), (2, "b"), (10, "b")]);
    }
}
