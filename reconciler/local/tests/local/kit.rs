//! What the tests share: a cloud that says how long its stages took.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Instant;

use lyceum_local::{Credentials, Ground, Identity, Node, Options, Place, Spec};

/// A cloud whose stages are timed.
pub(crate) struct Cloud {
    pub(crate) ground: Ground,
    stages: Stages,
}

impl Cloud {
    pub(crate) fn open(name: &str) -> Self {
        let mut stages = Stages::of(name);
        let ground = Ground::open(&place(), &options(name)).unwrap();
        stages.done("ground");
        Self { ground, stages }
    }

    /// The address of the node with this number.
    pub(crate) fn address(&self, number: u8) -> Ipv4Addr {
        self.ground.subnet().address(number + 3)
    }

    pub(crate) fn spec(&self, name: &str, number: u8) -> Spec {
        let mut identity = Identity::of(&format!("i-{number:017x}"));
        identity.credentials = Some(Credentials::sample("node"));
        Spec::new(name, self.address(number), identity)
    }

    /// A node whose Docker is ready.
    pub(crate) fn node(&mut self, spec: &Spec) -> Node {
        let node = self.ground.start_node(spec).unwrap();
        node.wait_until_ready().unwrap_or_else(|error| panic!("{error}\n{:?}", node.journal(60)));
        self.stages.done(&format!("{} ready", spec.name));
        node
    }

    pub(crate) fn done(&mut self, stage: &str) {
        self.stages.done(stage);
    }

    pub(crate) fn close(mut self) {
        self.ground.close().unwrap();
        self.stages.done("everything gone");
        self.stages.print();
    }
}

/// Unique among the tests that run at once, also of other checkouts.
pub(crate) fn options(name: &str) -> Options<'static> {
    let name = format!("{name}-{}", std::process::id());
    Options { report: &|stage| say(stage), ..Options::named(&name) }
}

pub(crate) fn place() -> Place {
    Place::of_this_machine().unwrap()
}

/// Straight to the terminal: a test that passes has its output swallowed.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Asks the metadata service as a program on the node does.
pub(crate) fn metadata(node: &Node, path: &str) -> String {
    node.shell(&format!(
        "token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
         http://169.254.169.254/latest/api/token); \
         curl -fsS -m 5 -H \"X-aws-ec2-metadata-token: $token\" http://169.254.169.254/latest/{path}"
    ))
    .unwrap()
}

/// A small image, in the daemon that nodes run on, and its tag.
pub(crate) fn small_image(ground: &Ground, content: &str) -> String {
    let folder = std::env::temp_dir().join(format!("lyceum-{}", ground.name()));
    std::fs::create_dir_all(&folder).unwrap();
    let _gone = Gone(folder.clone());
    let docker = ground.daemon().docker();
    let script = format!(
        "mkdir /r && cd / && for file in bash cat timeout; do \
           cp --parents -L usr/bin/$file $(ldd /usr/bin/$file | grep -o '/lib[^ ]*') /r; done \
         && ln -s usr/bin /r/bin && echo {content} > /r/content && tar -C /r -cf /out/root.tar ."
    );
    let (image, out) = (lyceum_local::Image::Node.tag(), format!("{}:/out", folder.display()));
    docker
        .succeed(&["run", "--rm", "--network=none", "-v", &out, &image, "sh", "-c", &script])
        .unwrap();
    let tag = format!("lyceum-local/small:{}-{content}", ground.name());
    docker.succeed(&["import", &folder.join("root.tar").display().to_string(), &tag]).unwrap();
    tag
}

struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Stages {
    name: String,
    last: Instant,
    text: String,
}

impl Stages {
    fn of(name: &str) -> Self {
        Self { name: name.to_owned(), last: Instant::now(), text: String::new() }
    }

    fn done(&mut self, stage: &str) {
        self.text += &format!("  {:6.2} s  {stage}\n", self.last.elapsed().as_secs_f32());
        self.last = Instant::now();
    }

    fn print(&self) {
        say(&format!("\n{}:\n{}", self.name, self.text));
    }
}
