//! `adminKeys` are public keys OpenSSH would accept. What is not one is never
//! repeated in a message: it may be a private key.

use super::{Diagnostic, Model, Rule};

pub(super) const RULE: Rule =
    Rule { id: "admin-key", summary: "Every `adminKeys` entry is an OpenSSH public key.", check };

/// Key types with the base64 of their own name, which every such key begins with.
const TYPES: &[(&str, &str)] = &[
    ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5"),
    ("ssh-rsa", "AAAAB3NzaC1yc2E"),
    ("ecdsa-sha2-nistp256", "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY"),
    ("ecdsa-sha2-nistp384", "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ"),
    ("ecdsa-sha2-nistp521", "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjE"),
    ("sk-ssh-ed25519@openssh.com", "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t"),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20"),
];
/// The shortest key there is, Ed25519, in base64.
const SHORTEST: usize = 68;

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for (index, text) in cluster.spec().network.admin_keys.iter().enumerate() {
            let Some(message) = fault(text) else { continue };
            let pointer = format!("/spec/network/adminKeys/{index}");
            found.push(
                cluster
                    .error(&pointer, &RULE, message)
                    .expected("a line of a .pub file: type, key, comment"),
            );
        }
    }
}

fn fault(text: &str) -> Option<String> {
    if text.contains("PRIVATE KEY") {
        return Some("this is a private key; consider it disclosed".into());
    }
    if text.contains('\n') {
        return Some("the key has several lines".into());
    }
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let kind = words.next().unwrap_or_default();
    let Some((_, begin)) = TYPES.iter().find(|(name, _)| *name == kind) else {
        let known: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        return Some(format!("the key does not begin with one of {}", known.join(", ")));
    };
    let key = words.next().unwrap_or_default();
    let whole = key.len() >= SHORTEST && key.starts_with(begin) && is_base64(key);
    (!whole).then(|| format!("what follows `{kind}` is not such a key"))
}

fn is_base64(text: &str) -> bool {
    let letters = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - letters.len() <= 2
        && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}
