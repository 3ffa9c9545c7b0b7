//! Packages, by whichever of apt and dnf the system has.
//!
//! Invariants: nothing is ever asked of a person; the system's lock is waited
//! for, within bounds; what a killed run left half done is finished first.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lyceum_core::node::host::{self, Answer, Cause, Ended, HostError};

use super::Machine;
use super::programs::{self, Asked};

/// Most of a list of packages that is read: ten times a large node's.
const LIST: usize = 4 * 1024 * 1024;
const LIST_TIME: Duration = Duration::from_secs(60);
const INDEX_TIME: Duration = Duration::from_secs(300);
const INSTALL_TIME: Duration = Duration::from_secs(1200);
/// Waiting for whoever else installs something.
const LOCK_SECONDS: &str = "180";
/// An index older than this is refreshed before anything is installed.
const INDEX_AGE: Duration = Duration::from_secs(24 * 3600);

const DPKG_STATUS: &str = "/var/lib/dpkg/status";
const APT_INDEX: &str = "/var/lib/apt/lists";
const APT: &[&str] = &[
    "apt-get",
    "-q",
    "-y",
    "-o",
    "Acquire::Retries=2",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "Dpkg::Use-Pty=0",
];
const RPM_LISTS: &[&str] = &["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"];

/// What is installed, as last read.
#[derive(Default)]
pub struct Catalogue {
    seen: Option<(SystemTime, u64)>,
    /// Name to version, what they provide among the names.
    installed: BTreeMap<String, String>,
}

/// Who installs packages here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Installer {
    Apt,
    Dnf,
}

impl Installer {
    fn here() -> Answer<Self> {
        if Path::new("/usr/bin/apt-get").exists() {
            return Ok(Self::Apt);
        }
        if Path::new("/usr/bin/dnf").exists() {
            return Ok(Self::Dnf);
        }
        let message = "this system has neither apt nor dnf";
        Err(HostError::new(Cause::NotFound, "look at packages", message))
    }
}

impl host::Packages for Machine {
    fn installed(&mut self, names: &[String]) -> Answer<BTreeMap<String, String>> {
        let installer = Installer::here()?;
        self.read_packages(installer)?;
        let all = &self.catalogue.installed;
        let found = names.iter().filter_map(|name| Some((name.clone(), all.get(name)?.clone())));
        Ok(found.collect())
    }

    fn install(&mut self, packages: &[String], refresh: bool) -> Answer<()> {
        match Installer::here()? {
            Installer::Apt => self.apt_install(packages, refresh),
            Installer::Dnf => self.dnf_install(packages, refresh),
        }
    }

    fn uninstall(&mut self, names: &[String]) -> Answer<()> {
        let operation = format!("remove {}", names.join(", "));
        let ended = match Installer::here()? {
            Installer::Apt => self.apt(&["remove"], names, INSTALL_TIME)?,
            Installer::Dnf => {
                self.installer(&["dnf", "-y", "-q", "remove"], names, INSTALL_TIME)?
            }
        };
        finished(operation, &ended)
    }
}

impl Machine {
    fn read_packages(&mut self, installer: Installer) -> Answer<()> {
        let lists = if installer == Installer::Apt { &[DPKG_STATUS] } else { RPM_LISTS };
        let about = lists.iter().find_map(|path| std::fs::metadata(path).ok());
        let seen = about.and_then(|about| Some((about.modified().ok()?, about.len())));
        if seen.is_some() && seen == self.catalogue.seen {
            return Ok(());
        }
        let mut asked = match installer {
            Installer::Apt => Asked::words(
                &[
                    "dpkg-query",
                    "-W",
                    "-f",
                    "${db:Status-Status}\t${Package}\t${Version}\t${Provides}\n",
                ],
                LIST_TIME,
            ),
            Installer::Dnf => Asked::words(
                &["rpm", "-qa", "--qf", "installed\t%{NAME}\t%{EVR}\t[%{PROVIDENAME}, ]\n"],
                LIST_TIME,
            ),
        };
        asked.kept = LIST;
        let ended = self.runtime.block_on(programs::run(&asked))?;
        if ended.code != 0 {
            let message = ended.output.trim();
            return Err(HostError::new(Cause::Failed, "list packages", message));
        }
        self.catalogue = Catalogue { seen, installed: installed(&ended.output) };
        Ok(())
    }

    fn apt_install(&mut self, packages: &[String], refresh: bool) -> Answer<()> {
        // A failure here counts only if the packages cannot be had without.
        let mut index = Ok(());
        let fresh = refresh || index_is_old();
        if fresh {
            index = self.apt_refresh();
        }
        let operation = format!("install {}", packages.join(", "));
        let install = |machine: &mut Self| {
            let ended = machine.apt(
                &["install", "--no-install-recommends", "--allow-downgrades"],
                packages,
                INSTALL_TIME,
            )?;
            finished(operation.clone(), &ended)
        };
        let mut result = install(self);
        let old = matches!(&result, Err(error)
            if matches!(error.cause, Cause::NotFound | Cause::Unreachable));
        if old && !fresh {
            index = self.apt_refresh();
            if index.is_ok() {
                result = install(self);
            }
        }
        match (result, index) {
            // Without an index nothing is known, and that is the reason.
            (Err(error), Err(why)) if error.cause == Cause::NotFound => Err(HostError {
                cause: why.cause,
                operation: error.operation,
                message: format!("{}; {why}", error.message),
            }),
            (result, _) => result,
        }
    }

    fn apt_refresh(&mut self) -> Answer<()> {
        let ended = self.apt(&["-o", "APT::Update::Error-Mode=any", "update"], &[], INDEX_TIME)?;
        finished("refresh the index of packages".into(), &ended)
    }

    /// What a killed run left half installed is finished first, once.
    fn apt(&mut self, words: &[&str], packages: &[String], time: Duration) -> Answer<Ended> {
        let lock = format!("DPkg::Lock::Timeout={LOCK_SECONDS}");
        let mut argv = APT.to_vec();
        argv.extend(["-o", &lock]);
        argv.extend(words);
        let ended = self.installer(&argv, packages, time)?;
        if ended.code == 0 || !ended.output.contains("dpkg --configure -a") {
            return Ok(ended);
        }
        let repair = ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"];
        let repaired = self.installer(&repair, &[], INSTALL_TIME)?;
        finished("finish what an interrupted installation left".into(), &repaired)?;
        self.installer(&argv, packages, time)
    }

    fn dnf_install(&mut self, packages: &[String], refresh: bool) -> Answer<()> {
        let mut argv = vec!["dnf", "-y", "-q", "--setopt=install_weak_deps=False"];
        if refresh {
            argv.push("--refresh");
        }
        argv.push("install");
        // dnf writes a version behind a dash, and keeps its own index fresh.
        let named: Vec<String> = packages.iter().map(|name| name.replacen('=', "-", 1)).collect();
        let ended = self.installer(&argv, &named, INSTALL_TIME)?;
        finished(format!("install {}", packages.join(", ")), &ended)
    }

    fn installer(&mut self, words: &[&str], more: &[String], time: Duration) -> Answer<Ended> {
        let mut asked = Asked::words(words, time);
        asked.argv.extend(more.iter().cloned());
        for (name, value) in QUIET {
            asked.env.insert((*name).into(), (*value).into());
        }
        self.runtime.block_on(programs::run(&asked))
    }
}

/// Nothing asks, nothing restarts what the role has not said.
const QUIET: &[(&str, &str)] = &[
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("APT_LISTCHANGES_FRONTEND", "none"),
    ("NEEDRESTART_SUSPEND", "1"),
];

/// Lines of status, name, version and what it provides.
fn installed(list: &str) -> BTreeMap<String, String> {
    let mut provided = BTreeMap::new();
    let mut installed = BTreeMap::new();
    for line in list.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [status, name, version, provides] = fields.as_slice() else { continue };
        if *status != "installed" {
            continue;
        }
        installed.insert((*name).to_string(), (*version).to_string());
        // `mail-transport-agent, default-mta (= 1.2)`
        for one in provides.split(',').filter_map(|one| one.split_whitespace().next()) {
            provided.insert(one.to_string(), (*version).to_string());
        }
    }
    provided.append(&mut installed);
    provided
}

fn index_is_old() -> bool {
    let partial = Path::new(APT_INDEX).join("partial");
    let newest = [Path::new(APT_INDEX), &partial]
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok()?.modified().ok())
        .max();
    let empty = std::fs::read_dir(APT_INDEX).map_or(true, |entries| {
        entries
            .flatten()
            .all(|entry| ["lock", "partial", "auxfiles"].iter().any(|it| entry.file_name() == *it))
    });
    let age = newest.and_then(|when| SystemTime::now().duration_since(when).ok());
    empty || age.is_none_or(|age| age > INDEX_AGE)
}

fn finished(operation: String, ended: &Ended) -> Answer<()> {
    if ended.code == 0 {
        return Ok(());
    }
    let text = &ended.output;
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let cause = if has(&["No space left on device", "enough free space", "Disk Requirements"]) {
        Cause::Full
    } else if has(&["Could not get lock", "Unable to acquire the dpkg", "is locked by another"]) {
        Cause::Busy
    } else if has(UNKNOWN) {
        Cause::NotFound
    } else if has(&[
        "Unable to fetch",
        "Failed to fetch",
        "Could not resolve",
        "Could not connect",
        "Cannot download",
        "Failed to download",
    ]) {
        Cause::Unreachable
    } else if has(&["not signed", "NO_PUBKEY", "GPG check FAILED"]) {
        Cause::Refused
    } else {
        Cause::Failed
    };
    Err(HostError::new(cause, operation, telling(text)))
}

const UNKNOWN: &[&str] = &[
    "Unable to locate package",
    "has no installation candidate",
    "was not found",
    "Unable to find a match",
    "No match for argument",
    "Couldn't find any package",
];

/// The lines that say what went wrong; the last ones where none is marked.
fn telling(text: &str) -> String {
    let marked = |line: &&str| {
        ["E: ", "Error:", "dpkg: error", "No match"].iter().any(|mark| line.starts_with(mark))
    };
    let mut lines: Vec<&str> = text.lines().filter(marked).collect();
    if lines.is_empty() {
        lines = text.trim().lines().rev().take(3).collect();
        lines.reverse();
    }
    lines.truncate(5);
    lines.iter().map(|line| line.trim_start_matches("E: ").trim()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_provides_a_name_counts_as_installed() {
        let list = "installed\texim4\t4.96\tmail-transport-agent, default-mta (= 4.96)\n\
            config-files\tnginx\t1.22\t\n\
            installed\tmawk\t1.3\tawk\n";
        let found = installed(list);
        assert_eq!(found.get("mail-transport-agent").map(String::as_str), Some("4.96"));
        assert_eq!(found.get("default-mta").map(String::as_str), Some("4.96"));
        assert_eq!(found.get("awk").map(String::as_str), Some("1.3"));
        assert_eq!(found.get("nginx"), None);
    }

    #[test]
    fn what_the_installers_say_has_a_meaning() {
        let cause = |output: &str| {
            let ended = Ended { code: 100, output: output.into() };
            finished("install x".into(), &ended).unwrap_err()
        };
        let missing = cause("Reading package lists...\nE: Unable to locate package no-such\n");
        assert_eq!(missing.cause, Cause::NotFound);
        assert_eq!(missing.message, "Unable to locate package no-such");
        assert_eq!(cause("E: Version '9' for 'tree' was not found\n").cause, Cause::NotFound);
        assert_eq!(cause("E: You don't have enough free space in /var\n").cause, Cause::Full);
        assert_eq!(
            cause("E: Could not get lock /var/lib/dpkg/lock-frontend.\n").cause,
            Cause::Busy
        );
        assert_eq!(cause("E: Failed to fetch http://x  404\n").cause, Cause::Unreachable);
        assert_eq!(cause("Error: Unable to find a match: no-such\n").cause, Cause::NotFound);
    }
}
