//! The files that matter, within limits, wherever they come from.

use std::collections::BTreeMap;
use std::fmt;

use lyceum_core::manifest::Snapshot;

use super::SourceError;

/// Most files of a repository that are read.
const MAX_FILES: usize = 20_000;
/// Most bytes of all files together.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Most files and folders looked at to find them.
const MAX_ENTRIES: usize = 200_000;
/// Folders within folders.
pub(super) const MAX_DEPTH: usize = 32;

/// What matters at the root. The last two are never read, only recognised as
/// misnamed.
pub(super) const ROOTS: &[&str] =
    &["clusters", "cookbooks", "lyceum.yaml", "consents.yaml", "lyceum.yml", "consents.yml"];

/// A snapshot, and what was left out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The files.
    pub snapshot: Snapshot,
    /// What lies among them and is not read, by path.
    pub ignored: Vec<Ignored>,
}

/// Something that is not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignored {
    /// Where.
    pub path: String,
    /// What it is.
    pub what: What,
}

/// Why something is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A symbolic link.
    Link,
    /// A repository within the repository.
    Submodule,
    /// A name that is not UTF-8.
    Name,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Link => "a symbolic link is not followed; put the file itself there",
            What::Submodule => "a submodule is not read; put its files there",
            What::Name => "its name is not UTF-8; it is not read",
        };
        write!(f, "{}: {what}", self.path)
    }
}

/// Files being gathered.
#[derive(Default)]
pub(super) struct Collector {
    files: BTreeMap<String, Vec<u8>>,
    ignored: Vec<Ignored>,
    bytes: usize,
    entries: usize,
}

impl Collector {
    /// Counts an entry before it is looked at.
    pub(super) fn visit(&mut self, path: &str, depth: usize) -> Result<(), SourceError> {
        self.entries += 1;
        within(path, "files and folders", self.entries, MAX_ENTRIES)?;
        within(path, "folders within each other", depth, MAX_DEPTH)
    }

    /// Takes a file of `size` bytes unless that is too much; `read` is asked
    /// for its content only then.
    pub(super) fn take(
        &mut self,
        path: String,
        size: usize,
        read: impl FnOnce() -> Result<Vec<u8>, SourceError>,
    ) -> Result<(), SourceError> {
        self.bytes = self.bytes.saturating_add(size);
        within(&path, "files", self.files.len() + 1, MAX_FILES)?;
        within(&path, "bytes", self.bytes, MAX_BYTES)?;
        self.files.insert(path, read()?);
        Ok(())
    }

    /// Leaves something out.
    pub(super) fn ignore(&mut self, path: String, what: What) {
        self.ignored.push(Ignored { path, what });
    }

    /// What was gathered.
    pub(super) fn finish(mut self, revision: &str) -> Reading {
        self.ignored.sort();
        let snapshot = Snapshot { revision: revision.into(), files: self.files };
        Reading { snapshot, ignored: self.ignored }
    }
}

fn within(path: &str, what: &'static str, count: usize, limit: usize) -> Result<(), SourceError> {
    if count > limit {
        Err(SourceError::TooMuch { path: path.into(), what, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_kept() {
        let mut collector = Collector::default();
        let error = collector.take("a".into(), MAX_BYTES + 1, || unreachable!()).unwrap_err();
        assert!(
            error.to_string().contains("a: the repository has more than 67108864 bytes"),
            "{error}"
        );
        assert!(Collector::default().visit("a", MAX_DEPTH + 1).is_err());
        let mut collector = Collector { entries: MAX_ENTRIES, ..Collector::default() };
        assert!(collector.visit("a", 1).is_err());
        let mut collector = Collector::default();
        for number in 0..MAX_FILES {
            collector.take(number.to_string(), 0, || Ok(vec![])).unwrap();
        }
        assert!(collector.take("one more".into(), 0, || Ok(vec![])).is_err());
    }
}
