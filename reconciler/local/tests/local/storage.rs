//! File systems that nodes share, mounted as a role mounts EFS.

use std::time::Duration;

use crate::kit::Cloud;

/// Less than systemd waits for a device that never comes.
const SOON: Duration = Duration::from_secs(20);
const SOURCE: &str = "fs-0123abcd.efs.us-east-1.amazonaws.com:/";

#[test]
fn a_file_system_is_shared_and_shows_where_it_is_from() {
    let mut cloud = Cloud::open("storage");
    let files = cloud.ground.file_systems();
    files.create("fs-0123abcd").unwrap();
    files.answer_at("fs-0123abcd", "10.9.9.9".parse().unwrap()).unwrap();
    files.access_point("fsap-1", "fs-0123abcd", "/shared/homes", (1_000, 1_000, 0o750)).unwrap();
    let first = cloud.node(&cloud.spec("first", 1));
    let second = cloud.node(&cloud.spec("second", 2));

    let options = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport";
    first.shell(&format!("mkdir /mnt/a && mount -t nfs4 -o {options} {SOURCE} /mnt/a")).unwrap();
    second.shell("mkdir /mnt/b && mount -t efs -o tls fs-0123abcd /mnt/b").unwrap();
    assert_eq!(mounted(&first, "/mnt/a"), format!("fuse.nfs4 {SOURCE}"));
    assert_eq!(mounted(&second, "/mnt/b"), "fuse.nfs4 fs-0123abcd:/");

    first
        .shell("install -d -o 1000 -g 1000 -m 0700 /mnt/a/ada && echo hers > /mnt/a/ada/file")
        .unwrap();
    assert_eq!(second.read("/mnt/b/ada/file").unwrap(), "hers");
    assert_eq!(second.succeed(&["stat", "-c", "%u %a", "/mnt/b/ada"]).unwrap(), "1000 700");

    second
        .shell("mkdir /mnt/c && mount -t efs -o tls,accesspoint=fsap-1 fs-0123abcd:/ /mnt/c")
        .unwrap();
    assert_eq!(second.succeed(&["stat", "-c", "%u %a", "/mnt/c"]).unwrap(), "1000 750");
    first
        .shell("mkdir /mnt/d && mount -t nfs4 10.9.9.9:/shared /mnt/d && test -d /mnt/d/homes")
        .unwrap();

    // It outlives whoever mounted it, and ends when it is told to.
    first.shell("umount /mnt/a && test -z \"$(ls /mnt/a)\"").unwrap();
    assert_eq!(second.read("/mnt/b/ada/file").unwrap(), "hers");
    cloud.done("mounts");
    cloud.close();
}

#[test]
fn a_mount_that_cannot_be_fails_as_nfs_does() {
    let mut cloud = Cloud::open("no-storage");
    cloud.ground.file_systems().create("fs-1").unwrap();
    let node = cloud.node(&cloud.spec("node", 1));
    for (source, path, expected) in [
        ("fs-2:/", "/mnt", "Failed to resolve server fs-2"),
        ("10.1.1.1:/", "/mnt", "Failed to resolve server 10.1.1.1"),
        ("fs-1:/nothing", "/mnt", "No such file or directory"),
        ("fs-1:/", "/nowhere", "/nowhere"),
    ] {
        let failed = node.run(&["mount", "-t", "nfs4", source, path]).unwrap();
        assert_eq!(failed.code, Some(32), "{source}: {failed:?}");
        assert!(failed.said().contains(expected), "{source}: {failed:?}");
    }
    assert_eq!(mounted(&node, "/mnt"), "");
    cloud.close();
}

#[test]
fn a_volume_is_a_device_that_outlives_its_nodes() {
    let mut cloud = Cloud::open("volume");
    // Not /dev/sdf, so that it is known among this machine's devices.
    let device = format!("/dev/sdf{}", std::process::id());
    let mut specs = [("first", 1), ("second", 2)].map(|(name, number)| cloud.spec(name, number));
    for spec in &mut specs {
        spec.volumes.insert(device.clone(), "vol-1".to_owned());
    }
    assert!(cloud.ground.start_node(&specs[0]).is_err(), "there is no such volume");
    cloud.ground.volumes().create("vol-1", 64).unwrap();
    let node = cloud.node(&specs[0]);
    let mount = format!("mkdir -p /srv/data && mount {device} /srv/data");
    node.shell(&format!("test -b {device} && mkfs.ext4 -q {device} && {mount}")).unwrap();
    assert_eq!(mounted(&node, "/srv/data"), format!("ext4 {device}"));
    node.shell("echo kept > /srv/data/file && sync").unwrap();
    // As a role writes it, for the next boot.
    let unit = "uuid=$(blkid -s UUID -o value \"$1\"); printf '%s\\n' '[Mount]' \
         \"What=/dev/disk/by-uuid/$uuid\" Where=/srv/data Type=ext4 Options=defaults,nofail \
         '[Install]' WantedBy=local-fs.target > /etc/systemd/system/srv-data.mount; \
         systemctl daemon-reload; systemctl enable srv-data.mount; sync";
    node.succeed(&["bash", "-euo", "pipefail", "-c", unit, "unit", &device]).unwrap();
    node.cut_power().unwrap();
    assert_eq!(held(&device), 0);
    node.start().unwrap();
    node.wait_until_ready().unwrap();
    lyceum_local::wait_until("the volume after the boot", SOON, || {
        Ok(mounted(&node, "/srv/data").starts_with("ext4 "))
    })
    .unwrap();
    assert_eq!(node.read("/srv/data/file").unwrap(), "kept");
    assert_eq!(held(&device), 1);
    cloud.done("written, power cut, read");

    cloud.ground.remove_node(&node).unwrap();
    let node = cloud.node(&specs[1]);
    node.shell(&mount).unwrap();
    assert_eq!(node.read("/srv/data/file").unwrap(), "kept");
    assert_eq!(held(&device), 1);
    cloud.close();
    assert_eq!(held(&device), 0);
}

/// How many loop devices of this machine show a node's device.
fn held(device: &str) -> usize {
    let name = device.replace("/dev/", "/volumes/");
    std::fs::read_dir("/sys/block")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("loop/backing_file")).ok())
        .filter(|file| file.trim().ends_with(&name))
        .count()
}

/// Type and source of what is mounted at a path, as the kernel says it.
fn mounted(node: &lyceum_local::Node, path: &str) -> String {
    let table = node.read("/proc/self/mountinfo").unwrap();
    let line = table.lines().find(|line| line.split(' ').nth(4) == Some(path)).unwrap_or_default();
    let (_, filesystem) = line.split_once(" - ").unwrap_or_default();
    filesystem.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
