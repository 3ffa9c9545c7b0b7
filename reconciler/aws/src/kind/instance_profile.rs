//! IAM instance profiles. The list leaves their tags out: they are ours by path
//! and name.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_iam::types::Tag;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::InstanceProfile;
use lyceum_core::observed::Object;
use lyceum_core::site::{GLOBAL, Site};

use crate::calls::{Call, VISIBLE, made_or_found, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::tags;

/// Profiles of one page.
const PAGE: i32 = 1000;
/// How long a new profile may stay unknown to EC2 and Auto Scaling.
const KNOWN: Duration = Duration::from_secs(120);
/// What the profiles of a cluster are called.
const NAMES: &[&str] = &["hub", "workers"];
/// The longest names of roles and of profiles; a name may keep to either.
const LIMITS: &[usize] = &[64, 128];

/// Every profile under our owner's path.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let prefix = format!("/{}/", clients.site.owner);
    let listed = clients
        .calls
        .pages(
            Call::read("iam", "ListInstanceProfiles"),
            |marker| {
                let request = clients.iam.list_instance_profiles().path_prefix(&prefix);
                request.max_items(PAGE).set_marker(marker).send()
            },
            |page| (page.instance_profiles, page.marker.filter(|_| page.is_truncated)),
        )
        .await?;
    let mut listing = Listing::default();
    for profile in listed {
        if let Some(address) = address(&clients.site, &profile.path, &profile.instance_profile_name)
        {
            listing.push(address, GLOBAL, read(profile));
        }
    }
    Ok(listing)
}

/// Makes a profile and puts its role in. One of this name under our path is ours.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &InstanceProfile,
) -> Result<Outputs, CloudError> {
    let all = tags::at_creation(resource);
    let tags = tags::build(&all, |key, value| Tag::builder().key(key).value(value).build())?;
    let made = clients
        .calls
        .send(Call::repeatable("iam", "CreateInstanceProfile"), || {
            let request = clients.iam.create_instance_profile().path(&want.path);
            request.instance_profile_name(&want.name).set_tags(Some(tags.clone())).send()
        })
        .await
        .map(drop);
    made_or_found(made, ours(clients, want)).await?;
    let (profile, arn) =
        until("iam:GetInstanceProfile", VISIBLE, || get(clients, &want.name)).await?;
    write(clients, &profile, want).await?;
    Ok(Outputs::from([("id".into(), want.name.clone()), ("arn".into(), arn)]))
}

/// Changes the role; a profile holds one at most.
pub(crate) async fn update(
    clients: &Clients,
    (_before, seen): (&Object, &InstanceProfile),
    (_after, want): (&Resource, &InstanceProfile),
) -> Result<Outputs, CloudError> {
    write(clients, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a profile after taking its role out.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    seen: &InstanceProfile,
) -> Result<(), CloudError> {
    let bare = InstanceProfile { role: String::new(), ..seen.clone() };
    write(clients, seen, &bare).await?;
    clients
        .calls
        .send(Call::repeatable("iam", "DeleteInstanceProfile"), || {
            clients.iam.delete_instance_profile().instance_profile_name(&object.id).send()
        })
        .await
        .map(drop)
}

fn read(profile: aws_sdk_iam::types::InstanceProfile) -> Found {
    let outputs = Outputs::from([("arn".into(), profile.arn.clone())]);
    let body = attributes(profile);
    Found { id: body.name.clone(), tags: Default::default(), outputs, body: body.into() }
}

fn attributes(profile: aws_sdk_iam::types::InstanceProfile) -> InstanceProfile {
    let role = profile.roles.into_iter().next().map(|role| role.role_name);
    InstanceProfile {
        name: profile.instance_profile_name,
        path: profile.path,
        role: role.unwrap_or_default(),
    }
}

/// `/lyceum/geo-101/` and `lyceum-geo-101-hub` are `geo-101/instance-profile/hub`.
fn address(site: &Site, path: &str, name: &str) -> Option<Address> {
    let cluster = path.strip_prefix(&format!("/{}/", site.owner))?.strip_suffix('/')?;
    let is = |short: &&&str| LIMITS.iter().any(|limit| site.name(cluster, short, *limit) == name);
    let short = NAMES.iter().find(is)?;
    Some(Address::new(cluster, "instance-profile", short))
}

async fn ours(clients: &Clients, want: &InstanceProfile) -> Result<Option<()>, CloudError> {
    let profile = get(clients, &want.name).await?;
    Ok(profile.filter(|(profile, _)| profile.path == want.path).map(drop))
}

async fn get(
    clients: &Clients,
    name: &str,
) -> Result<Option<(InstanceProfile, String)>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("iam", "GetInstanceProfile"), || {
            clients.iam.get_instance_profile().instance_profile_name(name).send()
        })
        .await;
    let profile = found(answer)?.and_then(|answer| answer.instance_profile);
    Ok(profile.map(|profile| {
        let arn = profile.arn.clone();
        (attributes(profile), arn)
    }))
}

async fn write(
    clients: &Clients,
    seen: &InstanceProfile,
    want: &InstanceProfile,
) -> Result<(), CloudError> {
    if seen.role == want.role {
        return Ok(());
    }
    if !seen.role.is_empty() {
        let call = Call::repeatable("iam", "RemoveRoleFromInstanceProfile");
        let send = || {
            let request = clients.iam.remove_role_from_instance_profile();
            request.instance_profile_name(&want.name).role_name(&seen.role).send()
        };
        found(clients.calls.send(call, send).await)?;
    }
    if !want.role.is_empty() {
        let call = Call::repeatable("iam", "AddRoleToInstanceProfile");
        let send = || {
            let request = clients.iam.add_role_to_instance_profile();
            request.instance_profile_name(&want.name).role_name(&want.role).send()
        };
        let added = clients.calls.send(call, send).await.map(drop);
        made_or_found(added, holds(clients, want)).await?;
    }
    Ok(())
}

async fn holds(clients: &Clients, want: &InstanceProfile) -> Result<Option<()>, CloudError> {
    let profile = get(clients, &want.name).await?;
    Ok(profile.filter(|(profile, _)| profile.role == want.role).map(drop))
}

/// Repeats what fails because another service learns of a new profile later
/// than IAM says it is there.
pub(crate) async fn known<T, F, A>(operation: &str, attempt: F) -> Result<T, CloudError>
where
    F: Fn() -> A,
    A: Future<Output = Result<T, CloudError>>,
{
    known_within(KNOWN, operation, attempt).await
}

/// Whose wait was in vain is told what the last answer was.
async fn known_within<T, F, A>(
    limit: Duration,
    operation: &str,
    attempt: F,
) -> Result<T, CloudError>
where
    F: Fn() -> A,
    A: Future<Output = Result<T, CloudError>>,
{
    let last = Mutex::new(None);
    let found = until(operation, limit, async || match attempt().await {
        Err(error) if unknown(&error) => {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Ok(None)
        }
        other => other.map(Some),
    })
    .await;
    let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.map_err(|error| match last.filter(|_| error.class == Class::NotYet) {
        Some(last) => {
            let message = format!("{} ({})", last.message, error.message);
            CloudError { class: error.class, message, ..last }
        }
        None => error,
    })
}

/// EC2 and Auto Scaling have different codes for it, and the same words.
fn unknown(error: &CloudError) -> bool {
    error.class == Class::Invalid && error.message.contains("IAM Instance Profile")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn only_an_unknown_profile_is_waited_for() {
        let unknown = "Value (hub) is invalid. Invalid IAM Instance Profile name";
        let fails = |message: &str| Err(CloudError::new(Class::Invalid, "x", message));
        let tries = Cell::new(0);
        let attempt = async || {
            tries.set(tries.get() + 1);
            if tries.get() == 1 { fails(unknown) } else { Ok(tries.get()) }
        };
        assert_eq!(known("x", attempt).await.unwrap(), 2);
        let error = known("x", async || fails("zone")).await.unwrap_err();
        assert_eq!(error.class, Class::Invalid);
        let never = async || Err::<(), _>(CloudError::new(Class::Invalid, "x", unknown));
        let error = known_within(Duration::ZERO, "x", never).await.unwrap_err();
        assert_eq!(error.class, Class::NotYet);
        assert_eq!(error.to_string(), format!("x: {unknown} (not there after 0 s)"));
    }

    #[test]
    fn path_and_name_give_the_address() {
        let site = Site {
            owner: "lyceum".into(),
            source: "abc".into(),
            account: "1".into(),
            partition: "aws".into(),
        };
        let hub = address(&site, "/lyceum/geo-101/", "lyceum-geo-101-hub");
        assert_eq!(hub, Some(Address::new("geo-101", "instance-profile", "hub")));
        let long = "x".repeat(70);
        let name = site.name(&long, "workers", 64);
        let workers = address(&site, &site.iam_path(&long), &name);
        assert_eq!(workers, Some(Address::new(&long, "instance-profile", "workers")));
        assert_eq!(address(&site, "/lyceum/geo-101/", "made-by-hand"), None);
        assert_eq!(address(&site, "/other/geo-101/", "lyceum-geo-101-hub"), None);
    }
}
