//! The real machine, as far as it can be tried without changing this one: files
//! in a folder, programs, parameters, connections.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lyceum_agent::http::Names;
use lyceum_agent::keep::Keep;
use lyceum_agent::machine::Machine;
use lyceum_agent::machine::cluster::Surroundings;
use lyceum_core::node::host::{
    Access, Accounts, Cause, Cluster, Confidential, Docker, FileKind, Files, Kernel, Outside,
    Program,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Here {
    machine: Machine,
    folder: TempDir,
    runtime: Runtime,
}

impl Here {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let keep = Keep::at(&folder.path().join("state")).unwrap();
        let around = Surroundings::Alone(Some(folder.path().join("parameters.json")));
        let names = Arc::new(Names::default());
        let machine = Machine::new(runtime.handle().clone(), keep, names, around).unwrap();
        Self { machine, folder, runtime }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// What this process may give a file.
    fn access(&mut self, mode: u32) -> Access {
        let path = self.path("state");
        let stat = self.machine.stat(&path).unwrap().unwrap();
        Access { owner: stat.owner, group: stat.group, mode }
    }
}

#[test]
fn a_file_is_staged_beside_its_place_and_put_there_whole() {
    let mut here = Here::new();
    let (path, access) = (here.path("a.conf"), here.access(0o640));
    assert_eq!(here.machine.stat(&path).unwrap(), None);
    let first = here.machine.stage(&path, b"one", &access).unwrap();
    assert_eq!(here.machine.stat(&path).unwrap(), None, "not yet in its place");
    let second = here.machine.stage(&path, b"two", &access).unwrap();
    assert_eq!(first, second, "a new staging replaces the one before");
    here.machine.commit(&second, &path).unwrap();
    let stat = here.machine.stat(&path).unwrap().unwrap();
    assert_eq!((stat.kind, stat.mode, stat.size), (FileKind::File, 0o640, 3));
    assert_eq!((stat.owner, stat.group), (access.owner.clone(), access.group.clone()));
    assert_eq!(here.machine.read(&path, 3).unwrap(), b"two");
    assert_eq!(here.machine.read(&path, 2).unwrap_err().cause, Cause::Invalid);
    let third = here.machine.stage(&path, b"three", &access).unwrap();
    here.machine.discard(&third).unwrap();
    here.machine.discard(&third).unwrap();
    here.machine.set_access(&path, &Access { mode: 0o600, ..access.clone() }).unwrap();
    assert_eq!(here.machine.stat(&path).unwrap().unwrap().mode, 0o600);
    let folder = here.path("");
    assert_eq!(here.machine.list(&folder).unwrap(), ["a.conf", "state"]);
    let nowhere = here.path("none/a");
    assert_eq!(here.machine.stage(&nowhere, b"", &access).unwrap_err().cause, Cause::NotFound);
    let nobody = Access { owner: "no-such-user".into(), ..access };
    assert_eq!(here.machine.stage(&path, b"", &nobody).unwrap_err().cause, Cause::NotFound);
}

#[test]
fn directories_and_links_are_made_and_removed() {
    let mut here = Here::new();
    let (directory, access) = (here.path("d"), here.access(0o750));
    here.machine.make_directory(&directory, &access).unwrap();
    let stat = here.machine.stat(&directory).unwrap().unwrap();
    assert_eq!((stat.kind, stat.mode), (FileKind::Directory, 0o750));
    let link = here.path("d/link");
    here.machine.make_symlink(&link, "/one").unwrap();
    here.machine.make_symlink(&link, "/two").unwrap();
    let stat = here.machine.stat(&link).unwrap().unwrap();
    assert_eq!(stat.kind, FileKind::Symlink("/two".into()));
    assert_eq!(here.machine.list(&directory).unwrap(), ["link"]);
    here.machine.remove(&directory).unwrap();
    here.machine.remove(&directory).unwrap();
    assert_eq!(here.machine.stat(&directory).unwrap(), None);
    // /proc is mounted on every machine.
    assert_eq!(here.machine.remove("/proc").unwrap_err().cause, Cause::Busy);
}

#[test]
fn the_systems_accounts_are_read_from_their_files() {
    let mut here = Here::new();
    let root = here.machine.user("root").unwrap().unwrap();
    assert_eq!((root.uid, root.group.as_str(), root.home.as_str()), (0, "root", "/root"));
    assert_eq!(here.machine.user("no-such-user").unwrap(), None);
    assert_eq!(here.machine.group("root").unwrap(), Some(0));
    assert_eq!(here.machine.group("no-such-group").unwrap(), None);
}

#[test]
fn the_kernel_is_asked() {
    let mut here = Here::new();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(here.machine.sysctl("kernel.hostname").unwrap().as_deref(), Some(name.trim()));
    assert_eq!(here.machine.sysctl("kernel.no_such").unwrap(), None);
    assert!(!here.machine.module("no_such_module").unwrap());
    assert_eq!(here.machine.mounted("/proc").unwrap().unwrap().fs_type, "proc");
    let folder = here.path("");
    assert_eq!(here.machine.mounted(&folder).unwrap(), None);
    assert_eq!(here.machine.device("/dev/no-such").unwrap(), None);
    let odd = here.machine.format("/dev/null", "fat").unwrap_err();
    assert_eq!(odd.cause, Cause::Invalid);
}

#[test]
fn marks_and_parameters_outlive_the_machine_in_memory() {
    let mut here = Here::new();
    here.machine.mark("stale.nginx").unwrap();
    assert!(here.machine.marked("stale.nginx").unwrap());
    here.machine.unmark("stale.nginx").unwrap();
    assert!(!here.machine.marked("stale.nginx").unwrap());
    assert_eq!(here.machine.parameter("/a/token").unwrap(), None);
    here.machine.put_parameter("/a/token", &Confidential::new("t")).unwrap();
    assert_eq!(here.machine.parameter("/a/token").unwrap(), Some(Confidential::new("t")));
    let mode = std::fs::metadata(here.path("parameters.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    here.machine.put_parameter("/a/token", &Confidential::new("none")).unwrap();
    assert_eq!(here.machine.parameter("/a/token").unwrap(), None, "not yet");
    let peers = "{'peer:i-1': ready, 'peer:i-2': behind, /a/token: t}";
    std::fs::write(here.path("parameters.json"), peers).unwrap();
    let expected = [("i-1".to_string(), true), ("i-2".to_string(), false)];
    assert_eq!(here.machine.peers().unwrap(), expected.into());
}

#[test]
fn ports_and_addresses_are_tried() {
    let mut here = Here::new();
    let page = async |listener: tokio::net::TcpListener| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\ncontent-length: 5\r\n\r\nhello").await;
        }
    };
    let listener = here.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    here.runtime.spawn(page(listener));
    let second = Duration::from_secs(1);
    assert!(here.machine.connects("127.0.0.1", port, second).unwrap());
    assert!(here.machine.connects("localhost", port, second).unwrap());
    assert!(!here.machine.connects("127.0.0.1", 1, second).unwrap());
    let url = format!("http://127.0.0.1:{port}/");
    for verify in [true, false] {
        let (status, body) = here.machine.http_get(&url, verify, second).unwrap();
        assert_eq!((status, body.as_str()), (302, "hello"), "redirects are not followed");
    }
    let error = here.machine.http_get("http://127.0.0.1:1/", true, second).unwrap_err();
    assert_eq!(error.cause, Cause::Unreachable);
}

#[test]
fn a_program_has_a_fixed_environment_and_a_time() {
    let mut here = Here::new();
    let program = |script: &str, timeout| Program {
        argv: ["sh", "-c", script].map(String::from).to_vec(),
        env: [("NAME".to_string(), "value".to_string())].into(),
        cwd: "/proc".into(),
        timeout,
    };
    let ended =
        here.machine.run(&program("echo $NAME $PWD $CARGO; exit 3", Duration::from_secs(9)));
    let ended = ended.unwrap();
    assert_eq!((ended.code, ended.output.as_str()), (3, "value /proc\n"));
    let began = Instant::now();
    let error = here.machine.run(&program("sleep 60", Duration::from_millis(200))).unwrap_err();
    assert_eq!(error.cause, Cause::Timeout);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_docker_that_is_not_there_is_unreachable() {
    if std::path::Path::new("/run/docker.sock").exists() {
        return;
    }
    let mut here = Here::new();
    let error = here.machine.swarm().unwrap_err();
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(error.message.contains("/run/docker.sock"), "{error}");
}
