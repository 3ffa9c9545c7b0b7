//! A file's content on the machine: how it differs, how it gets there. Shared
//! by all steps that write files.
//!
//! Invariants: a file is replaced as a whole or not at all; what is not shown
//! leaves no trace in differences or errors.

use std::time::Duration;

use similar::TextDiff;

use super::{Difference, LARGEST_FILE, Run, StepError};
use crate::node::host::{Access, Cause, FileKind, Host, Program};

/// Texts up to this many bytes and lines are compared line by line.
const LARGEST_DIFF_INPUT: usize = 64 * 1024;
const MOST_DIFF_LINES: usize = 1_000;
/// Longest diff that is shown, in characters.
const LARGEST_DIFF: usize = 2_000;
/// A program that looks at a new file ends within this.
const VALIDATION_TIME: Duration = Duration::from_secs(60);

/// A file as it should be.
pub(super) struct Content<'a> {
    pub(super) path: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) access: Access,
    /// Whether any of it may be shown.
    pub(super) shown: bool,
}

/// How the content of a file that is there compares.
#[derive(PartialEq, Eq)]
enum Found {
    Nothing,
    Other(Option<Vec<u8>>),
    Same,
}

/// Readable by all, root's: for what only the system reads.
pub(super) fn public() -> Access {
    Access { owner: super::root(), group: super::root(), mode: 0o644 }
}

impl<'a> Content<'a> {
    /// A text of the system's own.
    pub(super) fn system(path: &'a str, text: &'a str) -> Self {
        Self { path, bytes: text.as_bytes(), access: public(), shown: true }
    }

    pub(super) fn differences(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let mut found = Vec::new();
        match self.found(run.host)? {
            Found::Nothing => return Ok(vec![self.content_difference(None)]),
            Found::Other(before) => found.push(self.content_difference(Some(before))),
            Found::Same => {}
        }
        found.extend(access_differences(run, self.path, &self.access)?);
        Ok(found)
    }

    /// Writes it where it differs; a program must accept it first.
    pub(super) fn put(&self, run: &mut Run<'_>, validate: &[String]) -> Result<(), StepError> {
        if self.found(run.host)? == Found::Same {
            return Ok(run.host.set_access(self.path, &self.access)?);
        }
        make_parents(run.host, self.path)?;
        let staged = run.host.stage(self.path, self.bytes, &self.access)?;
        if let Err(refused) = self.validate(run, validate, &staged) {
            run.host.discard(&staged)?;
            return Err(refused);
        }
        Ok(run.host.commit(&staged, self.path)?)
    }

    fn found(&self, host: &mut dyn Host) -> Result<Found, StepError> {
        let Some(stat) = host.stat(self.path)? else { return Ok(Found::Nothing) };
        match stat.kind {
            FileKind::File => {}
            // It is replaced, not followed.
            FileKind::Symlink(_) => return Ok(Found::Other(None)),
            FileKind::Directory => return Err(in_the_way(self.path, "a directory")),
            FileKind::Other => return Err(in_the_way(self.path, "a device or socket")),
        }
        if stat.size > LARGEST_FILE as u64 {
            return Ok(Found::Other(None));
        }
        if stat.size != self.bytes.len() as u64 && (!self.shown || stat.size == 0) {
            return Ok(Found::Other(Some(Vec::new())));
        }
        let before = host.read(self.path, LARGEST_FILE)?;
        Ok(if before == self.bytes { Found::Same } else { Found::Other(Some(before)) })
    }

    /// Outer none: nothing is there. Inner none: it was not read.
    fn content_difference(&self, before: Option<Option<Vec<u8>>>) -> Difference {
        if !self.shown {
            let before = if before.is_some() { "(not shown)" } else { "" };
            return Difference::new("content", before, "(not shown)");
        }
        match before {
            None => Difference::new("content", "", summary(self.bytes)),
            Some(None) => Difference::new("content", "something else", summary(self.bytes)),
            Some(Some(before)) => {
                let after = diff(&before, self.bytes).unwrap_or_else(|| summary(self.bytes));
                Difference::new("content", summary(&before), after)
            }
        }
    }

    fn validate(
        &self,
        run: &mut Run<'_>,
        validate: &[String],
        staged: &str,
    ) -> Result<(), StepError> {
        if validate.is_empty() {
            return Ok(());
        }
        let program = Program {
            argv: validate.iter().map(|argument| argument.replace("{}", staged)).collect(),
            env: super::Texts::new(),
            cwd: "/".into(),
            timeout: VALIDATION_TIME,
        };
        let (code, output) = run.program(&program)?;
        if code == 0 {
            return Ok(());
        }
        let said = if self.shown { output } else { "what it said is not shown".into() };
        let message = format!("`{}` refuses the new {}: {said}", validate.join(" "), self.path);
        Err(StepError::new(Cause::Refused, message)
            .hint("the file that was there stays in place; change the template or its attributes"))
    }
}

/// How owner, group and mode of what stands there differ.
pub(super) fn access_differences(
    run: &mut Run<'_>,
    path: &str,
    wanted: &Access,
) -> Result<Vec<Difference>, StepError> {
    let Some(stat) = run.host.stat(path)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if matches!(stat.kind, FileKind::Symlink(_)) {
        return Ok(found);
    }
    if !run.is_user(&wanted.owner, &stat.owner)? {
        found.push(Difference::new("owner", &stat.owner, &wanted.owner));
    }
    if !run.is_group(&wanted.group, &stat.group)? {
        found.push(Difference::new("group", &stat.group, &wanted.group));
    }
    if stat.mode != wanted.mode {
        found.push(Difference::new("mode", octal(stat.mode), octal(wanted.mode)));
    }
    Ok(found)
}

/// Makes the directories around a path that are missing.
pub(super) fn make_parents(host: &mut dyn Host, path: &str) -> Result<(), StepError> {
    let mut missing = Vec::new();
    let mut at = path;
    while let Some(end) = at.rfind('/').filter(|end| *end > 0) {
        at = &at[..end];
        if host.stat(at)?.is_some() {
            break;
        }
        missing.push(at);
    }
    let access = Access { mode: 0o755, ..public() };
    for directory in missing.into_iter().rev() {
        host.make_directory(directory, &access)?;
    }
    Ok(())
}

/// Something else stands where a step's own should.
pub(super) fn in_the_way(path: &str, what: &str) -> StepError {
    StepError::new(Cause::Invalid, format!("{what} stands at {path}"))
        .hint("remove it by hand or by a step of its own: it may hold what somebody needs")
}

pub(super) fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

fn summary(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes);
    let begin: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes, sha256 {begin}", bytes.len())
}

/// A unified diff of two texts that are small enough for one.
fn diff(before: &[u8], after: &[u8]) -> Option<String> {
    if before.len().max(after.len()) > LARGEST_DIFF_INPUT {
        return None;
    }
    let (before, after) = (std::str::from_utf8(before).ok()?, std::str::from_utf8(after).ok()?);
    if before.lines().count().max(after.lines().count()) > MOST_DIFF_LINES {
        return None;
    }
    let text = TextDiff::from_lines(before, after).unified_diff().context_radius(1).to_string();
    if text.chars().count() <= LARGEST_DIFF {
        return Some(text);
    }
    let begin: String = text.chars().take(LARGEST_DIFF).collect();
    Some(format!("{begin}\n(more is not shown)"))
}
