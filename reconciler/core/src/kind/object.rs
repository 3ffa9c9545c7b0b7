//! A content-addressed object in the artifact bucket: a node agent, a bundle.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An object whose key ends in the SHA-256 of its content: it is there or not,
/// and written once more where somebody wrote something else, which the list of
/// the bucket tells by size and ETag. The ETag of what is put in one part is its
/// MD5 under the encryption that the bucket has (SSE-S3, owned and put back
/// where it drifts); under SSE-KMS it would be none, and what is stored would be
/// written at every look until the bucket is as it should be. Its id is its key;
/// output `digest`. Untagged; owned through its prefix. The content goes along
/// with the resource, or is a file beside the program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredObject {
    /// The bucket's name.
    pub bucket: String,
    /// The key, ending in the digest.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// Its ETag, the MD5 of the content in hex; empty where nobody knows it.
    pub etag: String,
}

impl StoredObject {
    /// The SHA-256 of the content, 64 hex digits.
    pub fn digest(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }
}

impl Kind for StoredObject {
    const NAME: &'static str = "object";
    const ATTRIBUTES: &'static [(&'static str, Rule)] =
        &[("bucket", Rule::Replace), ("key", Rule::Replace), ("size", Rule::Owned), ("etag", Rule::Owned)];
    const REFERS: &'static [(&'static str, &'static str)] = &[("bucket", "bucket")];
    const READS_TAGS: bool = false;

    /// A reconciler that has no content, such as that of the agent another one
    /// brought, cannot tell whether it was altered.
    fn given(mut self, observed: &Self, _now: i64) -> Self {
        if self.etag.is_empty() {
            self.etag.clone_from(&observed.etag);
        }
        self
    }

    /// Its name says what it is before anybody has stored it.
    fn foretold(&self, output: &str) -> Option<&str> {
        match output {
            "id" => Some(&self.key),
            "digest" => Some(self.digest()),
            _ => None,
        }
    }
}
