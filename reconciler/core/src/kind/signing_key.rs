//! The key that a cluster's pointers are signed with.

use serde::{Deserialize, Serialize};

use super::{Kind, Rule};

/// An ed25519 key in two parameters: the private half encrypted, the public half
/// for everybody to read. Its id is the public parameter's name; output
/// `public_key`, base64. The private half is read when something is signed, and
/// nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The parameter with the public half, `/lyceum/geo-101/node-key`.
    pub name: String,
    /// The parameter with the private half.
    pub private_name: String,
    /// The private half is there. Where it is lost nothing can be signed any
    /// more: only another key helps, which running nodes do not know.
    pub private_half: bool,
    /// The public half is there. It is made again from the private one.
    pub public_half: bool,
}

impl Kind for SigningKey {
    const NAME: &'static str = "signing-key";
    const ATTRIBUTES: &'static [(&'static str, Rule)] = &[
        ("name", Rule::Replace),
        ("private_name", Rule::Replace),
        ("private_half", Rule::Replace),
        ("public_half", Rule::Owned),
    ];
    const READS_TAGS: bool = false;
    /// Another key is one that no running node believes.
    const DISRUPTS: bool = true;
}
