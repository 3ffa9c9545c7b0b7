//! A temporary git repository, made with the git command line.
//!
//! The first commit has a fixed author and time, so that the same files give
//! the same root commit, hence the same names and tags, in every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Git's settings, so that nobody's own play a part.
const IDENTITY: &[(&str, &str)] = &[
    ("GIT_AUTHOR_NAME", "Scenario"),
    ("GIT_AUTHOR_EMAIL", "scenario@example.edu"),
    ("GIT_AUTHOR_DATE", "2026-09-01T08:00:00Z"),
    ("GIT_COMMITTER_NAME", "Scenario"),
    ("GIT_COMMITTER_EMAIL", "scenario@example.edu"),
    ("GIT_COMMITTER_DATE", "2026-09-01T08:00:00Z"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
];

/// Calls at the emulator's pace instead of AWS's, and timeouts that a test can
/// wait for.
const SETTINGS: &str =
    "apiVersion: lyceum/v1\nkind: Repository\nspec:\n  limits: {callTimeoutSeconds: 5}\n  rates:\n";
const SERVICES: &[&str] = &[
    "autoscaling",
    "cloudwatch",
    "ec2",
    "efs",
    "events",
    "iam",
    "route53",
    "s3",
    "servicediscovery",
    "sqs",
    "ssm",
    "sts",
];

/// A repository of manifests in a temporary folder.
#[derive(Debug)]
pub struct Repo {
    folder: TempDir,
}

impl Repo {
    /// With the example clusters of these names, all of them where none is
    /// named, and the example roles.
    pub fn of_examples(names: &[&str]) -> Result<Self> {
        let repo = Self { folder: TempDir::new()? };
        let examples = crate::emulator::in_tests("..");
        copy(&examples.join("cookbooks"), &repo.path().join("cookbooks"))?;
        copy(&examples.join("clusters"), &repo.path().join("clusters"))?;
        if !names.is_empty() {
            for folder in cluster_folders(&repo.path().join("clusters"))? {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if !names.contains(&name.as_str()) {
                    fs::remove_dir_all(&folder)?;
                }
            }
        }
        repo.write("lyceum.yaml", &settings())?;
        repo.git(&["init", "--quiet", "--initial-branch=main"])?;
        repo.commit("The clusters as they start")?;
        Ok(repo)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The text of a file.
    pub fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.path().join(file)).with_context(|| format!("{file} is not there"))
    }

    /// Writes a file, with its folders.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap_or(self.path()))?;
        fs::write(path, text).with_context(|| format!("{file} cannot be written"))
    }

    /// Replaces a text that occurs exactly once in a file.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let text = self.read(file)?;
        match text.matches(from).count() {
            1 => self.write(file, &text.replace(from, to)),
            count => bail!("`{from}` occurs {count} times in {file}"),
        }
    }

    /// Removes a file or a folder.
    pub fn remove(&self, path: &str) -> Result<()> {
        let path = self.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path)?
        } else {
            fs::remove_file(path)?
        }
        Ok(())
    }

    /// Commits everything as it is; gives the revision.
    pub fn commit(&self, message: &str) -> Result<String> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message])?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_string())
    }

    /// Gives it another root commit, as another repository of the same files has.
    pub fn reroot(&self, message: &str) -> Result<String> {
        self.git(&["commit", "--quiet", "--amend", "--message", message])?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_string())
    }

    /// Runs git in it; gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new("git")
            .current_dir(self.path())
            .args(arguments)
            .envs(IDENTITY.iter().copied())
            .output()
            .context("git does not start")?;
        if !output.status.success() {
            bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn settings() -> String {
    let rate = |service: &&str| format!("    {service}: {{perSecond: 2000, burst: 2000}}\n");
    SERVICES.iter().map(rate).fold(SETTINGS.to_string(), |text, line| text + &line)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} is missing", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Every folder below that has a `cluster.yaml`.
fn cluster_folders(top: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(top)? {
        let path = entry?.path();
        if path.join("cluster.yaml").exists() {
            found.push(path);
        } else if path.is_dir() {
            found.extend(cluster_folders(&path)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_give_the_same_root_commit() {
        let heads: Vec<String> = (0..2)
            .map(|_| {
                let repo = Repo::of_examples(&["geo-101"]).unwrap();
                repo.git(&["rev-parse", "HEAD"]).unwrap()
            })
            .collect();
        assert_eq!(heads[0], heads[1]);
    }

    #[test]
    fn an_edit_is_refused_where_it_is_not_clear() {
        let repo = Repo::of_examples(&["geo-101"]).unwrap();
        repo.write("x", "a b a").unwrap();
        assert!(repo.edit("x", "a", "c").is_err());
        repo.edit("x", "b", "c").unwrap();
        assert_eq!(repo.read("x").unwrap(), "a c a");
    }
}
