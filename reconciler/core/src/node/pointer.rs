//! The small signed file that tells a group of nodes what to be. Written last:
//! what it names is there already, so that a node never sees half a commit.
//!
//! Its body says what to be and depends on nothing else: the same wish gives
//! the same bytes, so that whether a pointer is up to date shows in a list of
//! the bucket. Sequence, revision and signature go beside it, as metadata of
//! the object. The signature covers all of them.
//!
//! Invariants: a node takes no pointer that is unsigned, altered, of another
//! cluster or group, or older than the last it took.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest body in bytes.
pub const MAX_BODY: usize = 256 * 1024;
/// Names of the metadata beside the body.
const SEQUENCE: &str = "lyceum-sequence";
const REVISION: &str = "lyceum-revision";
const SIGNATURE: &str = "lyceum-signature";

/// What a node is to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// SHA-256 of the bundle, 64 hex digits.
    pub bundle: String,
    /// Its size in bytes.
    pub bundle_size: u64,
    /// The agent that is to run; none where the reconciler carries none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentBinary>,
    /// The roles of the group, in order.
    pub roles: Vec<String>,
    /// Digest of each role in the bundle, of its files alone: tells which roles
    /// a roll-out is about.
    pub role_digests: BTreeMap<String, String>,
    /// Attributes by role, as the cluster's manifest sets them.
    pub attributes: BTreeMap<String, BTreeMap<String, Value>>,
    /// The cluster's manifest, `metadata` and `spec`, defaults filled in.
    pub cluster: Value,
}

/// The agent's binary, at `agents/<digest>` under the cluster's prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentBinary {
    /// SHA-256, 64 hex digits.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
}

/// The body of a pointer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Body {
    /// The cluster it is for.
    pub cluster: String,
    /// The group it is for, `hub` or `workers`.
    pub group: String,
    /// The key it is signed with, base64: so that a list of the bucket tells a
    /// pointer that has to be signed anew. No node trusts it for that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub public_key: String,
    /// What its nodes are to be.
    pub target: Target,
    /// What those are to be meanwhile that are not in `wave`; present during a
    /// roll-out alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Target>,
    /// Instances that take the target already, sorted; only with `previous`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wave: Vec<String>,
}

/// A pointer as it stands in the bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The object's content: a [`Body`] as JSON.
    pub body: String,
    /// Counts up with every writing.
    pub sequence: u64,
    /// The commit it was written for.
    pub revision: String,
    /// ed25519 over sequence, revision and body, base64.
    pub signature: String,
}

impl Target {
    /// What tells two targets apart, 64 hex digits.
    pub fn digest(&self) -> String {
        crate::site::digest(&serde_json::to_string(self).unwrap_or_default())
    }
}

impl Body {
    /// The body as text, the same for the same wish.
    pub fn text(&self) -> String {
        // Plain structs with text keys: serialising them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What an instance is to be.
    pub fn target_of(&self, instance: &str) -> &Target {
        match &self.previous {
            Some(previous) if !self.wave.iter().any(|one| one == instance) => previous,
            _ => &self.target,
        }
    }
}

/// A pointer that a node does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It carries no signature, or one that is not of its content.
    #[error("the pointer is not signed with this cluster's key")]
    Signature,
    /// The node's own key is no key.
    #[error("the node's public key is not an ed25519 key")]
    Key,
    /// It is longer than any pointer.
    #[error("the pointer has more than {MAX_BODY} bytes")]
    TooLarge,
    /// Its body is not what a pointer says.
    #[error("the pointer cannot be read: {0}")]
    Unreadable(String),
    /// It is for other nodes.
    #[error("the pointer is for {0}")]
    Elsewhere(String),
    /// One that was written later was taken already.
    #[error("the pointer is number {found}, and number {taken} was taken already")]
    Older {
        /// Its sequence.
        found: u64,
        /// The last that was taken.
        taken: u64,
    },
}

/// Whose pointers a node takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust<'a> {
    /// The cluster's public key, base64.
    pub public_key: &'a str,
    /// The node's cluster.
    pub cluster: &'a str,
    /// The node's group.
    pub group: &'a str,
    /// The sequence it took last; 0 when none.
    pub taken: u64,
}

/// The public half, base64, of a private key of 32 bytes.
pub fn public_key(private: &[u8; 32]) -> String {
    STANDARD.encode(SigningKey::from_bytes(private).verifying_key().as_bytes())
}

impl Pointer {
    /// A pointer, signed with a private key of 32 bytes.
    pub fn signed(private: &[u8; 32], body: String, sequence: u64, revision: &str) -> Self {
        let revision = revision.to_string();
        let mut pointer = Self { body, sequence, revision, signature: String::new() };
        let signature = SigningKey::from_bytes(private).sign(&pointer.signed_bytes());
        pointer.signature = STANDARD.encode(signature.to_bytes());
        pointer
    }

    /// What stands in the bucket: the body, and beside it metadata by name.
    /// Whatever is missing makes one that no node takes.
    pub fn stored(body: String, metadata: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| metadata(name).unwrap_or_default();
        let sequence = text(SEQUENCE).parse().unwrap_or_default();
        Self { body, sequence, revision: text(REVISION), signature: text(SIGNATURE) }
    }

    /// What is to stand beside the body.
    pub fn metadata(&self) -> [(&'static str, String); 3] {
        [
            (SEQUENCE, self.sequence.to_string()),
            (REVISION, self.revision.clone()),
            (SIGNATURE, self.signature.clone()),
        ]
    }

    /// What it says, if the node may take it.
    pub fn accept(&self, trust: &Trust<'_>) -> Result<Body, Refused> {
        if self.body.len() > MAX_BODY {
            return Err(Refused::TooLarge);
        }
        let key = key(trust.public_key).ok_or(Refused::Key)?;
        let signature = signature(&self.signature).ok_or(Refused::Signature)?;
        key.verify_strict(&self.signed_bytes(), &signature).map_err(|_| Refused::Signature)?;
        let body: Body = serde_json::from_str(&self.body)
            .map_err(|error| Refused::Unreadable(error.to_string()))?;
        if body.cluster != trust.cluster || body.group != trust.group {
            return Err(Refused::Elsewhere(format!("{} of {}", body.group, body.cluster)));
        }
        if self.sequence < trust.taken {
            return Err(Refused::Older { found: self.sequence, taken: trust.taken });
        }
        Ok(body)
    }

    /// Lengths are not needed: neither number nor commit id holds a line break.
    fn signed_bytes(&self) -> Vec<u8> {
        let revision = self.revision.replace('\n', " ");
        format!("lyceum pointer 1\n{}\n{revision}\n{}", self.sequence, self.body).into_bytes()
    }
}

fn key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

fn signature(text: &str) -> Option<Signature> {
    let bytes: [u8; 64] = STANDARD.decode(text).ok()?.try_into().ok()?;
    Some(Signature::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn body() -> Body {
        Body { cluster: "geo-101".into(), group: "hub".into(), ..Body::default() }
    }

    fn refusal(change: impl FnOnce(&mut Pointer)) -> Refused {
        let mut pointer = Pointer::signed(&KEY, body().text(), 4, "abc");
        change(&mut pointer);
        let public_key = public_key(&KEY);
        let trust = Trust { public_key: &public_key, cluster: "geo-101", group: "hub", taken: 4 };
        pointer.accept(&trust).unwrap_err()
    }

    #[test]
    fn a_signed_pointer_says_what_was_signed() {
        let pointer = Pointer::signed(&KEY, body().text(), 4, "abc");
        let public_key = public_key(&KEY);
        let trust = Trust { public_key: &public_key, cluster: "geo-101", group: "hub", taken: 4 };
        assert_eq!(pointer.accept(&trust), Ok(body()));
        assert_eq!(pointer, Pointer::signed(&KEY, body().text(), 4, "abc"));
    }

    #[test]
    fn altered_unsigned_older_and_foreign_pointers_are_refused() {
        assert_eq!(refusal(|it| it.body.push(' ')), Refused::Signature);
        assert_eq!(refusal(|it| it.sequence = 5), Refused::Signature);
        assert_eq!(refusal(|it| it.revision = "abd".into()), Refused::Signature);
        assert_eq!(refusal(|it| it.signature.clear()), Refused::Signature);
        let older = |it: &mut Pointer| *it = Pointer::signed(&KEY, body().text(), 3, "abc");
        assert_eq!(refusal(older), Refused::Older { found: 3, taken: 4 });
        let other = Body { group: "workers".into(), ..body() };
        let foreign = |it: &mut Pointer| *it = Pointer::signed(&KEY, other.text(), 9, "abc");
        assert_eq!(refusal(foreign), Refused::Elsewhere("workers of geo-101".into()));
        let strange = |it: &mut Pointer| *it = Pointer::signed(&[8; 32], body().text(), 9, "abc");
        assert_eq!(refusal(strange), Refused::Signature);
    }

    #[test]
    fn during_a_roll_out_only_the_wave_takes_the_target() {
        let target = Target { bundle: "new".into(), ..Target::default() };
        let previous = Target { bundle: "old".into(), ..Target::default() };
        let mut body = Body { target, previous: Some(previous), ..body() };
        body.wave = vec!["i-1".into()];
        assert_eq!(body.target_of("i-1").bundle, "new");
        assert_eq!(body.target_of("i-2").bundle, "old");
        body.previous = None;
        assert_eq!(body.target_of("i-2").bundle, "new");
    }
}
