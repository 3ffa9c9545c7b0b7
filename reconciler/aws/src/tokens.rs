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
use lyceum_core::site::{Site, digest};

use crate::calls::{VISIBLE, until};

/// Lives of one resource within the time a service remembers a token, a day or
/// so: each life uses up one.
const LIVES: u32 = 16;
/// Older than this, what a create answers was made by an earlier call.
const FRESH: Duration = Duration::from_secs(10);
/// What is there may hide from one read whatever its age: looked for this long
/// at least.
const LEAST: Duration = Duration::from_secs(30);

/// Sends a create with one token after another until it answers something that
/// is alive. `attempt` answers `None` for what an earlier life has left behind.
pub(crate) async fn spend<T, F, A>(
    site: &Site,
    resource: &Resource,
    attempt: F,
) -> Result<T, CloudError>
where
    F: Fn(String) -> A,
    A: Future<Output = Result<Option<T>, CloudError>>,
{
    for life in 0..LIVES {
        match attempt(token(&site.source, resource, life)).await {
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
    alive_within(operation, patience(age), age, look).await
}

/// What an earlier call made with a token that is used up, where the service does
/// not say when: looked for a while. `None`: it is gone.
pub(crate) async fn left_behind<T, F, A>(operation: &str, look: F) -> Result<Option<T>, CloudError>
where
    F: Fn() -> A,
    A: Future<Output = Result<Option<T>, CloudError>>,
{
    alive_within(operation, LEAST, VISIBLE, look).await
}

/// Whether a call before this one made it.
pub(crate) fn is_earlier(made: Option<&DateTime>) -> bool {
    made.map(age).unwrap_or_default() > FRESH
}

fn patience(age: Duration) -> Duration {
    VISIBLE.saturating_sub(age).max(LEAST)
}

async fn alive_within<T, F, A>(
    operation: &str,
    limit: Duration,
    age: Duration,
    look: F,
) -> Result<Option<T>, CloudError>
where
    F: Fn() -> A,
    A: Future<Output = Result<Option<T>, CloudError>>,
{
    match until(operation, limit, look).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.class == Class::NotYet && age > FRESH => Ok(None),
        Err(error) => Err(error),
    }
}

/// The token of a life of a resource: 64 hex digits, the most that services
/// take.
pub(crate) fn token(source: &str, resource: &Resource, life: u32) -> String {
    let tags: Vec<_> = resource.tags.iter().collect();
    let body = resource.body.attributes();
    digest(&format!("{source}\n{}\n{body}\n{tags:?}\n{life}", resource.address))
}

/// The token of whatever stands at an address, however it is made: of what
/// holds data there is one, not one for each way to write it down.
pub(crate) fn of_address(source: &str, address: &Address) -> String {
    digest(&format!("{source}\n{address}"))
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
    use std::sync::Mutex;

    fn volume(size_gib: i32) -> Resource {
        Resource {
            address: Address::new("geo", "volume", "data"),
            region: "us-east-1".into(),
            tags: BTreeMap::new(),
            body: Volume { size_gib, ..Volume::default() }.into(),
            along: Default::default(),
        }
    }

    #[test]
    fn a_token_is_the_same_for_the_same_life_of_the_same_thing_only() {
        let first = token("a", &volume(1), 0);
        assert_eq!(first, token("a", &volume(1), 0));
        assert_eq!((first.len(), first.is_ascii()), (64, true));
        for other in
            [token("a", &volume(1), 1), token("a", &volume(2), 0), token("b", &volume(1), 0)]
        {
            assert_ne!(first, other);
        }
    }

    fn site() -> Site {
        Site {
            owner: "lyceum".into(),
            source: "a".into(),
            account: "1".into(),
            partition: "aws".into(),
        }
    }

    #[tokio::test]
    async fn a_token_that_led_to_something_dead_is_not_used_again() {
        let (site, volume, seen) = (site(), volume(1), Mutex::new(Vec::new()));
        let attempt = async |token: String| {
            seen.lock().unwrap().push(token);
            match seen.lock().unwrap().len() {
                1 => Ok(None),
                2 => Err(CloudError {
                    code: "IdempotentParameterMismatch".into(),
                    ..CloudError::new(Class::Invalid, "x", "")
                }),
                tries => Ok(Some(tries)),
            }
        };
        assert_eq!(spend(&site, &volume, attempt).await.unwrap(), 3);
        let tokens: std::collections::BTreeSet<String> =
            seen.into_inner().unwrap().into_iter().collect();
        assert_eq!(tokens.len(), 3);
    }

    #[tokio::test]
    async fn an_error_ends_it_and_so_do_too_many_lives() {
        let denied = async |_| Err::<Option<()>, _>(CloudError::new(Class::Denied, "x", ""));
        let error = spend(&site(), &volume(1), denied).await.unwrap_err();
        assert_eq!(error.class, Class::Denied);
        let dead = async |_| Ok(None::<()>);
        assert_eq!(spend(&site(), &volume(1), dead).await.unwrap_err().class, Class::NotYet);
    }

    #[tokio::test]
    async fn only_what_is_old_and_unseen_is_gone() {
        let (none, hour) = (Duration::ZERO, Duration::from_secs(3600));
        let nothing = async || Ok(None::<()>);
        let error = alive_within("x", none, none, nothing).await.unwrap_err();
        assert_eq!(error.class, Class::NotYet);
        assert_eq!(alive_within("x", none, hour, nothing).await.unwrap(), None);
        assert_eq!((patience(none), patience(hour)), (VISIBLE, LEAST));
        let seen = async || Ok(Some(1));
        assert_eq!(alive_within("x", none, hour, seen).await.unwrap(), Some(1));
    }

    #[test]
    fn what_is_made_in_the_future_has_no_age() {
        let (now, minute) = (SystemTime::now(), Duration::from_secs(60));
        assert_eq!(age(&DateTime::from(now + minute)), Duration::ZERO);
        assert!(age(&DateTime::from(now - minute)) >= Duration::from_secs(59));
        assert!(is_earlier(Some(&DateTime::from(now - minute))));
        assert!(!is_earlier(Some(&DateTime::from(now))) && !is_earlier(None));
    }
}
