//! What a node runs when it first boots: it fetches the agent by digest through
//! its own role and starts it. Everything else is the agent's.

use super::names::agent_address;
use super::{Draft, nodes};
use crate::address::id_of;
use crate::manifest::cluster::Os;
use crate::site::Site;

/// The script for the nodes of a group, `hub` or `workers`.
pub(crate) fn script(draft: &Draft<'_>, group: &str) -> String {
    let mut script = String::from(
        "#!/bin/bash\n# Written by Lyceum. Runs once, at first boot.\nset -euo pipefail\n",
    );
    script.push_str(&settings(draft, group));
    script.push_str(&keys(draft));
    script.push_str(&session_manager(draft));
    if let Some(agent) = draft.inputs.agents.get(draft.name) {
        script.push_str(
            &FETCH
                .replace("DIGEST", &agent.digest)
                .replace("HOST", &host(draft))
                .replace("BUCKET", &draft.site.bucket(&draft.spec.region))
                .replace("KEY", &id_of(&agent_address(draft, agent))),
        );
    }
    script
}

/// Where the agent finds its pointer; nothing secret.
fn settings(draft: &Draft<'_>, group: &str) -> String {
    let site = draft.site;
    let region = &draft.spec.region;
    let settings = serde_json::json!({
        "bucket": site.bucket(region),
        "cluster": draft.name,
        "group": group,
        "owner": site.owner,
        "parameters": site.parameter_path(draft.name),
        "prefix": Site::object_prefix(draft.name),
        "publicKey": nodes::public_key(draft),
        "region": region,
    });
    format!(
        "install -d -m 0755 /etc/lyceum\ncat > /etc/lyceum/node.json <<'END'\n{settings}\nEND\n"
    )
}

/// The administrators' keys, for the image's own user.
fn keys(draft: &Draft<'_>) -> String {
    let keys = &draft.spec.network.admin_keys;
    if keys.is_empty() {
        return String::new();
    }
    let user = match draft.spec.os {
        Os::Debian12 => "admin",
        Os::Ubuntu2404 => "ubuntu",
        Os::AmazonLinux2023 => "ec2-user",
    };
    let keys = keys.join("\n");
    format!(
        "install -d -m 0700 -o {user} -g {user} /home/{user}/.ssh\n\
         cat >> /home/{user}/.ssh/authorized_keys <<'END'\n{keys}\nEND\n\
         chown {user}:{user} /home/{user}/.ssh/authorized_keys\n\
         chmod 0600 /home/{user}/.ssh/authorized_keys\n"
    )
}

/// Session Manager's agent, which Debian's image lacks; the other systems bring
/// it. Without it the node still works, so that nothing waits for it, and it is
/// tried again until it is there: a service of its own, which shares the lock on
/// packages with Lyceum's agent. Where the image brings an environment of its own,
/// AWS is elsewhere, and it is not tried.
fn session_manager(draft: &Draft<'_>) -> String {
    if draft.spec.os != Os::Debian12 {
        return String::new();
    }
    let suffix = if draft.site.partition == "aws-cn" { ".cn" } else { "" };
    SESSION_MANAGER.replace("REGION", &draft.spec.region).replace("SUFFIX", suffix)
}

fn host(draft: &Draft<'_>) -> String {
    let suffix = if draft.site.partition == "aws-cn" { ".cn" } else { "" };
    let (bucket, region) = (draft.site.bucket(&draft.spec.region), &draft.spec.region);
    format!("{bucket}.s3.{region}.amazonaws.com{suffix}")
}

const SESSION_MANAGER: &str = r#"install -d -m 0755 /usr/local/lib/lyceum
cat > /usr/local/lib/lyceum/session-manager <<'END'
#!/bin/bash
set -euo pipefail
package=$RUNTIME_DIRECTORY/amazon-ssm-agent.deb
curl -fsS -m 120 -o "$package" \
  "https://s3.REGION.amazonaws.comSUFFIX/amazon-ssm-REGION/latest/debian_amd64/amazon-ssm-agent.deb"
# What was cut short before is mended, and then tried again.
apt-get -q -y -o DPkg::Lock::Timeout=300 install "$package" || { dpkg --configure -a; exit 1; }
systemctl enable --now amazon-ssm-agent
touch "$STATE_DIRECTORY/done"
END
chmod 0755 /usr/local/lib/lyceum/session-manager
cat > /etc/systemd/system/lyceum-session-manager.service <<'END'
[Unit]
Description=Session Manager's agent, fetched once
Wants=network-online.target
After=network-online.target
ConditionPathExists=!/var/lib/lyceum-session-manager/done
ConditionPathExists=!/etc/lyceum/environment
StartLimitIntervalSec=0
[Service]
Type=exec
StateDirectory=lyceum-session-manager
RuntimeDirectory=lyceum-session-manager
Environment=DEBIAN_FRONTEND=noninteractive
ExecStart=/usr/local/lib/lyceum/session-manager
RuntimeMaxSec=900
Restart=on-failure
RestartSec=120
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable lyceum-session-manager.service
systemctl start --no-block lyceum-session-manager.service
"#;

/// curl signs the request itself: no package has to be installed first. Every
/// try is bounded, and the digest decides. Where the image brings an environment
/// of its own with another endpoint, buckets are paths of it.
const FETCH: &str = r#"if [ -r /etc/lyceum/environment ]; then
  set -a
  . /etc/lyceum/environment
  set +a
fi
origin="https://HOST"
[ -z "${AWS_ENDPOINT_URL:-}" ] || origin="${AWS_ENDPOINT_URL%/}/BUCKET"
metadata() {
  curl -fsS -m 5 --retry 10 --retry-connrefused --retry-delay 2 \
    -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/$1"
}
fetch() {
  token=$(curl -fsS -m 5 --retry 10 --retry-connrefused --retry-delay 2 -X PUT \
    -H "X-aws-ec2-metadata-token-ttl-seconds: 300" http://169.254.169.254/latest/api/token)
  role=$(metadata meta-data/iam/security-credentials/)
  region=$(metadata meta-data/placement/region)
  credentials=$(metadata "meta-data/iam/security-credentials/$role")
  value() { sed -n "s/^ *\"$1\" *: *\"\([^\"]*\)\".*/\1/p" <<<"$credentials"; }
  curl -fsS -m 300 --retry 3 -o /usr/local/bin/lyceum-agent.new --aws-sigv4 "aws:amz:$region:s3" \
    --user "$(value AccessKeyId):$(value SecretAccessKey)" \
    -H "x-amz-security-token: $(value Token)" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
    "$origin/KEY"
  echo "DIGEST  /usr/local/bin/lyceum-agent.new" | sha256sum -c --quiet
}
for try in $(seq 30); do
  fetch && break
  [ "$try" -lt 30 ] || { echo "lyceum: no agent after $try tries" >&2; exit 1; }
  sleep 10
done
chmod 0755 /usr/local/bin/lyceum-agent.new
mv /usr/local/bin/lyceum-agent.new /usr/local/bin/lyceum-agent
cat > /etc/systemd/system/lyceum-agent.service <<'END'
[Unit]
Description=Lyceum node agent
Wants=network-online.target
After=network-online.target
[Service]
EnvironmentFile=-/etc/lyceum/environment
ExecStart=/usr/local/bin/lyceum-agent run
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
TimeoutStopSec=300
Restart=always
RestartSec=5
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now lyceum-agent.service
"#;
