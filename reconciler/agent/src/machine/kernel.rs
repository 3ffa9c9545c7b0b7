//! Kernel parameters, modules, mounts, block devices.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lyceum_core::node::host::{self, Answer, Cause, Ended, HostError, Mounted};

use super::Machine;
use super::programs::{self, Asked};
use crate::disk;

const MOUNTS: &str = "/proc/self/mountinfo";
/// Longest list of mounts that is read: a node with a thousand containers has
/// one of half this size.
const LARGEST: usize = 4 * 1024 * 1024;
/// A server of files that does not answer.
const MOUNT_TIME: Duration = Duration::from_secs(90);
/// Loading a module, looking at a device.
const TIME: Duration = Duration::from_secs(30);
/// A file system of a terabyte, on a slow volume.
const FORMAT_TIME: Duration = Duration::from_secs(600);
/// What a node may have on its volumes.
const FILE_SYSTEMS: &[&str] = &["ext4", "xfs"];
/// So much of a device's beginning and end is read before it counts as blank.
/// Signatures of file systems, partitions and volume groups are in there.
const LOOKED_AT: u64 = 1024 * 1024;
/// What EBS calls its devices.
const EBS: &str = "Amazon Elastic Block Store";

impl host::Kernel for Machine {
    fn sysctl(&mut self, key: &str) -> Answer<Option<String>> {
        let path = sysctl_path(key)?;
        match std::fs::read_to_string(path) {
            Ok(value) => Ok(Some(value.split_whitespace().collect::<Vec<_>>().join(" "))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(disk::failed(format!("read {key}"), &error)),
        }
    }

    fn set_sysctl(&mut self, key: &str, value: &str) -> Answer<()> {
        std::fs::write(sysctl_path(key)?, value).map_err(|error| {
            let mut failed = disk::failed(format!("set {key} to {value}"), &error);
            if error.kind() == std::io::ErrorKind::InvalidInput {
                failed.message = "the kernel does not take this value".into();
            }
            failed
        })
    }

    fn module(&mut self, name: &str) -> Answer<bool> {
        let name = name.replace('-', "_");
        Ok(Path::new("/sys/module").join(&name).is_dir() || built_in(&name))
    }

    fn load_module(&mut self, name: &str) -> Answer<()> {
        let ended = self.program(&["modprobe", "--", name], TIME)?;
        if ended.code == 0 {
            return Ok(());
        }
        let missing = ended.output.contains("not found");
        let cause = if missing { Cause::NotFound } else { Cause::Failed };
        Err(HostError::new(cause, format!("load {name}"), ended.output.trim()))
    }

    fn mounted(&mut self, path: &str) -> Answer<Option<Mounted>> {
        Ok(mounts()?.into_iter().rfind(|mount| mount.path == path))
    }

    fn mount(&mut self, what: &Mounted) -> Answer<()> {
        let options = what.options.join(",");
        let mut argv = vec!["mount", "-t", &what.fs_type];
        if !options.is_empty() {
            argv.extend(["-o", &options]);
        }
        argv.extend(["--", &what.source, &what.path]);
        self.servers.forget();
        let operation = format!("mount {} at {}", what.source, what.path);
        let ended = self.program(&argv, MOUNT_TIME).map_err(|error| HostError {
            cause: error.cause,
            operation: operation.clone(),
            message: error.message,
        })?;
        if ended.code == 0 { Ok(()) } else { Err(mount_failed(operation, &ended)) }
    }

    fn unmount(&mut self, path: &str) -> Answer<()> {
        self.servers.forget();
        let ended = self.program(&["umount", "--", path], MOUNT_TIME)?;
        if ended.code == 0 || ended.output.contains("not mounted") {
            return Ok(());
        }
        let busy = ended.output.contains("busy");
        let cause = if busy { Cause::Busy } else { Cause::Failed };
        Err(HostError::new(cause, format!("unmount {path}"), ended.output.trim()))
    }

    fn device(&mut self, name: &str) -> Answer<Option<(String, String)>> {
        let Some(path) = self.device_path(name)? else { return Ok(None) };
        let fs_type = self.content_of(&path)?;
        Ok(Some((path, fs_type)))
    }

    fn format(&mut self, device: &str, fs_type: &str) -> Answer<()> {
        let operation = format!("make a file system on {device}");
        if !FILE_SYSTEMS.contains(&fs_type) {
            let message = format!("`{fs_type}` is not one of {FILE_SYSTEMS:?}");
            return Err(HostError::new(Cause::Invalid, operation, message));
        }
        let content = self.content_of(device)?;
        if !content.is_empty() {
            let message = format!("it is not blank, it holds {content}");
            return Err(HostError::new(Cause::Refused, operation, message));
        }
        let ended = self.program(&[&format!("mkfs.{fs_type}"), "-q", device], FORMAT_TIME)?;
        if ended.code == 0 {
            return Ok(());
        }
        Err(HostError::new(Cause::Failed, operation, ended.output.trim()))
    }
}

impl Machine {
    fn program(&self, words: &[&str], timeout: Duration) -> Answer<Ended> {
        self.runtime.block_on(programs::run(&Asked::words(words, timeout)))
    }

    /// The device behind a name: itself, a name that an `xvd` stands for, or
    /// the EBS volume that says it was attached under this name.
    fn device_path(&self, name: &str) -> Answer<Option<String>> {
        let plain = Path::new(name);
        let xen = name.strip_prefix("/dev/sd").map(|rest| PathBuf::from(format!("/dev/xvd{rest}")));
        for path in [Some(plain.to_path_buf()), xen].into_iter().flatten() {
            if is_block_device(&path) {
                let real = std::fs::canonicalize(&path)
                    .map_err(|error| disk::failed(format!("look at {name}"), &error))?;
                return Ok(Some(real.to_string_lossy().into_owned()));
            }
        }
        let volumes = ebs_volumes();
        for volume in &volumes {
            if self.attached_as(volume).as_deref() == plain.file_name().and_then(|it| it.to_str()) {
                return Ok(Some(volume.clone()));
            }
        }
        self.only_other(name, volumes)
    }

    /// What an EBS volume calls itself, read by nvme-cli where the node has it.
    fn attached_as(&self, device: &str) -> Option<String> {
        let ended = self.program(&["nvme", "id-ctrl", "--vendor-specific", device], TIME).ok()?;
        if ended.code == 0 { vendor_name(&ended.output) } else { None }
    }

    /// Without nvme-cli names cannot be told apart, but one volume besides the
    /// root's can only be the one that is meant.
    fn only_other(&self, name: &str, volumes: Vec<String>) -> Answer<Option<String>> {
        let root = mount_lines()?.lines().filter_map(number_of).rfind(|(path, _)| path == "/");
        let root = root.map(|(_, number)| number).unwrap_or_default();
        let mut volumes = other_disks(Path::new("/sys"), &root, volumes);
        if volumes.len() > 1 {
            let message =
                format!("it is one of {}; with nvme-cli it could be told", volumes.join(", "));
            return Err(HostError::new(Cause::Invalid, format!("look for {name}"), message));
        }
        Ok(volumes.pop())
    }

    /// What is on a device: a file system's type, another thing's name, or
    /// nothing.
    fn content_of(&self, device: &str) -> Answer<String> {
        let operation = format!("look at {device}");
        let ended = self.program(&["blkid", "-p", "-o", "export", device], TIME)?;
        let value = |key: &str| {
            let mut lines = ended.output.lines();
            lines.find_map(|line| line.strip_prefix(key).map(ToString::to_string))
        };
        match ended.code {
            0 => {
                Ok(value("TYPE=").or_else(|| value("PTTYPE=")).unwrap_or_else(|| "unknown".into()))
            }
            // It says so as well of a device that it cannot open or read.
            2 => unknown_content(Path::new(device)).map_err(|error| HostError {
                message: format!("blkid finds nothing on it, and it cannot be read: {error}"),
                ..disk::failed(operation, &error)
            }),
            8 => Ok("several things at once".into()),
            _ => Err(HostError::new(Cause::Failed, operation, ended.output.trim())),
        }
    }
}

/// Everything mounted, in order.
pub(super) fn mounts() -> Answer<Vec<Mounted>> {
    Ok(mount_lines()?.lines().filter_map(mount_of).collect())
}

fn mount_lines() -> Answer<String> {
    let failed = |error: std::io::Error| disk::failed(format!("read {MOUNTS}"), &error);
    let content = disk::read(Path::new(MOUNTS), LARGEST).map_err(failed)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// Where something is mounted, and the number of the device it is on.
fn number_of(line: &str) -> Option<(String, String)> {
    let place: Vec<&str> = line.split(' ').take(5).collect();
    Some((unescaped(place.get(4)?), place.get(2)?.to_string()))
}

/// Those of `volumes` that are neither the root's disk nor partitioned. A
/// machine's list of mounts may call its root `/dev/root`, so that disk is found
/// by its number. One that is mounted whole may be the one that is meant, mounted
/// by an earlier run.
fn other_disks(sys: &Path, root: &str, volumes: Vec<String>) -> Vec<String> {
    let root = disk_of(sys, root);
    let is_other = |volume: &String| {
        let name = volume.trim_start_matches("/dev/");
        root.as_deref() != Some(name) && !is_partitioned(&sys.join("block").join(name))
    };
    volumes.into_iter().filter(is_other).collect()
}

/// The disk that a device, `259:1`, is or is a partition of.
fn disk_of(sys: &Path, number: &str) -> Option<String> {
    let device = std::fs::canonicalize(sys.join("dev/block").join(number)).ok()?;
    let part = device.join("partition").exists();
    let disk = if part { device.parent()? } else { device.as_path() };
    Some(disk.file_name()?.to_string_lossy().into_owned())
}

fn is_partitioned(disk: &Path) -> bool {
    let entries = std::fs::read_dir(disk).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().join("partition").exists())
}

/// What is on a device that holds nothing known: nothing, where beginning and end
/// could be read and are zeros.
fn unknown_content(device: &Path) -> std::io::Result<String> {
    let mut file = File::open(device)?;
    let size = file.seek(SeekFrom::End(0))?;
    for at in [0, size.saturating_sub(LOOKED_AT)] {
        file.seek(SeekFrom::Start(at))?;
        let mut part = vec![0; usize::try_from(LOOKED_AT.min(size)).unwrap_or(usize::MAX)];
        file.read_exact(&mut part)?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok("something that blkid does not know".into());
        }
    }
    if size == 0 {
        return Err(std::io::Error::other("it has no size"));
    }
    Ok(String::new())
}

/// `36 35 98:0 /root /path rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=…`
fn mount_of(line: &str) -> Option<Mounted> {
    let (place, what) = line.split_once(" - ")?;
    let place: Vec<&str> = place.split(' ').collect();
    let mut what = what.split(' ');
    let (fs_type, source, of_type) = (what.next()?, what.next()?, what.next().unwrap_or_default());
    let mut options: Vec<String> = Vec::new();
    for option in place.get(5)?.split(',').chain(of_type.split(',')) {
        if !option.is_empty() && !options.iter().any(|known| known == option) {
            options.push(option.into());
        }
    }
    Some(Mounted {
        path: unescaped(place.get(4)?),
        source: unescaped(source),
        // A client in userspace carries its type behind this, by FUSE's own
        // convention, and is as good.
        fs_type: fs_type.strip_prefix("fuse.").unwrap_or(fs_type).into(),
        options,
    })
}

/// The kernel writes blanks, line breaks and backslashes as octal.
fn unescaped(text: &str) -> String {
    let octals = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    octals.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

fn mount_failed(operation: String, ended: &Ended) -> HostError {
    let text = ended.output.trim();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let cause = if has(&["unknown filesystem type", "bad option", "bad usage"]) {
        Cause::Invalid
    } else if has(&["timed out", "Connection refused", "No route to host", "resolve", "not known"])
    {
        Cause::Unreachable
    } else if has(&["access denied", "permission denied", "Operation not permitted"]) {
        Cause::Denied
    } else if has(&["does not exist", "No such file or directory"]) {
        Cause::NotFound
    } else if has(&["already mounted", "busy"]) {
        Cause::Busy
    } else {
        Cause::Failed
    };
    HostError::new(cause, operation, text)
}

/// `net.ipv4.ip_forward`, or with slashes as the directories have it.
fn sysctl_path(key: &str) -> Answer<PathBuf> {
    let first = key.find(['.', '/']).map(|at| &key[at..=at]);
    let path: String = match first {
        Some(".") => key
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.into(),
    };
    let odd = path.split('/').any(|part| part.is_empty() || part == "..");
    if odd {
        let message = "it is no kernel parameter's name";
        return Err(HostError::new(Cause::Invalid, format!("look at {key}"), message));
    }
    Ok(Path::new("/proc/sys").join(path))
}

fn built_in(name: &str) -> bool {
    let Ok(release) = std::fs::read_to_string("/proc/sys/kernel/osrelease") else { return false };
    let list = format!("/lib/modules/{}/modules.builtin", release.trim());
    let list = std::fs::read_to_string(list).unwrap_or_default();
    let ending = |line: &str| line.rsplit('/').next().map(|file| file.replace('-', "_"));
    list.lines().any(|line| ending(line).is_some_and(|file| file == format!("{name}.ko")))
}

/// The first 32 of the bytes that are the vendor's own, as nvme-cli prints them:
/// a dump of 16 a line, `0000: 2f 64 65 76 …`.
fn vendor_name(output: &str) -> Option<String> {
    let lines = output.lines().skip_while(|line| !line.starts_with("vs[]"));
    let mut name = String::new();
    for line in lines.filter(|line| line.starts_with("0000:") || line.starts_with("0010:")) {
        let bytes = line.split_whitespace().skip(1).take(16);
        name.extend(bytes.filter_map(|byte| u8::from_str_radix(byte, 16).ok()).map(char::from));
    }
    let name = name.trim_matches([' ', '\0']).trim_start_matches("/dev/");
    (!name.is_empty()).then(|| name.to_string())
}

fn is_block_device(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.file_type().is_block_device())
}

/// Volumes of EBS on NVMe, sorted.
fn ebs_volumes() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let is_ebs = |path: &Path| {
        let model = std::fs::read_to_string(path.join("device/model")).unwrap_or_default();
        model.trim() == EBS
    };
    let volumes = entries.filter(|entry| is_ebs(&entry.path()));
    let mut volumes: Vec<_> =
        volumes.map(|entry| format!("/dev/{}", entry.file_name().to_string_lossy())).collect();
    volumes.sort();
    volumes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_as_the_kernel_writes_it() {
        let line =
            "36 35 0:52 / /srv/shared\\040files rw,noatime shared:9 - nfs4 fs-1:/ rw,vers=4.1";
        let found = mount_of(line).unwrap();
        assert_eq!(found.path, "/srv/shared files");
        assert_eq!((found.fs_type.as_str(), found.source.as_str()), ("nfs4", "fs-1:/"));
        assert_eq!(found.options, ["rw", "noatime", "vers=4.1"]);
        let line = "36 35 0:52 / /srv rw - fuse.nfs4 fs-1:/ rw";
        assert_eq!(mount_of(line).unwrap().fs_type, "nfs4");
    }

    #[test]
    fn a_parameter_is_a_path_and_stays_below_its_root() {
        let path = |key| sysctl_path(key).map(|path| path.to_string_lossy().into_owned());
        assert_eq!(path("net.ipv4.ip_forward").unwrap(), "/proc/sys/net/ipv4/ip_forward");
        assert_eq!(path("net.ipv4.conf.eth0/1.x").unwrap(), "/proc/sys/net/ipv4/conf/eth0.1/x");
        assert_eq!(path("net/ipv4/x").unwrap(), "/proc/sys/net/ipv4/x");
        assert_eq!(path("a/../../etc/passwd").unwrap_err().cause, Cause::Invalid);
        assert_eq!(path("net..x").unwrap_err().cause, Cause::Invalid);
    }

    #[test]
    fn a_volume_is_known_by_the_name_it_was_attached_under() {
        let dump = "vid : 0x1d0f\nvs[]:\n       0  1  2  3\n\
            0000: 2f 64 65 76 2f 73 64 66 20 20 20 20 20 20 20 20 \"/dev/sdf........\"\n\
            0010: 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 \"................\"\n\
            0020: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \"................\"\n";
        assert_eq!(vendor_name(dump).as_deref(), Some("sdf"));
        assert_eq!(vendor_name("vid : 0x1d0f\n"), None);
    }

    #[test]
    fn only_a_device_that_can_be_read_and_holds_zeros_is_blank() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device");
        let size = usize::try_from(3 * LOOKED_AT).unwrap();
        let with = |at: Option<usize>| {
            let mut content = vec![0; size];
            at.into_iter().for_each(|at| content[at] = 1);
            std::fs::write(&path, content).unwrap();
            unknown_content(&path).unwrap()
        };
        assert_eq!(with(None), "");
        for at in [0, 0x438, size / 3 - 1, size - 1] {
            assert_eq!(with(Some(at)), "something that blkid does not know", "{at}");
        }
        std::fs::write(&path, [0; 512]).unwrap();
        assert_eq!(unknown_content(&path).unwrap(), "");
        std::fs::write(&path, []).unwrap();
        unknown_content(&path).unwrap_err();
        // As of a device that gives errors: it opens, and nothing can be read.
        unknown_content(folder.path()).unwrap_err();
        unknown_content(&folder.path().join("none")).unwrap_err();
    }

    #[test]
    fn the_roots_disk_is_found_by_its_number_and_a_partitioned_one_is_no_volume() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path();
        let make = |path: &str| std::fs::create_dir_all(sys.join(path)).unwrap();
        let link = |from: &str, to: &str| std::os::unix::fs::symlink(to, sys.join(from)).unwrap();
        for path in ["dev/block", "block", "devices/nvme0n1/nvme0n1p1", "devices/nvme1n1/queue"] {
            make(path);
        }
        std::fs::write(sys.join("devices/nvme0n1/nvme0n1p1/partition"), "1\n").unwrap();
        for disk in ["nvme0n1", "nvme1n1"] {
            link(&format!("block/{disk}"), &format!("../devices/{disk}"));
        }
        link("dev/block/259:1", "../../devices/nvme0n1/nvme0n1p1");
        link("dev/block/259:2", "../../devices/nvme1n1");
        assert_eq!(disk_of(sys, "259:1").as_deref(), Some("nvme0n1"));
        let volumes = || vec!["/dev/nvme0n1".to_string(), "/dev/nvme1n1".to_string()];
        // As Ubuntu's machines have it; with another disk's number; with none.
        let line = "24 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard";
        let (path, number) = number_of(line).unwrap();
        assert_eq!((path.as_str(), number.as_str()), ("/", "259:1"));
        assert_eq!(other_disks(sys, &number, volumes()), ["/dev/nvme1n1"]);
        assert_eq!(other_disks(sys, "0:31", volumes()), ["/dev/nvme1n1"]);
        // A root that fills a disk without partitions.
        assert_eq!(other_disks(sys, "259:2", volumes()), [] as [String; 0]);
    }

    #[test]
    fn what_mount_says_has_a_meaning() {
        let cause = |text: &str| {
            mount_failed("mount".into(), &Ended { code: 32, output: text.into() }).cause
        };
        assert_eq!(cause("mount.nfs4: Connection refused"), Cause::Unreachable);
        assert_eq!(cause("mount: /x: unknown filesystem type 'efs'."), Cause::Invalid);
        assert_eq!(cause("mount.nfs4: access denied by server while mounting"), Cause::Denied);
    }
}
