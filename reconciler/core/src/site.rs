//! Where the clusters live and whose they are: what every name, tag and ARN is
//! made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::Address;

/// Tag of the owner, `lyceum.yaml`'s `owner`.
pub const TAG_OWNER: &str = "lyceum:owner";
/// Tag of the source, the repository's root commit.
pub const TAG_SOURCE: &str = "lyceum:source";
/// Tag of the scope: a cluster's name or `@region`.
pub const TAG_CLUSTER: &str = "lyceum:cluster";
/// Tag of the address.
pub const TAG_ADDRESS: &str = "lyceum:address";
/// Tag of what has no region itself: the one that its cluster is in. It leads to
/// the rest of a cluster that no manifest names any more.
pub const TAG_REGION: &str = "lyceum:region";
/// Tag that protects what holds data; only a consent lifts it.
pub const TAG_PROTECT: &str = "lyceum:protect";
/// Tag with the time of creation, RFC 3339 in UTC. Set once; it tells which of
/// two objects of one address is the older.
pub const TAG_CREATED: &str = "lyceum:created";
/// Prefix of the tags made from a manifest's labels.
pub const TAG_LABEL_PREFIX: &str = "lyceum:label:";
/// The names of the parameters that are ours under a cluster's prefix. What an
/// operator puts there under any other name is never read as ours, changed or
/// removed.
pub const RESERVED_PARAMETERS: &[&str] =
    &["facts", "applied", SWARM_TOKEN, SIGNING_KEY, SIGNING_KEY_PRIVATE];
/// The parameter with the token that workers join the swarm with: the hub alone
/// writes it.
pub const SWARM_TOKEN: &str = "swarm-join-token";
/// The parameter with the public half of the key that pointers are signed with.
pub const SIGNING_KEY: &str = "node-key";
/// The parameter with its private half. No node may read or write it.
pub const SIGNING_KEY_PRIVATE: &str = "node-key-private";

/// CloudWatch metric of a worker: its notebook servers, under
/// [`metrics_namespace`]. The group of workers scales by it.
pub const SESSIONS: &str = "SessionsPerNode";

/// CloudWatch namespace of what a cluster's nodes publish. Clusters of two owners
/// may have one name, and what nodes may publish to is restricted by namespace.
pub fn metrics_namespace(owner: &str, cluster: &str) -> String {
    format!("Lyceum/{owner}/{cluster}")
}

/// Tag of an instance with the operating system its manifest named.
pub const TAG_OS: &str = "lyceum:os";
/// The region of what has none: IAM, Route 53.
pub const GLOBAL: &str = "global";

/// The account and the repository that a desired state is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// `lyceum.yaml`'s `owner`.
    pub owner: String,
    /// The repository's root commit, 40 hex digits.
    pub source: String,
    /// The AWS account, 12 digits.
    pub account: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
}

impl Site {
    /// The scope of what serves all clusters of a region.
    pub fn region_scope(region: &str) -> String {
        format!("@{region}")
    }

    /// The tags that say whose an object is. Their absence makes it foreign.
    pub fn identity(&self, address: &Address) -> BTreeMap<String, String> {
        BTreeMap::from([
            (TAG_OWNER.into(), self.owner.clone()),
            (TAG_SOURCE.into(), self.source.clone()),
            (TAG_CLUSTER.into(), address.scope().into()),
            (TAG_ADDRESS.into(), address.to_string()),
        ])
    }

    /// A short digest of source and account: what makes a globally unique name.
    pub fn short(&self) -> String {
        digest(&format!("{}\n{}", self.source, self.account))[..8].to_string()
    }

    /// The name of the artifact bucket of a region, at most 63 characters.
    pub fn bucket(&self, region: &str) -> String {
        let owner: String = self.owner.chars().take(24).collect();
        format!("{owner}-{}-{region}", self.short())
    }

    /// The name of the queue of a region.
    pub fn queue(&self) -> String {
        format!("{}events", self.rule_prefix())
    }

    /// The name of an event rule of a region.
    pub fn rule(&self, name: &str) -> String {
        format!("{}{name}", self.rule_prefix())
    }

    /// What the names of all event rules of a region begin with.
    pub fn rule_prefix(&self) -> String {
        format!("{}-{}-", self.owner, self.short())
    }

    /// The name of an object that has one, from its cluster and role:
    /// `lyceum-geo-101-hub`. Longer than `limit`, its end becomes a digest.
    pub fn name(&self, scope: &str, name: &str, limit: usize) -> String {
        let full = format!("{}-{}-{name}", self.owner, scope.trim_start_matches('@'));
        if full.len() <= limit {
            return full;
        }
        let head: String = full.chars().take(limit - 9).collect();
        format!("{head}-{}", &digest(&full)[..8])
    }

    /// The IAM path of a cluster's roles and profiles: `/lyceum/geo-101/`.
    pub fn iam_path(&self, cluster: &str) -> String {
        format!("/{}/{cluster}/", self.owner)
    }

    /// The prefix of a cluster's parameters, without a closing slash:
    /// `/lyceum/geo-101`.
    pub fn parameter_path(&self, cluster: &str) -> String {
        format!("/{}/{cluster}", self.owner)
    }

    /// The prefix of a cluster's objects in the artifact bucket.
    pub fn object_prefix(cluster: &str) -> String {
        format!("clusters/{cluster}/")
    }

    /// An ARN in this account: `arn:aws:ssm:us-east-1:123456789012:parameter/x`.
    pub fn arn(&self, service: &str, region: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{}:{resource}", self.partition, self.account)
    }
}

/// SHA-256 of a text, 64 hex digits.
pub fn digest(text: &str) -> String {
    digest_of(text.as_bytes())
}

/// SHA-256 of bytes, 64 hex digits.
pub fn digest_of(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(bytes))
}

/// The ETag that S3 gives bytes which are put in one part: their MD5, 32 hex
/// digits. It tells one content from another and proves nothing.
pub fn etag_of(bytes: &[u8]) -> String {
    use md5::Digest;
    hex(&md5::Md5::digest(bytes))
}

/// Digest and ETag of a content that comes part by part.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint {
    sha256: sha2::Sha256,
    md5: md5::Md5,
}

impl Fingerprint {
    /// The next part.
    pub fn add(&mut self, part: &[u8]) {
        sha2::Digest::update(&mut self.sha256, part);
        md5::Digest::update(&mut self.md5, part);
    }

    /// [`digest_of`] and [`etag_of`] all of it.
    pub fn both(self) -> (String, String) {
        let digest = sha2::Digest::finalize(self.sha256);
        (hex(&digest), hex(&md5::Digest::finalize(self.md5)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_part_by_part_is_the_same() {
        let mut parts = Fingerprint::default();
        parts.add(b"a bun");
        parts.add(b"dle");
        assert_eq!(parts.both(), (digest_of(b"a bundle"), etag_of(b"a bundle")));
        assert_eq!(etag_of(b""), "d41d8cd98f00b204e9800998ecf8427e");
    }

    fn site() -> Site {
        Site {
            owner: "lyceum".into(),
            source: "a".repeat(40),
            account: "123456789012".into(),
            partition: "aws".into(),
        }
    }

    #[test]
    fn long_names_keep_their_limit_and_stay_distinct() {
        let long = "x".repeat(80);
        let (one, two) = (site().name(&long, "hub", 64), site().name(&long, "workers", 64));
        assert_eq!((one.len(), two.len()), (64, 64));
        assert_ne!(one, two);
        assert_eq!(site().name("geo-101", "hub", 64), "lyceum-geo-101-hub");
    }

    #[test]
    fn buckets_differ_by_source_and_account() {
        let other = Site { account: "210987654321".into(), ..site() };
        assert_ne!(site().bucket("us-east-1"), other.bucket("us-east-1"));
        assert!(site().bucket("ap-southeast-1").len() <= 63);
    }
}
