//! Kernel parameters, modules, mounts and volumes.

use lyceum_core::node::host::{Answer, Cause, FileKind, Kernel, Mounted};

use super::{FakeFile, FakeHost, Machine, error};

/// Something mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeMount {
    /// What, as the kernel shows it.
    pub source: String,
    /// Type, as the kernel shows it.
    pub fs_type: String,
    /// Options.
    pub options: Vec<String>,
    /// What it is for sure, by whatever name it was mounted.
    pub device: String,
}

impl FakeMount {
    /// As mount(8) would: EFS is NFS to the kernel, a volume goes by its device.
    pub(super) fn new(source: &str, fs_type: &str, options: &str, machine: &mut Machine) -> Self {
        let options: Vec<String> = options.split(',').map(String::from).collect();
        let by_uuid = source.strip_prefix("/dev/disk/by-uuid/uuid-of-");
        let source = match (fs_type, by_uuid) {
            ("efs", _) if options.iter().any(|it| it == "tls") => {
                format!("127.0.0.1:{}", source.split(':').nth(1).unwrap_or("/"))
            }
            ("efs", _) => {
                let region = machine.facts.region.clone();
                source.replacen(':', &format!(".efs.{region}.amazonaws.com:"), 1)
            }
            (_, Some(device)) => format!("/dev/{device}"),
            _ => source.into(),
        };
        let device = format!("on {}", source.split('.').next().unwrap_or_default());
        machine.files.entry(format!("{device}|")).or_insert_with(FakeFile::directory);
        let fs_type = if fs_type == "efs" { "nfs4" } else { fs_type }.into();
        Self { source, fs_type, options, device }
    }
}

impl Machine {
    pub(super) fn reset_sysctls(&mut self) {
        for value in self.sysctls.values_mut() {
            *value = "0".into();
        }
        let files = self.files.iter().filter(|(path, _)| path.starts_with("/etc/sysctl.d/"));
        let texts: Vec<String> =
            files.map(|(_, file)| String::from_utf8_lossy(&file.content).into_owned()).collect();
        for line in texts.iter().flat_map(|text| text.lines()) {
            if let Some((key, value)) = line.split_once(" = ") {
                self.sysctls.insert(key.into(), value.into());
            }
        }
    }

    pub(super) fn load_modules_at_boot(&mut self) {
        let folder = "/etc/modules-load.d/";
        let files = self.files.iter().filter(|(path, _)| path.starts_with(folder));
        let texts: Vec<String> =
            files.map(|(_, file)| String::from_utf8_lossy(&file.content).into_owned()).collect();
        let names =
            texts.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with('#'));
        self.modules.extend(names.map(String::from));
    }
}

impl Kernel for FakeHost {
    fn sysctl(&mut self, key: &str) -> Answer<Option<String>> {
        self.look(format!("sysctl {key}"), |machine| Ok(machine.sysctls.get(key).cloned()))
    }

    fn set_sysctl(&mut self, key: &str, value: &str) -> Answer<()> {
        self.change(format!("set_sysctl {key}"), |machine| {
            machine
                .sysctls
                .insert(key.into(), value.split_whitespace().collect::<Vec<_>>().join("\t"));
            Ok(())
        })
    }

    fn module(&mut self, name: &str) -> Answer<bool> {
        self.look(format!("module {name}"), |machine| Ok(machine.modules.contains(name)))
    }

    fn load_module(&mut self, name: &str) -> Answer<()> {
        let call = format!("load_module {name}");
        self.change(call.clone(), |machine| {
            if name.starts_with("no_") {
                return error(Cause::NotFound, call, format!("Module {name} not found"));
            }
            machine.modules.insert(name.into());
            Ok(())
        })
    }

    fn mounted(&mut self, path: &str) -> Answer<Option<Mounted>> {
        self.look(format!("mounted {path}"), |machine| {
            Ok(machine.mounts.get(path).map(|mount| Mounted {
                path: path.into(),
                source: mount.source.clone(),
                fs_type: mount.fs_type.clone(),
                options: mount.options.clone(),
            }))
        })
    }

    fn mount(&mut self, what: &Mounted) -> Answer<()> {
        let name = format!("mount {}", what.path);
        self.change(name.clone(), |machine| {
            let kind = machine.at(&what.path).map(|file| file.kind.clone());
            if kind != Some(FileKind::Directory) {
                return error(Cause::NotFound, name, "mount point does not exist");
            }
            let options = what.options.join(",");
            let mount = FakeMount::new(&what.source, &what.fs_type, &options, machine);
            machine.mounts.insert(what.path.clone(), mount);
            Ok(())
        })
    }

    fn unmount(&mut self, path: &str) -> Answer<()> {
        self.change(format!("unmount {path}"), |machine| {
            machine.mounts.remove(path);
            Ok(())
        })
    }

    fn device(&mut self, name: &str) -> Answer<Option<(String, String)>> {
        self.look(format!("device {name}"), |machine| Ok(machine.devices.get(name).cloned()))
    }

    fn format(&mut self, device: &str, fs_type: &str) -> Answer<()> {
        let name = format!("format {device}");
        self.change(name.clone(), |machine| {
            let found = machine.devices.values_mut().find(|(path, _)| path == device);
            match found {
                Some((_, found)) if found.is_empty() => {
                    *found = fs_type.into();
                    Ok(())
                }
                Some(_) => error(Cause::Refused, name, "it is not blank"),
                None => error(Cause::NotFound, name, "no such device"),
            }
        })
    }
}
