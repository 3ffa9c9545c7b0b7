//! Packages and the repositories they come from.

use std::collections::BTreeMap;

use lyceum_core::node::host::{Answer, Cause, Packages};

use super::{FakeFile, FakeHost, FakeUnit, Machine, error};

/// A package in a repository.
#[derive(Clone, Debug, Default)]
pub struct FakePackage {
    /// The newest last.
    pub versions: Vec<String>,
    /// Units it brings, running and enabled as Debian has it.
    pub units: Vec<String>,
    /// Files it brings.
    pub files: Vec<String>,
    /// Users, each with a group of its name.
    pub users: Vec<String>,
    /// The file that makes its repository known; the system's without one.
    pub behind: Option<String>,
}

impl FakePackage {
    /// One that brings these units.
    pub fn with_units(version: &str, units: &[&str]) -> Self {
        let units = units.iter().map(ToString::to_string).collect();
        Self { versions: vec![version.into()], units, ..Self::default() }
    }
}

impl Machine {
    fn install_one(&mut self, name: &str, version: Option<&str>) -> Result<(), String> {
        let missing = || format!("Unable to locate package {name}");
        let package = self.available.get(name).cloned().ok_or_else(missing)?;
        let known = package.behind.as_ref().is_none_or(|path| self.at(path).is_some());
        if !known || self.index_is_old {
            return Err(missing());
        }
        let matches = |it: &&String| match version {
            Some(version) => match version.strip_suffix('*') {
                Some(begin) => it.starts_with(begin),
                None => *it == version,
            },
            None => true,
        };
        let Some(version) = package.versions.iter().rev().find(matches) else {
            return Err(format!("Version {} for {name} was not found", version.unwrap_or("")));
        };
        self.installed.insert(name.into(), version.clone());
        for unit in &package.units {
            let unit = self.units.entry(unit.clone()).or_insert_with(FakeUnit::shipped);
            unit.shipped = true;
        }
        for file in &package.files {
            self.put(file, FakeFile::file("from a package"));
        }
        for user in &package.users {
            self.add_user(user);
        }
        Ok(())
    }

    fn add_user(&mut self, name: &str) {
        if self.users.contains_key(name) {
            return;
        }
        let id = 900 + u32::try_from(self.users.len()).unwrap_or(0);
        self.groups.entry(name.into()).or_insert(id);
        let entry = lyceum_core::node::host::UserEntry {
            uid: id,
            group: name.into(),
            groups: Vec::new(),
            home: "/nonexistent".into(),
            shell: "/usr/sbin/nologin".into(),
        };
        self.users.insert(name.into(), entry);
    }
}

impl Packages for FakeHost {
    fn installed(&mut self, names: &[String]) -> Answer<BTreeMap<String, String>> {
        self.look("installed", |machine| {
            let found = names.iter().filter_map(|name| machine.installed.get_key_value(name));
            Ok(found.map(|(name, version)| (name.clone(), version.clone())).collect())
        })
    }

    fn install(&mut self, packages: &[String], refresh: bool) -> Answer<()> {
        let name = format!("install {}", packages.join(" "));
        self.change(name.clone(), |machine| {
            if machine.disk_full {
                return error(Cause::Full, name, "No space left on device");
            }
            if refresh {
                machine.index_is_old = false;
            }
            for package in packages {
                let (package, version) = match package.split_once('=') {
                    Some((package, version)) => (package, Some(version)),
                    None => (package.as_str(), None),
                };
                if let Err(message) = machine.install_one(package, version) {
                    return error(Cause::NotFound, &name, message);
                }
            }
            Ok(())
        })
    }

    fn uninstall(&mut self, names: &[String]) -> Answer<()> {
        self.change(format!("uninstall {}", names.join(" ")), |machine| {
            for name in names {
                machine.installed.remove(name);
                let units = machine.available.get(name).map(|it| it.units.clone());
                for unit in units.unwrap_or_default() {
                    machine.units.remove(&unit);
                }
            }
            Ok(())
        })
    }
}
