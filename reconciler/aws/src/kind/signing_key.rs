//! The keys that pointers are signed with: two parameters each, the private half
//! encrypted.
//!
//! Invariants: a private half is made once, from the system's randomness, and is
//! never overwritten; it is asked for where something is signed and where the
//! public half is made again from it, and stands in no output, error or log.

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{Parameter, ParameterType, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::SigningKey;
use lyceum_core::node::pointer::public_key;
use lyceum_core::observed::Object;
use lyceum_core::site::{SIGNING_KEY, SIGNING_KEY_PRIVATE};

use super::parameter::{place, visible};
use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::tags;

/// The keys among the parameters: either half makes one.
pub(crate) fn listing(clients: &Clients, described: &[Parameter]) -> Listing {
    let mut keys: BTreeMap<&str, SigningKey> = BTreeMap::new();
    let mut public: BTreeMap<&str, &str> = BTreeMap::new();
    for parameter in described {
        let name = parameter.name().unwrap_or_default();
        let Some((cluster, short)) = place(&clients.site, name) else { continue };
        let key = || named(clients, cluster);
        match short {
            SIGNING_KEY => {
                keys.entry(cluster).or_insert_with(key).public_half = true;
                public.insert(cluster, parameter.value().unwrap_or_default());
            }
            SIGNING_KEY_PRIVATE => keys.entry(cluster).or_insert_with(key).private_half = true,
            _ => {}
        }
    }
    let mut listing = Listing::default();
    for (cluster, body) in keys {
        let address = Address::new(cluster, "signing-key", "node");
        let outputs = public.get(cluster).map(|key| ("public_key".into(), key.to_string()));
        let (id, outputs) = (body.name.clone(), outputs.into_iter().collect());
        let found = Found { id, tags: Default::default(), outputs, body: body.into() };
        listing.push(address, &clients.region, found);
    }
    listing
}

/// Makes a key. A private half that is there already, from a run that died or of
/// another reconciler, is taken.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &SigningKey,
) -> Result<Outputs, CloudError> {
    let tags = tagged(resource)?;
    let value = STANDARD.encode(random()?);
    let private = (want.private_name.as_str(), ParameterType::SecureString, value.as_str());
    put_new(clients, private, &tags).await?;
    until("ssm:GetParameter", VISIBLE, || visible(clients, &want.private_name)).await?;
    let public = public_key(&private_of(clients, want).await?);
    put_new(clients, (&want.name, ParameterType::String, &public), &tags).await?;
    let public = publish(clients, want).await?;
    Ok(Outputs::from([("id".into(), want.name.clone()), ("public_key".into(), public)]))
}

fn tagged(resource: &Resource) -> Result<Vec<Tag>, CloudError> {
    let all = tags::at_creation(resource);
    tags::build(&all, |key, value| Tag::builder().key(key).value(value).build())
}

/// Makes a parameter where none is; one that is there is left as it is. Repeated
/// after a lost answer, it finds its own.
async fn put_new(
    clients: &Clients,
    (name, kind, value): (&str, ParameterType, &str),
    tags: &[Tag],
) -> Result<(), CloudError> {
    let put = clients
        .calls
        .send(Call::repeatable("ssm", "PutParameter"), || {
            let request = clients.ssm.put_parameter().name(name).value(value);
            request.r#type(kind.clone()).set_tags(Some(tags.to_vec())).send()
        })
        .await;
    match put {
        Err(error) if error.class != Class::Exists => Err(error),
        _ => Ok(()),
    }
}

/// Makes the public half again where it is missing.
pub(crate) async fn update(
    clients: &Clients,
    (_before, seen): (&Object, &SigningKey),
    (after, want): (&Resource, &SigningKey),
) -> Result<Outputs, CloudError> {
    if seen.public_half {
        return Ok(Outputs::new());
    }
    let public = public_key(&private_of(clients, want).await?);
    let tags = tagged(after)?;
    put_new(clients, (&want.name, ParameterType::String, &public), &tags).await?;
    let public = publish(clients, want).await?;
    Ok(Outputs::from([("public_key".into(), public)]))
}

/// Removes both halves.
pub(crate) async fn delete(
    clients: &Clients,
    _object: &Object,
    seen: &SigningKey,
) -> Result<(), CloudError> {
    for name in [&seen.private_name, &seen.name] {
        let gone = clients
            .calls
            .send(Call::repeatable("ssm", "DeleteParameter"), || {
                clients.ssm.delete_parameter().name(name).send()
            })
            .await;
        match gone {
            Err(error) if error.class != Class::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The private half of a cluster's key, for whoever signs.
pub(super) async fn private(clients: &Clients, cluster: &str) -> Result<[u8; 32], CloudError> {
    private_of(clients, &named(clients, cluster)).await
}

/// Writes the public half anew, from the private one.
pub(super) async fn restore(clients: &Clients, cluster: &str) -> Result<String, CloudError> {
    publish(clients, &named(clients, cluster)).await
}

fn named(clients: &Clients, cluster: &str) -> SigningKey {
    let path = clients.site.parameter_path(cluster);
    SigningKey {
        name: format!("{path}/{SIGNING_KEY}"),
        private_name: format!("{path}/{SIGNING_KEY_PRIVATE}"),
        ..SigningKey::default()
    }
}

/// The public half as it has to be; written where it is not.
async fn publish(clients: &Clients, want: &SigningKey) -> Result<String, CloudError> {
    let public = public_key(&private_of(clients, want).await?);
    if published(clients, want).await?.as_ref() == Some(&public) {
        return Ok(public);
    }
    clients
        .calls
        .send(Call::repeatable("ssm", "PutParameter"), || {
            let request = clients.ssm.put_parameter().name(&want.name).value(&public);
            request.r#type(ParameterType::String).overwrite(true).send()
        })
        .await?;
    until("ssm:GetParameter", VISIBLE, || visible(clients, &want.name)).await?;
    Ok(public)
}

async fn published(clients: &Clients, want: &SigningKey) -> Result<Option<String>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ssm", "GetParameter"), || {
            clients.ssm.get_parameter().name(&want.name).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.parameter?.value))
}

/// Not a reading call by its rights: whoever only plans must not be able to make
/// it. `deploy/iam-plan-only.json` denies the other calls that could read it.
async fn private_of(clients: &Clients, want: &SigningKey) -> Result<[u8; 32], CloudError> {
    const CALL: Call = Call::repeatable("ssm", "GetParameters");
    let refuse = |message: &str| {
        let name = &want.private_name;
        let message = format!("{name} {message}; docs/operations.md says what helps");
        CloudError::new(Class::Invalid, &CALL.name(), message)
    };
    let answer = clients
        .calls
        .send(CALL, || {
            clients.ssm.get_parameters().names(&want.private_name).with_decryption(true).send()
        })
        .await?;
    let found = answer.parameters.unwrap_or_default().pop();
    let value = found.and_then(|found| found.value).ok_or_else(|| refuse("is not there"))?;
    let bytes = STANDARD.decode(value.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| refuse("holds no key of 32 bytes"))
}

fn random() -> Result<[u8; 32], CloudError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        CloudError::new(Class::Ambiguous, "random", format!("the system gives none: {error}"))
    })?;
    Ok(bytes)
}
