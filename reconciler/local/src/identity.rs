//! Who a node is to the metadata service: an instance's facts as AWS lays them
//! out, by path.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::json;

/// What an instance is told about itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `i-…`.
    pub instance_id: String,
    /// Its type, `t3.medium`.
    pub instance_type: String,
    /// Its image, `ami-…`.
    pub image_id: String,
    /// The account it is in.
    pub account: String,
    /// Its zone; the region is that without its letter.
    pub zone: String,
    /// Whether it can be taken away.
    pub spot: bool,
    /// Its tags, as far as the metadata service shows them.
    pub tags: BTreeMap<String, String>,
    /// Its role's credentials.
    pub credentials: Option<Credentials>,
    /// What it runs at first boot.
    pub user_data: Option<String>,
    /// How many hops an answer lives: with 1, none reaches a container inside.
    pub hop_limit: u32,
    /// The time (Unix seconds) at which it is taken away, once that is said.
    pub interruption: Option<u64>,
    /// The time of the recommendation to move elsewhere, once that is said.
    pub rebalance: Option<u64>,
}

/// Credentials of an instance's role.
#[derive(Clone)]
pub struct Credentials {
    /// The role's name.
    pub role: String,
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// The session's token.
    pub token: String,
    /// How long an answer says they last, from when it is asked for.
    pub last_seconds: u64,
}

/// Never the secrets.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Any, for an emulator that does not look at them.
    pub fn sample(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            access_key_id: "ASIALOCALSAMPLE00000".to_owned(),
            secret_access_key: "local-sample-secret".to_owned(),
            token: "local-sample-token".to_owned(),
            last_seconds: 6 * 3_600,
        }
    }
}

impl Identity {
    /// An instance with everything else as it is by default.
    pub fn of(instance_id: &str) -> Self {
        Self {
            instance_id: instance_id.to_owned(),
            instance_type: "t3.medium".to_owned(),
            image_id: "ami-0123456789abcdef0".to_owned(),
            account: "123456789012".to_owned(),
            zone: "us-east-1a".to_owned(),
            spot: false,
            tags: BTreeMap::new(),
            credentials: None,
            user_data: None,
            hop_limit: 1,
            interruption: None,
            rebalance: None,
        }
    }

    /// The region its zone is in.
    pub fn region(&self) -> &str {
        self.zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase())
    }

    /// Every path below the version and its text, at `address` and `now`.
    pub(crate) fn tree(&self, address: Ipv4Addr, now: u64) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        self.facts(address, &mut tree);
        for (key, value) in &self.tags {
            tree.insert(format!("meta-data/tags/instance/{key}"), value.clone());
        }
        if let Some(credentials) = &self.credentials {
            self.role(credentials, now, &mut tree);
        }
        if let Some(at) = self.interruption {
            let notice = json!({ "action": "terminate", "time": time(at) });
            tree.insert("meta-data/spot/instance-action".to_owned(), notice.to_string());
            tree.insert("meta-data/spot/termination-time".to_owned(), time(at));
        }
        if let Some(at) = self.rebalance {
            let notice = json!({ "noticeTime": time(at) });
            let path = "meta-data/events/recommendations/rebalance";
            tree.insert(path.to_owned(), notice.to_string());
        }
        if let Some(user_data) = &self.user_data {
            tree.insert("user-data".to_owned(), user_data.clone());
        }
        tree
    }

    fn facts(&self, address: Ipv4Addr, tree: &mut BTreeMap<String, String>) {
        let name = format!("ip-{}.ec2.internal", address.to_string().replace('.', "-"));
        let life_cycle = if self.spot { "spot" } else { "on-demand" };
        for (path, value) in [
            ("ami-id", self.image_id.as_str()),
            ("hostname", &name),
            ("instance-id", &self.instance_id),
            ("instance-life-cycle", life_cycle),
            ("instance-type", &self.instance_type),
            ("local-hostname", &name),
            ("local-ipv4", &address.to_string()),
            ("placement/availability-zone", &self.zone),
            ("placement/region", self.region()),
            ("services/domain", "amazonaws.com"),
            ("services/partition", "aws"),
        ] {
            tree.insert(format!("meta-data/{path}"), value.to_owned());
        }
        let document = json!({
            "accountId": self.account,
            "architecture": std::env::consts::ARCH,
            "availabilityZone": self.zone,
            "imageId": self.image_id,
            "instanceId": self.instance_id,
            "instanceType": self.instance_type,
            "privateIp": address.to_string(),
            "region": self.region(),
            "version": "2017-09-30",
        });
        tree.insert("dynamic/instance-identity/document".to_owned(), format!("{document:#}"));
    }

    fn role(&self, credentials: &Credentials, now: u64, tree: &mut BTreeMap<String, String>) {
        let arn = format!("arn:aws:iam::{}:instance-profile/{}", self.account, credentials.role);
        let profile = json!({
            "Code": "Success",
            "InstanceProfileArn": arn,
            "InstanceProfileId": "AIPALOCALSAMPLE00000",
            "LastUpdated": time(now),
        });
        tree.insert("meta-data/iam/info".to_owned(), format!("{profile:#}"));
        // A field a line, as AWS writes it: shell scripts read it so.
        let answer = json!({
            "AccessKeyId": credentials.access_key_id,
            "Code": "Success",
            "Expiration": time(now + credentials.last_seconds),
            "LastUpdated": time(now),
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.token,
            "Type": "AWS-HMAC",
        });
        let path = format!("meta-data/iam/security-credentials/{}", credentials.role);
        tree.insert(path, format!("{answer:#}"));
    }
}

/// As AWS writes times.
fn time(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .unwrap_or_default()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_as_shell_scripts_read_them_and_never_in_a_log() {
        let mut identity = Identity::of("i-1");
        identity.credentials = Some(Credentials::sample("role"));
        let tree = identity.tree(Ipv4Addr::new(10, 0, 0, 4), 1_700_000_000);
        let text = &tree["meta-data/iam/security-credentials/role"];
        assert!(text.lines().any(|line| line.trim() == "\"Code\": \"Success\","), "{text}");
        assert!(text.contains("\"Expiration\": \"2023-11-15T04:13:20Z\""), "{text}");
        assert!(!format!("{identity:?}").contains("local-sample-secret"));
    }

    #[test]
    fn the_region_is_the_zones() {
        assert_eq!(Identity::of("i-1").region(), "us-east-1");
    }
}
