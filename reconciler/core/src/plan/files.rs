//! What changes in the roles' files with a bundle, line by line: so that whoever
//! changes a role sees what a node will get before it does.
//!
//! Both sides come from the repository: the bundle that is wished for, and the
//! one of the applied revision where it is the one that nodes have now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::address::{Address, refs_in};
use crate::desired::Resource;
use crate::kind::{Body, Pointer, StoredObject};
use crate::node::bundle::Bundle;

use super::change::{AttributeChange, Reason};
use super::diff;
use super::draft::Draft;

/// Most files that are shown; the digests of the roles tell of the rest.
const MOST_FILES: usize = 50;
/// Largest text that is shown, in bytes.
const LARGEST_TEXT: usize = 64 * 1024;

/// `role/path` to content.
type Files = BTreeMap<(String, String), Vec<u8>>;

impl Draft<'_> {
    /// The changed files behind a change of a pointer's bundle; none where one
    /// of the two bundles is not at hand.
    pub(super) fn role_files(
        &self,
        wish: &Resource,
        seen: &Body,
        reason: &Reason,
    ) -> Vec<AttributeChange> {
        let (Body::Pointer(wanted), Body::Pointer(seen)) = (&wish.body, seen) else {
            return Vec::new();
        };
        let after = self.wished_bundle(wanted);
        let before = self.bundle_of(wish.address.scope(), seen);
        let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
        if before == after {
            return Vec::new();
        }
        match (files(&before), files(&after)) {
            (Some(before), Some(after)) => differences(&before, &after, reason),
            _ => Vec::new(),
        }
    }

    fn wished_bundle(&self, pointer: &Pointer) -> Option<Arc<[u8]>> {
        let reference = refs_in(pointer.target["bundle"].as_str()?).pop()?;
        self.desired.resources.get(&reference.address)?.along.content.clone()
    }

    /// The bundle that a pointer names, as the repository made it then.
    fn bundle_of(&self, scope: &str, pointer: &Pointer) -> Option<Arc<[u8]>> {
        let digest = pointer.target["bundle"].as_str()?;
        let named = |resource: &&Resource| match &resource.body {
            Body::StoredObject(stored) => {
                resource.address.scope() == scope && stored.digest() == digest
            }
            _ => false,
        };
        let applied = self.context.applied.get(scope).into_iter().flat_map(|all| all.values());
        let wished = self.desired.resources.range(first_object(scope)..);
        let wished = wished.map(|(_, resource)| resource);
        let wished = wished.take_while(|resource| resource.address.scope() == scope);
        applied.chain(wished).find(named)?.along.content.clone()
    }
}

fn first_object(scope: &str) -> Address {
    Address::new(scope, <StoredObject as crate::kind::Kind>::NAME, "")
}

fn files(bundle: &[u8]) -> Option<Files> {
    let roles = Bundle::unpack(bundle).ok()?.roles.into_iter();
    let of_role = |(role, it): (String, crate::node::bundle::Role)| {
        it.files.into_iter().map(move |(path, content)| ((role.clone(), path), content))
    };
    Some(roles.flat_map(of_role).collect())
}

fn differences(before: &Files, after: &Files, reason: &Reason) -> Vec<AttributeChange> {
    let names: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let change = |name: &(String, String)| AttributeChange {
        path: diff::step(&format!("roles.{}", name.0), &name.1),
        before: shown(before.get(name)),
        after: shown(after.get(name)),
        reason: reason.clone(),
    };
    changed.take(MOST_FILES).map(change).collect()
}

/// A file's content; of one that is no text, or a very long one, what tells it
/// from another.
fn shown(content: Option<&Vec<u8>>) -> Value {
    let Some(content) = content else { return Value::Null };
    match std::str::from_utf8(content) {
        Ok(text) if content.len() <= LARGEST_TEXT && !text.contains('\0') => text.into(),
        _ => {
            format!("({} bytes, sha256 {})", content.len(), crate::site::digest_of(content)).into()
        }
    }
}
