//! The service on a real node, from its first pointer to its own update, with
//! S3 on this machine.

use std::time::{Duration, Instant};

use lyceum_core::node::pointer::{AgentBinary, Target, public_key};
use lyceum_core::node::report::{NodeReport, StepOutcome};
use lyceum_core::site::digest_of;
use serde_json::{Value, json};

use super::kit::{Real, agent};
use crate::cloud::BUCKET;
use crate::following::{KEY, Site, body, signed};

const INSTANCE: &str = "i-00000000000000001";
const UNIT: &str = "[Unit]\nDescription=Lyceum node agent\n[Service]\n\
    EnvironmentFile=-/etc/lyceum/environment\nExecStart=/usr/local/bin/lyceum-agent run\n\
    ExecReload=/bin/kill -HUP $MAINPID\nKillMode=mixed\nTimeoutStopSec=300\n\
    Restart=always\nRestartSec=1\n[Install]\nWantedBy=multi-user.target\n";
/// Far longer than anything here takes.
const WITHIN: Duration = Duration::from_secs(90);

struct Life {
    real: Real,
    site: Site,
    _forward: lyceum_local::Forward,
}

#[test]
fn a_node_lives_with_its_pointer() {
    let mut life = Life::begin();
    life.converges_and_is_small();
    life.looks_at_once_when_told();
    life.looks_as_often_as_it_should();
    life.stays_what_it_is_without_s3_through_a_power_cut();
    life.ends_after_the_step_in_flight();
    life.says_who_holds_the_lock();
    life.survives_being_killed_anywhere();
    life.updates_itself();
    life.refuses_a_broken_update();
    life.gives_its_place_back();
    life.tells_no_secret();
    life.real.close();
}

impl Life {
    fn begin() -> Self {
        let real = Real::open("agent-life");
        let site = Site::new();
        let credentials = ("ASIALOCALSAMPLE00000".to_string(), "local-sample-token".to_string());
        site.cloud.state().trusted = Some(credentials);
        let target = site.cloud.url.trim_start_matches("http://").parse().unwrap();
        let (forward, url) = real.reach(target);
        let settings = json!({
            "bucket": BUCKET, "cluster": "geo-101", "group": "workers", "owner": "dept",
            "parameters": "/lyceum/geo-101", "prefix": "clusters/geo-101/",
            "region": "us-east-1", "publicKey": public_key(&KEY),
        });
        let write =
            |path: &str, text: &str| real.node.write(path, text.as_bytes(), "0644").unwrap();
        write("/etc/lyceum/node.json", &settings.to_string());
        write("/etc/lyceum/environment", &format!("AWS_ENDPOINT_URL={url}\n"));
        write("/etc/systemd/system/lyceum-agent.service", UNIT);
        real.shell("systemctl daemon-reload; systemctl enable --now -q lyceum-agent");
        Self { real, site, _forward: forward }
    }

    fn converges_and_is_small(&mut self) {
        self.point_to_greeting("one");
        let report = self.wait_ready();
        assert_eq!(self.greeting(), "one");
        assert_eq!(report.facts.instance_id, INSTANCE);
        assert_eq!(report.facts.os, "debian-12");
        assert_eq!(report.facts.private_ip, self.real.address());
        let memory =
            "awk '/VmHWM/{print $2}' /proc/$(systemctl show -P MainPID lyceum-agent)/status";
        let kib: u64 = self.real.shell(memory).parse().unwrap();
        assert!(kib < 30 * 1024, "it took {kib} KiB at most");
        let size = std::fs::metadata(agent()).unwrap().len();
        assert!(size <= 15 * 1024 * 1024, "the agent has {size} bytes");
        let linked = self.real.shell("ldd /usr/local/bin/lyceum-agent 2>&1 || true");
        assert!(
            linked.contains("statically linked") || linked.contains("not a dynamic"),
            "{linked}"
        );
    }

    fn looks_at_once_when_told(&mut self) {
        self.point_to_greeting("two");
        let began = Instant::now();
        self.real.shell("systemctl reload lyceum-agent");
        self.wait("the new greeting", |life| life.greeting() == "two");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        self.wait_ready();
        self.real.shell("echo vandalised > /etc/greeting; systemctl reload lyceum-agent");
        self.wait("the repair", |life| life.greeting() == "two");
    }

    fn looks_as_often_as_it_should(&mut self) {
        let calm = self.gap_of_looks();
        assert!((6..=12).contains(&calm.as_secs()), "{calm:?}");
        let old = self.greeting_target("two");
        let mut rolling = body(self.greeting_target("three"));
        rolling.previous = Some(old);
        rolling.wave = vec!["i-another".into()];
        self.site.sequence += 1;
        self.site.write(&signed(rolling.clone(), self.site.sequence));
        self.real.shell("systemctl reload lyceum-agent");
        let sequence = self.site.sequence;
        self.wait("the roll-out to be seen", |life| life.sequence() == sequence);
        let quick = self.gap_of_looks();
        assert!(quick < Duration::from_secs(7), "{quick:?}");
        assert_eq!(self.greeting(), "two", "it waits for its wave");
        rolling.wave.insert(0, INSTANCE.into());
        self.site.sequence += 1;
        self.site.write(&signed(rolling, self.site.sequence));
        self.wait("its wave", |life| life.greeting() == "three");
        self.point_to_greeting("three");
        self.real.shell("systemctl reload lyceum-agent");
        self.wait_ready();
    }

    fn stays_what_it_is_without_s3_through_a_power_cut(&mut self) {
        self.site.cloud.state().away = true;
        self.real.shell("echo vandalised > /etc/greeting; sync");
        self.real.node.cut_power().unwrap();
        self.real.node.start().unwrap();
        self.real.node.wait_until_ready().unwrap();
        self.wait("the repair without S3", |life| life.greeting() == "three");
        self.site.cloud.state().away = false;
        self.wait_ready();
    }

    fn ends_after_the_step_in_flight(&mut self) {
        let command = |name: &str, script: &str| {
            let done = format!("/srv/{name}");
            let script = format!("{script}; touch {done}");
            json!({"name": name, "command": {"run": ["sh", "-c", script], "unless": {"exists": done}}})
        };
        let steps = [command("first", "touch /srv/begun; sleep 10"), command("second", "true")];
        let target = self.site.target_of(json!({"steps": steps}));
        self.site.point(target);
        self.real.shell("systemctl reload lyceum-agent");
        self.wait("the first step", |life| life.there("/srv/begun"));
        self.real.shell("systemctl stop lyceum-agent");
        assert!(self.there("/srv/first"), "the step in flight was done");
        assert!(!self.there("/srv/second"), "no other was begun");
        let result = self.real.shell("systemctl show -P Result lyceum-agent");
        assert_eq!(result, "success");
        self.real.shell("systemctl start lyceum-agent");
        self.wait("the second step", |life| life.there("/srv/second"));
        self.wait_ready();
    }

    fn says_who_holds_the_lock(&mut self) {
        let script = "flock --no-fork /var/lib/lyceum/lock sh -c 'touch /tmp/held; exec sleep 20' & \
            until [ -e /tmp/held ]; do sleep 0.1; done; \
            lyceum-agent once --wait 1; echo code $?; kill %1";
        let output = self.real.node.run(&["bash", "-c", script]).unwrap();
        assert!(output.stdout.contains("code 6"), "{}", output.said());
        assert!(output.said().contains("another run goes on"), "{}", output.said());
    }

    /// Killed after 10 ms, 20 ms, …: whatever it was doing, the next run
    /// converges, and nothing of the killed one is left.
    fn survives_being_killed_anywhere(&mut self) {
        self.real.shell("systemctl stop lyceum-agent");
        let file = |name: &str| {
            let path = format!("/srv/killed/{name}");
            json!({"name": name, "file": {"path": path, "content": "x\n", "mode": "0600"}})
        };
        let unit =
            "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
        let steps = json!([
            {"name": "folder", "directory": {"path": "/srv/killed"}},
            file("a"), file("b"), file("c"),
            {"name": "unit", "unit": {"name": "killed.service", "content": unit}},
            {"name": "service", "service": {"unit": "killed.service", "watches": ["unit", "c"]}},
            {"name": "package", "package": {"install": ["lyceum-sample"]}},
            file("z"),
        ]);
        let target = self.site.target_of(json!({"steps": steps}));
        self.site.point(target);
        let damage = "rm -rf /srv/killed; rm -f /etc/systemd/system/killed.service; \
            systemctl daemon-reload; dpkg -r lyceum-sample >/dev/null 2>&1 || true";
        self.real.shell(damage);
        for tenths in [0, 1, 2, 3, 5, 8, 12, 18, 25] {
            let seconds = format!("{}.{}", tenths / 10, (tenths % 10).max(1));
            let kill =
                format!("timeout -s KILL {seconds} lyceum-agent once --wait 5 >/dev/null 2>&1");
            let _ = self.real.node.run(&["bash", "-c", &kill]);
        }
        let once = "lyceum-agent once --format json 2>/tmp/log || { cat /tmp/log; false; }";
        let last: NodeReport = serde_json::from_str(&self.real.shell(once)).unwrap();
        assert!(last.ready, "{last:?}");
        let again: NodeReport = serde_json::from_str(&self.real.shell(once)).unwrap();
        let changed = again.steps.iter().filter(|step| step.outcome != StepOutcome::Unchanged);
        assert_eq!(changed.count(), 0, "{again:?}");
        self.real.shell(
            "test \"$(ls -A /srv/killed | tr '\\n' ' ')\" = 'a b c z '; \
             test -z \"$(ls /var/lib/lyceum/marks)\"; systemctl is-active -q killed; \
             ! ls -A /etc/systemd/system | grep -q lyceum-new; systemctl start lyceum-agent",
        );
        self.wait_ready();
    }

    /// A program with a byte more is another program that does the same.
    fn updates_itself(&mut self) {
        let mut new = std::fs::read(agent()).unwrap();
        let old = digest_of(&new);
        assert_eq!(self.report().unwrap().agent.digest, old);
        new.push(b'\n');
        let digest = self.upload(&new);
        self.wait("the new agent", |life| life.agent() == digest);
        // The new one says so as soon as it is tried, before it takes the old one's place.
        let place = "sha256sum < /usr/local/bin/lyceum-agent";
        self.wait("it in its place", |life| life.real.shell(place).starts_with(&digest));
        self.wait("its confirmation", |life| !life.there("/var/lib/lyceum/agent.trial.json"));
        self.wait_ready();
        self.real.shell("systemctl restart lyceum-agent");
        self.wait_ready();
    }

    fn refuses_a_broken_update(&mut self) {
        let before = self.agent();
        let script = b"#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho no good >&2\nexit 139\n";
        self.upload(script);
        self.wait("the refusal", |life| {
            life.report().is_some_and(|report| {
                report.steps.iter().any(|step| {
                    step.id == "agent"
                        && matches!(&step.outcome, StepOutcome::Failed { error, .. }
                            if error.contains("no good"))
                })
            })
        });
        assert_eq!(self.agent(), before);
        assert!(!self.report().unwrap().ready);
        self.point_to_greeting("four");
        self.wait_ready();
        assert_eq!(self.greeting(), "four");
    }

    fn gives_its_place_back(&mut self) {
        self.real.shell("systemctl stop lyceum-agent");
        let now = self.agent();
        let original = std::fs::read(agent()).unwrap();
        let trial = json!({"digest": now, "starts": 3}).to_string();
        self.real.node.write("/var/lib/lyceum/agent.trial.json", trial.as_bytes(), "0600").unwrap();
        self.real.node.write("/var/lib/lyceum/agent.previous", &original, "0700").unwrap();
        self.real.shell("systemctl start lyceum-agent");
        self.wait("the previous agent", |life| life.agent() == digest_of(&original));
        let rejected = self.real.shell("cat /var/lib/lyceum/agent.rejected.json");
        assert!(rejected.contains(&now), "{rejected}");
    }

    fn tells_no_secret(&self) {
        let journal = self.real.shell("journalctl -u lyceum-agent --no-pager -o cat");
        assert!(journal.contains("took the pointer"), "{journal}");
        let report = serde_json::to_string(&self.report()).unwrap();
        let kept = self.real.shell("cat /var/lib/lyceum/*.json");
        for secret in ["local-sample-secret", "local-sample-token"] {
            for text in [&journal, &report, &kept] {
                assert!(!text.contains(secret), "{secret} is in {text}");
            }
        }
    }

    fn greeting_target(&self, text: &str) -> Target {
        let file = json!({"path": "/etc/greeting", "content": text});
        self.site.target_of(json!({"steps": [{"name": "greeting", "file": file}]}))
    }

    fn point_to_greeting(&mut self, text: &str) {
        let target = self.greeting_target(text);
        self.site.point(target);
    }

    /// Uploads an agent and points to it.
    fn upload(&mut self, program: &[u8]) -> String {
        let agent = AgentBinary { digest: digest_of(program), size: program.len() as u64 };
        self.site.cloud.put(&format!("clusters/geo-101/agents/{}", agent.digest), program);
        let digest = agent.digest.clone();
        let target = Target { agent: Some(agent), ..self.greeting_target("three") };
        self.site.point(target);
        self.real.shell("systemctl reload lyceum-agent");
        digest
    }

    fn greeting(&self) -> String {
        self.real.shell("cat /etc/greeting 2>/dev/null || true")
    }

    fn there(&self, path: &str) -> bool {
        self.real.node.run(&["test", "-e", path]).unwrap().success()
    }

    fn report(&self) -> Option<NodeReport> {
        self.site.report_of(INSTANCE)
    }

    fn agent(&self) -> String {
        self.report().map(|report| report.agent.digest).unwrap_or_default()
    }

    fn sequence(&self) -> u64 {
        self.report().map_or(0, |report| report.pointer.sequence)
    }

    /// Between the last two looks at the pointer, from now on.
    fn gap_of_looks(&self) -> Duration {
        let looks = || self.site.cloud.state().times_of("pointers/workers.json");
        let before = looks().len();
        self.wait("two looks", |_| looks().len() >= before + 2);
        let looks = looks();
        looks[looks.len() - 1] - looks[looks.len() - 2]
    }

    /// Ready, at the newest pointer.
    fn wait_ready(&self) -> NodeReport {
        let ready =
            |report: &NodeReport| report.ready && report.pointer.sequence == self.site.sequence;
        self.wait("the node to be ready", |life| life.report().is_some_and(|it| ready(&it)));
        self.report().unwrap()
    }

    fn wait(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            if began.elapsed() > WITHIN {
                let journal = self.real.shell("journalctl -u lyceum-agent --no-pager -n 60");
                let report: Value = serde_json::to_value(self.report()).unwrap();
                panic!("waited for {what}:\n{journal}\n{report:#}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
