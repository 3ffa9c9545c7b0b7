//! Nodes' reports in the artifact bucket. Nodes write them; a list tells where
//! one is, its ETag and when it came.

use std::sync::Arc;

use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::{NodeReport, Said};
use lyceum_core::observed::Object;

use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::stored::{self, Stored};

/// Most bytes of a report that is read; a node that tells more is not heard.
const MAX_REPORT: u64 = lyceum_core::node::report::MAX_REPORT as u64;

/// The reports among what is stored.
pub(crate) fn listing(clients: &Clients, stored: &[Stored]) -> Listing {
    let mut listing = Listing::default();
    for one in stored {
        let Stored { bucket, key, size, .. } = one;
        let Some(address) = address(key) else { continue };
        let body = NodeReport { bucket: bucket.clone(), key: key.clone(), size: *size, said: None };
        let outputs = one.version();
        let found = Found { id: key.clone(), tags: Default::default(), outputs, body: body.into() };
        listing.push(address, &clients.region, found);
    }
    listing
}

/// What a report says; none where it is gone.
pub(crate) async fn read(
    clients: &Clients,
    object: &Object,
    seen: &NodeReport,
) -> Result<Option<Object>, CloudError> {
    if seen.size > MAX_REPORT {
        let why = format!("it has {} bytes, {MAX_REPORT} are read at most", seen.size);
        return Ok(Some(saying(object, seen, Said::Unreadable(why))));
    }
    let place = (seen.bucket.as_str(), seen.key.as_str());
    let Some(found) = stored::read(clients, place, MAX_REPORT).await? else { return Ok(None) };
    let said = match found.bytes {
        Some(bytes) => Said::parse(&bytes),
        None => Said::Unreadable("it has grown too long".into()),
    };
    let mut whole = saying(object, seen, said);
    whole.outputs.insert("etag".into(), found.etag);
    Ok(Some(whole))
}

/// Nodes make their reports.
pub(crate) async fn create(
    _clients: &Clients,
    _resource: &Resource,
    _want: &NodeReport,
) -> Result<Outputs, CloudError> {
    Err(CloudError::new(Class::Invalid, "node-report", "a report is made by its node"))
}

/// Nothing of a report is ours to change.
pub(crate) async fn update(
    _clients: &Clients,
    _before: (&Object, &NodeReport),
    _after: (&Resource, &NodeReport),
) -> Result<Outputs, CloudError> {
    Ok(Outputs::new())
}

/// Removes the current version; the bucket keeps it for its days.
pub(crate) async fn delete(
    clients: &Clients,
    _object: &Object,
    seen: &NodeReport,
) -> Result<(), CloudError> {
    stored::remove(clients, (&seen.bucket, &seen.key)).await
}

fn saying(object: &Object, seen: &NodeReport, said: Said) -> Object {
    let body = NodeReport { said: Some(Arc::new(said)), ..seen.clone() };
    Object { body: body.into(), ..object.clone() }
}

/// `clusters/geo-101/nodes/i-0123.json` is `geo-101/node-report/i-0123`.
fn address(key: &str) -> Option<Address> {
    let (cluster, rest) = key.strip_prefix("clusters/")?.split_once('/')?;
    let id = rest.strip_prefix("nodes/")?.strip_suffix(".json")?;
    let number = id.strip_prefix("i-")?;
    let plain = !cluster.is_empty() && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && !number.is_empty()).then(|| Address::new(cluster, "node-report", id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reports_of_instances_have_addresses() {
        let report = Address::new("geo-101", "node-report", "i-0123abc");
        assert_eq!(address("clusters/geo-101/nodes/i-0123abc.json"), Some(report));
        for other in ["clusters/geo-101/nodes/i-1/x.json", "clusters/geo-101/nodes/hub.json"] {
            assert_eq!(address(other), None);
        }
        assert_eq!(address("clusters/geo-101/pointers/hub.json"), None);
    }
}
