//! A node with the agent on it, and roles to try there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lyceum_core::node::report::{NodeReport, StepOutcome};
use lyceum_local::{Credentials, Ground, Identity, Node, Options, Place, Spec};
use serde_json::{Value, json};

/// Installing and pulling, on a machine that does other things as well.
const RUN: Duration = Duration::from_secs(300);
const AGENT: &str = "/usr/local/bin/lyceum-agent";

/// A cloud with one node.
pub(crate) struct Real {
    pub(crate) ground: Ground,
    pub(crate) node: Node,
    /// Its facts, as a cluster would give them.
    facts: Value,
}

/// What a run of the agent ended with.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) report: NodeReport,
    pub(crate) log: String,
}

impl Real {
    pub(crate) fn open(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let place = Place::of_this_machine().unwrap();
        let report = |stage: &str| eprintln!("{stage}");
        let options = Options { report: &report, ..Options::named(&name) };
        let ground = Ground::open(&place, &options).unwrap();
        let address = ground.subnet().address(4);
        let mut identity = Identity::of("i-00000000000000001");
        identity.credentials = Some(Credentials::sample("node"));
        let mut spec = Spec::new("node", address, identity);
        ground.volumes().create("vol-1", 64).unwrap();
        spec.volumes.insert("/dev/sdf".into(), "vol-1".into());
        ground.file_systems().create("fs-1").unwrap();
        let node = ground.start_node(&spec).unwrap();
        node.wait_until_ready().unwrap();
        node.copy_in(&agent(), AGENT).unwrap();
        node.write("/parameters.yaml", b"{}", "0600").unwrap();
        let facts = json!({"privateIp": address.to_string(), "parameters": "/lyceum/try"});
        node.write("/facts.yaml", facts.to_string().as_bytes(), "0644").unwrap();
        Self { ground, node, facts }
    }

    /// Lets the node reach a server on this machine; answers its address there.
    pub(crate) fn reach(&self, target: SocketAddr) -> (lyceum_local::Forward, String) {
        let forward = self.ground.forward(0, target).unwrap();
        let url = format!("http://{}", forward.address());
        (forward, url)
    }

    /// Converges to a role with this specification, in YAML.
    pub(crate) fn converge(&self, spec: &str) -> Ran {
        self.run(spec, &["once"])
    }

    /// Runs a command of the agent for a role with this specification.
    pub(crate) fn run(&self, spec: &str, command: &[&str]) -> Ran {
        let head = "apiVersion: lyceum/v1\nkind: Role\n\
            metadata: {name: try, version: 1.0.0, description: A trial.}\nspec:\n";
        let body: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        let role = format!("{head}{body}");
        self.node.write("/roles/try/role.yaml", role.as_bytes(), "0644").unwrap();
        let mut words = vec![AGENT];
        words.extend(command);
        words.extend(["--bundle", "/roles", "--role", "try", "--facts", "/facts.yaml"]);
        words.extend(["--parameters", "/parameters.yaml", "--format", "json"]);
        let output = self.node.run_with(&words, b"", RUN).unwrap();
        let report = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", output.stdout, output.said()));
        Ran { code: output.code, report, log: output.stderr.clone() }
    }

    pub(crate) fn address(&self) -> &str {
        self.facts["privateIp"].as_str().unwrap()
    }

    pub(crate) fn shell(&self, script: &str) -> String {
        self.node.shell(script).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub(crate) fn close(self) {
        self.ground.close().unwrap();
    }
}

impl Ran {
    /// Outcome of a step of the role.
    pub(crate) fn step(&self, name: &str) -> Option<&StepOutcome> {
        let id = format!("try/{name}");
        let step = self.report.steps.iter().find(|step| step.id == id);
        step.map(|step| &step.outcome)
    }

    /// Ids of the steps that were changed.
    pub(crate) fn changed(&self) -> Vec<&str> {
        let changed = self.report.steps.iter().filter(|step| {
            matches!(step.outcome, StepOutcome::Changed { .. } | StepOutcome::Would { .. })
        });
        changed.map(|step| step.id.as_str()).collect()
    }

    /// The run as a person would want to see it in a failed test.
    pub(crate) fn text(&self) -> String {
        let steps: Vec<String> = self
            .report
            .steps
            .iter()
            .map(|step| format!("{}: {:?}", step.id, step.outcome))
            .collect();
        let checks = &self.report.checks;
        format!("exit {:?}\n{}\n{checks:?}\n{}", self.code, steps.join("\n"), self.log)
    }
}

/// The agent beside this test, where `make agent` puts it.
pub(crate) fn agent() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let beside = test.parent().and_then(|deps| deps.parent()).unwrap().join("lyceum-agent");
    assert!(beside.is_file(), "there is no {}: `make agent` builds it", beside.display());
    beside
}

/// A small image in the cloud's registry under a name; its digest.
pub(crate) fn push_image(ground: &Ground, name: &str, content: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let docker = ground.daemon().docker();
    let script = format!(
        "mkdir /r && cd / && for file in bash sleep cat; do \
           cp --parents -L usr/bin/$file $(ldd /usr/bin/$file | grep -o '/lib[^ ]*') /r; done \
         && ln -s usr/bin /r/bin && ln -s bash /r/bin/sh && echo {content} > /r/content \
         && tar -C /r -cf /out/root.tar ."
    );
    let image = lyceum_local::Image::Node.tag();
    let out = format!("{}:/out", folder.path().display());
    docker
        .succeed(&["run", "--rm", "--network=none", "-v", &out, &image, "bash", "-c", &script])
        .unwrap();
    let tag = format!("lyceum-local/agent:{}", ground.name());
    let tar = folder.path().join("root.tar").display().to_string();
    docker.succeed(&["import", "-c", "CMD [\"sleep\", \"infinity\"]", &tar, &tag]).unwrap();
    let digest = ground.registry().push(&tag, name);
    docker.succeed(&["rmi", &tag]).unwrap();
    digest.unwrap()
}
