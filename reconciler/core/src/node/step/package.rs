//! Packages of the distribution, through apt or dnf.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::Content;
use super::{Difference, Run, Step, StepError};
use crate::node::host::Cause;

/// Packages that are installed, or are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Package {
    /// Packages to have, each `name` or `name=version`. A pinned version is
    /// brought back when another is installed; one that is not pinned is left
    /// to the system's own updates.
    #[schemars(length(max = 100))]
    pub install: Vec<String>,
    /// Packages not to have.
    #[schemars(length(max = 100))]
    pub remove: Vec<String>,
    /// A repository they come from, besides the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<PackageRepository>,
}

/// A repository of packages, with the key that signs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackageRepository {
    /// What its files on the node are called.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,40}$|\{\{"))]
    pub name: String,
    /// Its address.
    pub uri: String,
    /// apt: the suite; a path ending in `/` for a flat repository.
    #[serde(default)]
    pub suite: String,
    /// apt: the components.
    #[serde(default)]
    pub components: Vec<String>,
    /// The signing key: a file of the role's `files/`, ASCII-armoured.
    pub key: String,
    /// The key itself; filled in when the step is planned.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub key_text: String,
}

impl Step for Package {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let mut found = Vec::new();
        for (path, text) in self.repository_files(run)? {
            let differs = Content::system(&path, &text).differences(run)?;
            found.extend(differs.into_iter().map(|it| Difference { what: path.clone(), ..it }));
        }
        let installed = run.installed(&self.names())?;
        for (name, version) in self.wanted() {
            match (installed.get(name), version) {
                (None, version) => {
                    found.push(Difference::new(name, "", version.unwrap_or("installed")));
                }
                (Some(found_version), Some(version)) if !is_version(found_version, version) => {
                    found.push(Difference::new(name, found_version, version));
                }
                _ => {}
            }
        }
        let extra = self.remove.iter().filter_map(|name| Some((name, installed.get(name)?)));
        found.extend(extra.map(|(name, version)| Difference::new(name, version, "absent")));
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let mut refresh = false;
        for (path, text) in self.repository_files(run)? {
            let file = Content::system(&path, &text);
            if !file.differences(run)?.is_empty() {
                file.put(run, &[])?;
                refresh = true;
            }
        }
        let installed = run.installed(&self.names())?;
        let missing = self.missing(&installed);
        if !missing.is_empty() {
            install(run, &missing, refresh)?;
        }
        let extra: Vec<String> =
            self.remove.iter().filter(|name| installed.contains_key(*name)).cloned().collect();
        if !extra.is_empty() {
            run.host.uninstall(&extra)?;
        }
        Ok(())
    }

    fn owns(&self) -> Vec<String> {
        let Some(repository) = &self.repository else { return Vec::new() };
        let name = &repository.name;
        vec![apt_list(name), apt_key(name), yum_list(name), yum_key(name)]
    }
}

/// What is said of a package that may have any version.
pub(in crate::node) const ANY_VERSION: &str = "in any version";
/// What is said of a package that is not to be there.
pub(in crate::node) const ABSENT: &str = "absent";

impl Package {
    /// Each package with the version it should have.
    pub(in crate::node) fn wishes(&self) -> impl Iterator<Item = (&str, &str)> {
        let wanted = self.wanted().map(|(name, version)| (name, version.unwrap_or(ANY_VERSION)));
        wanted.chain(self.remove.iter().map(|name| (name.as_str(), ABSENT)))
    }

    /// Every package it asks for or refuses, without versions.
    pub(in crate::node) fn names(&self) -> Vec<String> {
        let wanted = self.wanted().map(|(name, _)| name.to_string());
        wanted.chain(self.remove.iter().cloned()).collect()
    }

    fn wanted(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.install.iter().map(|text| match text.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (text.as_str(), None),
        })
    }

    /// As they were asked for.
    fn missing(&self, installed: &Versions) -> Vec<String> {
        let lacks = |(name, version): (&str, Option<&str>)| match installed.get(name) {
            None => true,
            Some(found) => version.is_some_and(|version| !is_version(found, version)),
        };
        let each = self.install.iter().zip(self.wanted());
        each.filter(|(_, wanted)| lacks(*wanted)).map(|(text, _)| text.clone()).collect()
    }

    /// The files on the node that make a repository known, the key first.
    fn repository_files(&self, run: &Run<'_>) -> Result<Vec<(String, String)>, StepError> {
        let Some(repository) = &self.repository else { return Ok(Vec::new()) };
        if repository.key_text.trim().is_empty() {
            let message = format!("the repository {} comes without its key", repository.name);
            return Err(StepError::new(Cause::Invalid, message));
        }
        let (name, key) = (&repository.name, repository.key_text.clone());
        if run.facts.os.starts_with("amazon-linux") {
            return Ok(vec![(yum_key(name), key), (yum_list(name), repository.yum())]);
        }
        Ok(vec![(apt_key(name), key), (apt_list(name), repository.apt())])
    }
}

impl PackageRepository {
    fn apt(&self) -> String {
        let mut text = format!(
            "# Written by Lyceum.\nTypes: deb\nURIs: {}\nSuites: {}\n",
            self.uri,
            if self.suite.is_empty() { "./" } else { &self.suite },
        );
        if !self.components.is_empty() {
            text.push_str(&format!("Components: {}\n", self.components.join(" ")));
        }
        text.push_str(&format!("Signed-By: {}\n", apt_key(&self.name)));
        text
    }

    fn yum(&self) -> String {
        format!(
            "# Written by Lyceum.\n[{name}]\nname={name}\nbaseurl={uri}\nenabled=1\ngpgcheck=1\n\
             gpgkey=file://{key}\n",
            name = self.name,
            uri = self.uri,
            key = yum_key(&self.name),
        )
    }
}

/// Name to version.
type Versions = std::collections::BTreeMap<String, String>;

/// A package that no repository has may only be too new for the index.
fn install(run: &mut Run<'_>, packages: &[String], refresh: bool) -> Result<(), StepError> {
    match run.host.install(packages, refresh) {
        Err(error) if error.cause == Cause::NotFound && !refresh => {
            Ok(run.host.install(packages, true)?)
        }
        other => Ok(other?),
    }
}

/// `1.2*` is every version that begins so.
fn is_version(found: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(begin) => found.starts_with(begin),
        None => found == wanted,
    }
}

fn apt_list(name: &str) -> String {
    format!("/etc/apt/sources.list.d/{name}.sources")
}
fn apt_key(name: &str) -> String {
    format!("/etc/apt/keyrings/{name}.asc")
}
fn yum_list(name: &str) -> String {
    format!("/etc/yum.repos.d/{name}.repo")
}
fn yum_key(name: &str) -> String {
    format!("/etc/pki/rpm-gpg/{name}.asc")
}
