//! systemd.

use lyceum_core::node::host::{Answer, Cause, UnitState, UnitVerb, Units};

use super::{FakeHost, FakeMount, Machine, error};

const FOLDER: &str = "/etc/systemd/system";

/// A unit that systemd knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeUnit {
    /// A package brought it.
    pub shipped: bool,
    /// It runs.
    pub active: bool,
    /// It starts at boot.
    pub enabled: bool,
    /// Its files as systemd read them.
    pub read: String,
    /// How often it was started or restarted.
    pub starts: u32,
    /// How often it was reloaded.
    pub reloads: u32,
}

impl FakeUnit {
    pub(super) fn shipped() -> Self {
        Self { shipped: true, active: true, enabled: true, starts: 1, ..Self::default() }
    }
}

impl Machine {
    /// A unit's own file and its drop-ins, as they are on the disk.
    fn unit_files(&self, unit: &str) -> String {
        let own = format!("{FOLDER}/{unit}");
        let inside = format!("{FOLDER}/{unit}.d/");
        let files = self.files.iter().filter(|(path, _)| {
            **path == own || (path.starts_with(&inside) && path.ends_with(".conf"))
        });
        files.map(|(_, file)| String::from_utf8_lossy(&file.content).into_owned()).collect()
    }

    fn has_own_file(&self, unit: &str) -> bool {
        self.at(&format!("{FOLDER}/{unit}")).is_some()
    }

    fn known(&self, unit: &str) -> bool {
        self.units.get(unit).is_some_and(|it| it.shipped || !it.read.is_empty())
    }

    fn read_units(&mut self) {
        let below = format!("{FOLDER}/");
        let names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&below))
            .filter(|name| {
                !name.contains('/') && !name.ends_with(".d") && !name.ends_with(".staged")
            })
            .map(String::from)
            .chain(self.units.keys().cloned())
            .collect();
        for name in names {
            let read = self.unit_files(&name);
            self.units.entry(name).or_default().read = read;
        }
        self.units.retain(|_, unit| unit.shipped || !unit.read.is_empty() || unit.active);
    }

    fn start(&mut self, unit: &str) -> Answer<()> {
        let name = format!("start {unit}");
        if self.broken_units.contains(unit) {
            return error(Cause::Failed, name, "the unit failed; the end of its log");
        }
        let read = self.units.get(unit).map(|it| it.read.clone()).unwrap_or_default();
        let asserted = read.lines().filter_map(|line| line.strip_prefix("AssertPathIsMountPoint="));
        for path in asserted {
            if !self.mounts.contains_key(path) {
                return error(Cause::Failed, name, format!("Assertion failed: {path}"));
            }
        }
        if unit.ends_with(".mount") {
            self.mount_unit(&read)?;
        }
        if unit == "docker.service" {
            self.resume_swarm();
        }
        let unit = self.units.entry(unit.into()).or_default();
        unit.active = true;
        unit.starts += 1;
        Ok(())
    }

    fn mount_unit(&mut self, text: &str) -> Answer<()> {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.unwrap_or_default().to_string()
        };
        let mount = FakeMount::new(&field("What="), &field("Type="), &field("Options="), self);
        self.mounts.insert(field("Where="), mount);
        Ok(())
    }

    /// Mounts first, as their units say of Docker.
    pub(super) fn start_units_at_boot(&mut self) {
        self.read_units();
        let mut enabled: Vec<String> = Vec::new();
        for (name, unit) in &mut self.units {
            unit.active = false;
            if unit.enabled {
                enabled.push(name.clone());
            }
        }
        enabled.sort_by_key(|name| !name.ends_with(".mount"));
        for unit in enabled {
            // What does not come up stays down.
            let _ = self.start(&unit);
        }
    }
}

impl Units for FakeHost {
    fn unit(&mut self, name: &str) -> Answer<UnitState> {
        self.look(format!("unit {name}"), |machine| {
            if !machine.known(name) {
                return Ok(UnitState { active: "inactive".into(), ..UnitState::default() });
            }
            let unit = &machine.units[name];
            let broken = machine.broken_units.contains(name);
            let active = match (unit.active, broken) {
                (true, _) => "active",
                (false, true) => "failed",
                (false, false) => "inactive",
            };
            Ok(UnitState {
                loaded: true,
                active: active.into(),
                enabled: unit.enabled,
                needs_reload: unit.read != machine.unit_files(name),
            })
        })
    }

    fn unit_do(&mut self, name: &str, verb: UnitVerb) -> Answer<()> {
        let call = format!("{verb:?} {name}").to_lowercase();
        self.change(call.clone(), |machine| {
            let missing = !machine.known(name) && !machine.has_own_file(name);
            if missing {
                return error(Cause::NotFound, call, format!("Unit {name} not found."));
            }
            match verb {
                UnitVerb::Start => machine.start(name)?,
                UnitVerb::Restart => {
                    machine.units.entry(name.into()).or_default().active = false;
                    machine.start(name)?;
                }
                UnitVerb::ReloadOrRestart => {
                    machine.units.entry(name.into()).or_default().reloads += 1;
                }
                UnitVerb::Stop => machine.units.entry(name.into()).or_default().active = false,
                UnitVerb::Enable => machine.units.entry(name.into()).or_default().enabled = true,
                UnitVerb::Disable => machine.units.entry(name.into()).or_default().enabled = false,
            }
            Ok(())
        })
    }

    fn reload_units(&mut self) -> Answer<()> {
        self.change("reload_units", |machine| {
            machine.read_units();
            Ok(())
        })
    }
}
