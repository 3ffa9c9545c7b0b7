//! Client tokens: a create that is sent again, by this process or by the next
//! one, makes nothing twice.
//!
//! Invariants: a token depends on nothing but whose the resource is and what it
//! is, so that another process finds the same one; a request with a token
//! carries nothing that differs from call to call (not even the tag with the
//! time of creation: the service keeps that time itself), or the service takes
//! it for another request.

use std::future::Future;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError};
use lyceum_core::desired::Resource;
use lyceum_core::site::digest;
use serde_json::{Value, json};

use crate::calls::{VISIBLE, until};
use crate::clients::Clients;

/// Lives of one resource within the time a service remembers a token, a day or
/// so: each life uses up one.
const LIVES: u32 = 16;
/// Older than this, what a create answers was made by an earlier call.
const FRESH: Duration = Duration::from_secs(10);

/// Sends a create with one token after another until it answers something that
/// is alive. `attempt` answers `None` for what an earlier life has left behind.
pub(crate) async fn spend<T, F, A>(
    clients: &Clients,
    resource: &Resource,
    attempt: F,
) -> Result<T, CloudError>
where
    F: Fn(String) -> A,
    A: Future<Output = Result<Option<T>, CloudError>>,
{
    for life in 0..LIVES {
        match attempt(of_resource(&clients.site.source, resource, life)).await {
            Ok(Some(made)) => return Ok(made),
            Ok(None) => {}
            Err(error) if used_up(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let message = format!("made and lost {LIVES} times within a short time");
    Err(CloudError::new(Class::NotYet, resource.address.kind(), message))
}

/// Waits until what a create answered can be seen. `None`: an earlier call made
/// it, and by now it would be visible, so it is gone.
pub(crate) async fn alive<T, F, A>(
    operation: &str,
    made: Option<&DateTime>,
    look: F,
) -> Result<Option<T>, CloudError>
where
    F: Fn() -> A,
    A: Future<Output = Result<Option<T>, CloudError>>,
{
    let age = made.map(age).unwrap_or_default();
    match until(operation, VISIBLE.saturating_sub(age), look).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.class == Class::NotYet && age > FRESH => Ok(None),
        Err(error) => Err(error),
    }
}

/// The token of a life of the object at `address` with these attributes: 64 hex
/// digits, the most that services take.
pub(crate) fn token(source: &str, address: &Address, attributes: &Value, life: u32) -> String {
    digest(&format!("{source}\n{address}\n{attributes}\n{life}"))
}

/// A request carries the tags as well: they are part of what it is.
fn of_resource(source: &str, resource: &Resource, life: u32) -> String {
    let mut attributes = resource.body.attributes();
    attributes["tags"] = json!(resource.tags);
    token(source, &resource.address, &attributes, life)
}

fn used_up(error: &CloudError) -> bool {
    matches!(error.code.as_str(), "IdempotentParameterMismatch" | "IdempotentInstanceTerminated")
}

/// Zero for what is made in the future, by a clock ahead of ours.
fn age(made: &DateTime) -> Duration {
    SystemTime::try_from(*made)
        .ok()
        .and_then(|made| SystemTime::now().duration_since(made).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyceum_core::kind::Volume;
    use std::collections::BTreeMap;

    fn volume(size_gib: i32) -> Resource {
        Resource {
            address: Address::new("geo", "volume", "data"),
            region: "us-east-1".into(),
            tags: BTreeMap::new(),
            body: Volume { size_gib, ..Volume::default() }.into(),
        }
    }

    #[test]
    fn a_token_is_the_same_for_the_same_life_of_the_same_thing_only() {
        let first = of_resource("a", &volume(1), 0);
        assert_eq!(first, of_resource("a", &volume(1), 0));
        assert_eq!((first.len(), first.is_ascii()), (64, true));
        for other in [
            of_resource("a", &volume(1), 1),
            of_resource("a", &volume(2), 0),
            of_resource("b", &volume(1), 0),
        ] {
            assert_ne!(first, other);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_old_and_unseen_is_gone() {
        let nothing = || async { Ok(None::<()>) };
        let fresh = DateTime::from(SystemTime::now());
        let old = DateTime::from(SystemTime::now() - Duration::from_secs(3600));
        let error = alive("x", Some(&fresh), nothing).await.unwrap_err();
        assert_eq!(error.class, Class::NotYet);
        assert_eq!(alive("x", Some(&old), nothing).await.unwrap(), None);
        assert_eq!(alive("x", Some(&old), || async { Ok(Some(1)) }).await.unwrap(), Some(1));
    }
}
