//! A file system, mounted at a path and verified to be the one it should be.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::{Content, in_the_way, make_parents};
use super::{Difference, Run, Step, StepError};
use crate::node::host::{Access, Cause, FileKind, Host, Mounted, Program, UnitVerb};

/// A mount that outlives a boot. Nothing after it runs while it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// Where, absolute; the directory is made.
    #[schemars(regex(pattern = r"^/[^ ]+$|\{\{"), length(max = 1000))]
    pub path: String,
    /// What it is.
    #[serde(rename = "type")]
    pub mount_type: MountType,
    /// `efs`: `fs-0123` or `fs-0123:/sub`; `nfs4`: `host:/path`; `volume`: the
    /// name the volume is attached under, `/dev/sdf`.
    #[schemars(length(min = 1, max = 500))]
    pub source: String,
    /// Options besides those every mount of the type has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub options: Vec<String>,
    /// `volume`: makes an ext4 file system where the volume is blank.
    #[serde(default)]
    pub format: bool,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MountType {
    /// NFS 4.1.
    #[default]
    Nfs4,
    /// Amazon EFS, by its own mount helper where the node has it, else as NFS
    /// 4.1 from the file system's DNS name.
    Efs,
    /// A volume attached to the instance.
    Volume,
}

/// What AWS asks of every NFS mount of EFS. `noresvport` makes a client that
/// reconnects take a new port, without which it may hang for ever.
const NFS_OPTIONS: &str =
    "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev";
/// What a volume may hold.
const VOLUME_TYPES: &[&str] = &["ext4", "xfs"];
/// The mount helper of EFS, where it is installed.
const EFS_HELPERS: &[&str] = &["/sbin/mount.efs", "/usr/sbin/mount.efs"];
/// Most entries of a directory that are named in a message.
const MOST_NAMED: usize = 3;

impl Step for Mount {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let mut found = Vec::new();
        let (what, blank) = self.what(run)?;
        if blank {
            found.push(Difference::new("file system", "", "ext4"));
        }
        match run.host.mounted(&self.path)? {
            Some(mounted) if !self.is_it(&what, &mounted) => {
                found.push(Difference::new("mount", shown(&mounted), shown(&what)));
            }
            Some(mounted) if is_read_only(&mounted) != is_read_only(&what) => {
                let word = |mount: &Mounted| if is_read_only(mount) { "ro" } else { "rw" };
                found.push(Difference::new("options", word(&mounted), word(&what)));
            }
            Some(_) => {}
            None => {
                check_point(run.host, &self.path)?;
                found.push(Difference::new("mount", "", shown(&what)));
            }
        }
        if !blank {
            found.extend(self.persisted(run, &what)?);
        }
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let (what, blank) = self.what(run)?;
        if blank {
            run.host.format(&what.source, "ext4")?;
        }
        let mounted = run.host.mounted(&self.path)?;
        let good = mounted.as_ref().is_some_and(|mounted| {
            self.is_it(&what, mounted) && is_read_only(mounted) == is_read_only(&what)
        });
        if !good {
            if mounted.is_some() {
                run.host.unmount(&self.path)?;
            }
            make_point(run.host, &self.path)?;
        }
        // At the next boot it is there by itself; Docker waits for it from now.
        self.persist(run, &what)?;
        if !good {
            run.host.mount(&what)?;
        }
        Ok(())
    }

    fn owns(&self) -> Vec<String> {
        vec![self.path.clone(), self.unit_path(), self.guard_path()]
    }

    fn provides(&self) -> Vec<String> {
        vec!["mount".into()]
    }

    fn is_barrier(&self) -> bool {
        true
    }
}

impl Mount {
    /// What is to be mounted, and whether it is a volume without a file system.
    fn what(&self, run: &mut Run<'_>) -> Result<(Mounted, bool), StepError> {
        let (source, fs_type, blank) = match self.mount_type {
            MountType::Nfs4 => (self.source.clone(), "nfs4".to_string(), false),
            MountType::Efs => self.efs(run)?,
            MountType::Volume => self.volume(run)?,
        };
        let standard = if fs_type == "ext4" { "defaults,nofail" } else { NFS_OPTIONS };
        let mut options: Vec<String> = standard.split(',').map(String::from).collect();
        options.extend(self.options.iter().cloned());
        Ok((Mounted { path: self.path.clone(), source, fs_type, options }, blank))
    }

    /// With the helper of EFS it goes by its id, without by its DNS name.
    fn efs(&self, run: &mut Run<'_>) -> Result<(String, String, bool), StepError> {
        let (id, path) = self.source.split_once(':').unwrap_or((&self.source, "/"));
        for helper in EFS_HELPERS {
            if run.host.stat(helper)?.is_some() {
                return Ok((format!("{id}:{path}"), "efs".into(), false));
            }
        }
        if let Some(option) = self.options.iter().find(|it| needs_helper(it)) {
            let message = format!("the option `{option}` needs the mount helper of EFS");
            return Err(StepError::new(Cause::NotFound, message)
                .hint("install amazon-efs-utils before it, or leave the option out"));
        }
        let suffix = if run.facts.region.starts_with("cn-") { ".cn" } else { "" };
        let host = format!("{id}.efs.{}.amazonaws.com{suffix}", run.facts.region);
        Ok((format!("{host}:{path}"), "nfs4".into(), false))
    }

    fn volume(&self, run: &mut Run<'_>) -> Result<(String, String, bool), StepError> {
        let Some((device, fs_type)) = run.host.device(&self.source)? else {
            let message = format!("no volume is attached as {}", self.source);
            return Err(StepError::new(Cause::NotFound, message).hint(
                "it may still be on its way: it is looked for again at the next run; else see \
                 the volumes of the instance",
            ));
        };
        match (fs_type.is_empty(), self.format) {
            (false, _) if !VOLUME_TYPES.contains(&fs_type.as_str()) => {
                let message = format!("the volume {} holds {fs_type}", self.source);
                Err(StepError::new(Cause::Refused, message).hint(format!(
                    "a volume is mounted where it holds {}, and a file system is made where it \
                     is blank: see whose data it is; `wipefs --all {device}` on the node gives \
                     it up",
                    VOLUME_TYPES.join(" or ")
                )))
            }
            (false, _) => Ok((device, fs_type, false)),
            (true, true) => Ok((device, "ext4".into(), true)),
            (true, false) => {
                let message = format!("the volume {} is blank", self.source);
                Err(StepError::new(Cause::Refused, message).hint("say `format: true` to use it"))
            }
        }
    }

    /// What is mounted is what should be, by whichever of its names.
    fn is_it(&self, what: &Mounted, mounted: &Mounted) -> bool {
        if !is_mounted_as(self.mount_type, mounted) {
            return false;
        }
        let (Some((host, path)), Some((wanted, wanted_path))) =
            (mounted.source.rsplit_once(':'), what.source.rsplit_once(':'))
        else {
            return mounted.source == what.source;
        };
        let same_path = path.trim_end_matches('/') == wanted_path.trim_end_matches('/');
        let id = self.source.split(':').next().unwrap_or_default();
        let efs = self.mount_type == MountType::Efs
            && (host.split('.').any(|label| label == id)
                // With encryption the helper mounts a tunnel of its own.
                || (host == "127.0.0.1" && what.options.iter().any(|it| it == "tls")));
        same_path && (host == wanted || efs)
    }

    /// How what makes it outlive a boot differs.
    fn persisted(&self, run: &mut Run<'_>, what: &Mounted) -> Result<Vec<Difference>, StepError> {
        let mut found = Vec::new();
        for (path, text) in self.files(run, what)? {
            let differs = Content::system(&path, &text).differences(run)?;
            found.extend(differs.into_iter().map(|it| Difference { what: path.clone(), ..it }));
        }
        if !run.host.unit(&self.unit())?.enabled {
            found.push(Difference::new("at boot", "no", "yes"));
        }
        Ok(found)
    }

    fn persist(&self, run: &mut Run<'_>, what: &Mounted) -> Result<(), StepError> {
        let mut changed = false;
        for (path, text) in self.files(run, what)? {
            let file = Content::system(&path, &text);
            if !file.differences(run)?.is_empty() {
                file.put(run, &[])?;
                changed = true;
            }
        }
        let state = run.host.unit(&self.unit())?;
        if changed || state.needs_reload || !state.loaded {
            run.host.reload_units()?;
        }
        if !state.enabled {
            run.host.unit_do(&self.unit(), UnitVerb::Enable)?;
        }
        Ok(())
    }

    /// The unit that mounts it at boot, and what keeps Docker from starting
    /// without it.
    ///
    /// Docker asserts that the path is a mount point instead of requiring the
    /// unit: it then does not start on the bare directory whoever mounts, and
    /// does not stop, with everybody's notebooks, when the mount's unit does.
    fn files(&self, run: &mut Run<'_>, what: &Mounted) -> Result<[(String, String); 2], StepError> {
        let source = match self.mount_type {
            MountType::Volume => by_uuid(run, &what.source)?,
            _ => what.source.clone(),
        };
        let network = self.mount_type != MountType::Volume;
        let (target, after) = if network {
            ("remote-fs.target", "Wants=network-online.target\nAfter=network-online.target\n")
        } else {
            ("local-fs.target", "")
        };
        let unit = format!(
            "# Written by Lyceum.\n[Unit]\nDescription={path}\n{after}\
             Before=docker.service\n[Mount]\nWhat={source}\nWhere={path}\nType={fs_type}\n\
             Options={options}\n[Install]\nWantedBy={target}\n",
            path = self.path,
            fs_type = what.fs_type,
            options = what.options.join(","),
        );
        let guard = format!(
            "# Written by Lyceum: nothing is to be written below an unmounted path.\n[Unit]\n\
             After={unit}\nAssertPathIsMountPoint={path}\n",
            unit = self.unit(),
            path = self.path,
        );
        Ok([(self.unit_path(), unit), (self.guard_path(), guard)])
    }

    fn unit(&self) -> String {
        format!("{}.mount", escaped(&self.path))
    }

    fn unit_path(&self) -> String {
        format!("/etc/systemd/system/{}", self.unit())
    }

    fn guard_path(&self) -> String {
        format!("/etc/systemd/system/docker.service.d/lyceum-{}.conf", escaped(&self.path))
    }
}

/// A mount is of a type. EFS is NFS to the kernel.
pub(in crate::node) fn is_mounted_as(mount_type: MountType, mounted: &Mounted) -> bool {
    let network = matches!(mounted.fs_type.as_str(), "nfs4" | "nfs" | "efs");
    match mount_type {
        MountType::Nfs4 | MountType::Efs => network,
        MountType::Volume => VOLUME_TYPES.contains(&mounted.fs_type.as_str()),
    }
}

fn is_read_only(mounted: &Mounted) -> bool {
    mounted.options.iter().any(|option| option == "ro")
}

fn needs_helper(option: &str) -> bool {
    matches!(option, "tls" | "iam") || option.starts_with("accesspoint=")
}

fn shown(mounted: &Mounted) -> String {
    format!("{} ({})", mounted.source, mounted.fs_type)
}

/// What is below the mount point would be hidden by the mount: it may be what
/// somebody wrote while nothing was mounted.
fn check_point(host: &mut dyn Host, path: &str) -> Result<(), StepError> {
    match host.stat(path)?.map(|stat| stat.kind) {
        None => return Ok(()),
        Some(FileKind::Directory) => {}
        Some(FileKind::Symlink(_)) => return Err(in_the_way(path, "a symbolic link")),
        Some(_) => return Err(in_the_way(path, "a file")),
    }
    let entries: Vec<String> =
        host.list(path)?.into_iter().filter(|name| name != "lost+found").collect();
    if entries.is_empty() {
        return Ok(());
    }
    let named = entries.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let message = format!("{path} is not mounted and holds {} entries: {named}", entries.len());
    Err(StepError::new(Cause::Refused, message)
        .hint("the mount would hide them: move what is of use away, then empty the directory"))
}

/// Nobody but root gets below the bare directory; a mount brings its own mode.
fn make_point(host: &mut dyn Host, path: &str) -> Result<(), StepError> {
    let access = Access { owner: super::root(), group: super::root(), mode: 0 };
    check_point(host, path)?;
    if host.stat(path)?.is_some() {
        return Ok(host.set_access(path, &access)?);
    }
    make_parents(host, path)?;
    Ok(host.make_directory(path, &access)?)
}

/// A volume by the id of its file system: the names of devices change from
/// boot to boot.
fn by_uuid(run: &mut Run<'_>, device: &str) -> Result<String, StepError> {
    let argv = ["blkid", "-s", "UUID", "-o", "value", device].map(String::from).to_vec();
    let program = Program {
        argv,
        env: super::Texts::new(),
        cwd: "/".into(),
        timeout: Duration::from_secs(20),
    };
    let (code, output) = run.program(&program)?;
    let uuid = output.trim();
    let plain = uuid.chars().all(|it| it.is_ascii_alphanumeric() || it == '-');
    if code != 0 || uuid.is_empty() || !plain {
        let message = format!("blkid finds no file system on {device}: {uuid}");
        return Err(StepError::new(Cause::Failed, message));
    }
    Ok(format!("/dev/disk/by-uuid/{uuid}"))
}

/// A path as systemd names the unit of its mount.
fn escaped(path: &str) -> String {
    let mut text = String::new();
    for (place, byte) in path.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => text.push('-'),
            b'.' if place == 0 => text.push_str("\\x2e"),
            b'.' | b'_' | b':' => text.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            byte => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}
