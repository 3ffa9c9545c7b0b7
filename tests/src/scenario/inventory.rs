//! The account as boto3 sees it, in a form in which two runs can be compared.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::program::agent;
use crate::emulator::{in_tests, python};

/// Every object of the account, ids replaced by names.
#[derive(Clone, PartialEq)]
pub struct Inventory(Value);

impl Inventory {
    /// Reads the emulator, past any proxy.
    pub fn read(endpoint: &str, regions: &str) -> Result<Self> {
        let printed = reader("inventory.py", &["--endpoint", endpoint, "--regions", regions])?;
        Ok(Self(serde_json::from_str(&printed).context("the inventory is no JSON")?))
    }

    /// The objects of a kind, in all regions.
    pub fn objects(&self, kind: &str) -> Vec<&Value> {
        let regions = self.0.as_object().into_iter().flat_map(|regions| regions.values());
        regions.filter_map(|kinds| kinds[kind].as_array()).flatten().collect()
    }

    /// How many objects there are of all kinds.
    pub fn count(&self) -> usize {
        let regions = self.0.as_object().into_iter().flat_map(|regions| regions.values());
        regions
            .filter_map(Value::as_object)
            .flat_map(|kinds| kinds.values())
            .filter_map(Value::as_array)
            .map(Vec::len)
            .sum()
    }

    /// The lines that one has and the other has not, `-` for `self`'s.
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.lines(), other.lines());
        let missing = lacking(&ours, &theirs).into_iter().map(|line| format!("- {line}"));
        let extra = lacking(&theirs, &ours).into_iter().map(|line| format!("+ {line}"));
        missing.chain(extra).collect()
    }

    /// Everything that names a cluster, a line each, but for what a region
    /// shares: the bucket lists its objects, each of which has a line of its own.
    pub fn of_cluster(&self, cluster: &str) -> Vec<String> {
        let shared = |line: &String| line.contains("\"address\":\"@");
        self.lines().into_iter().filter(|line| line.contains(cluster) && !shared(line)).collect()
    }

    /// An object a line: `us-east-1 vpc {…}`.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (region, kinds) in self.0.as_object().into_iter().flatten() {
            for (kind, objects) in kinds.as_object().into_iter().flatten() {
                let objects = objects.as_array().into_iter().flatten();
                lines.extend(objects.map(|object| format!("{region} {kind} {object}")));
            }
        }
        lines
    }
}

impl fmt::Debug for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Holds the account against the manifests of a repository; fails with every
/// difference.
pub fn fidelity(endpoint: &str, repository: &Path) -> Result<String> {
    let repository = repository.display().to_string();
    let agent = agent()?.map(|file| file.display().to_string());
    let mut arguments = vec!["--endpoint", endpoint, "--repo", repository.as_str()];
    if let Some(agent) = &agent {
        arguments.extend(["--agent", agent.as_str()]);
    }
    reader("fidelity.py", &arguments)
}

/// What the emulator says to a list of questions, a line each.
pub fn said(endpoint: &str) -> Result<Vec<String>> {
    Ok(reader("said.py", &["--endpoint", endpoint])?.lines().map(String::from).collect())
}

/// What `ours` has more of than `theirs`; lines may repeat.
fn lacking(ours: &[String], theirs: &[String]) -> Vec<String> {
    let mut left: Vec<&String> = theirs.iter().collect();
    let mut lacking = Vec::new();
    for line in ours {
        match left.iter().position(|other| *other == line) {
            Some(at) => drop(left.swap_remove(at)),
            None => lacking.push(line.clone()),
        }
    }
    lacking
}

fn reader(script: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(python()?)
        .arg(in_tests("reader").join(script))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .context("the reader does not start")?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{script}: {stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(stdout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_duplicate_is_a_difference() {
        let one = Inventory(json!({"r": {"vpc": [{"cidr": "a"}]}}));
        let two = Inventory(json!({"r": {"vpc": [{"cidr": "a"}, {"cidr": "a"}]}}));
        assert_eq!(one.difference(&two), [r#"+ r vpc {"cidr":"a"}"#]);
        assert_eq!(two.difference(&one), [r#"- r vpc {"cidr":"a"}"#]);
        assert!(two.difference(&two).is_empty());
        assert_eq!(two.count(), 2);
    }
}
