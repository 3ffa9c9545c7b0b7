//! Client tokens: a create that is sent again, by this process or by the next
//! one, makes nothing twice.

use lyceum_core::desired::Resource;
use lyceum_core::site::digest;

/// 64 hex digits, the most that services take.
pub(crate) fn token(source: &str, resource: &Resource, life: u32) -> String {
    let tags: Vec<_> = resource.tags.iter().collect();
    let body = resource.body.attributes();
    digest(&format!("{source}\n{}\n{body}\n{tags:?}\n{life}", resource.address))
}
