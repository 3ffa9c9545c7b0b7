//! Pointers: what tells the nodes of a group what to be, signed.
//!
//! A list tells where one is and the ETag of what it says; one that is not as it
//! should be is read. It is written under the condition that nobody wrote since
//! it was read, so that of two writers one fails and looks again.
//!
//! Invariants: the sequence never goes back, whatever stands there: it is one
//! more than that of the present pointer and than any that nodes report, and at
//! least the seconds since 1970, so that a pointer that was removed, or replaced
//! by an older one that was once signed, is followed by one above all that nodes
//! may have taken.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::primitives::ByteStream;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::{Along, Resource};
use lyceum_core::kind::Pointer;
use lyceum_core::node::pointer::{self, Body, MAX_BODY, Trust};
use lyceum_core::observed::Object;

use super::signing_key;
use crate::calls::Call;
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::stored::{self, Stored, bare};

const PUT: Call = Call::once("s3", "PutObject");

/// The pointers among what is stored: where they are and their ETags.
pub(crate) fn listing(clients: &Clients, stored: &[Stored]) -> Listing {
    let mut listing = Listing::default();
    for one in stored {
        let Stored { bucket, key, .. } = one;
        let Some(address) = address(key) else { continue };
        let body = Pointer { bucket: bucket.clone(), key: key.clone(), ..Pointer::default() };
        let outputs = one.version();
        let found = Found { id: key.clone(), tags: Default::default(), outputs, body: body.into() };
        listing.push(address, &clients.region, found);
    }
    listing
}

/// What a pointer says, and whether it is signed; none where it is gone.
pub(crate) async fn read(
    clients: &Clients,
    object: &Object,
    seen: &Pointer,
) -> Result<Option<Object>, CloudError> {
    let Some(present) = present(clients, &seen.bucket, &seen.key).await? else { return Ok(None) };
    let mut whole = object.clone();
    whole.outputs.extend(present.outputs());
    let (bucket, key) = (seen.bucket.clone(), seen.key.clone());
    whole.body = match &present.body {
        Some(body) => {
            let signed = present.is_signed_by(&body.public_key);
            Pointer { signed, ..Pointer::new(bucket, key, body) }.into()
        }
        None => Pointer { bucket, key, ..Pointer::default() }.into(),
    };
    Ok(Some(whole))
}

/// Writes the first pointer of a group.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Pointer,
) -> Result<Outputs, CloudError> {
    write(clients, (None, want), &resource.along).await
}

/// Writes another pointer in the place of the one that was seen.
pub(crate) async fn update(
    clients: &Clients,
    (before, _seen): (&Object, &Pointer),
    (after, want): (&Resource, &Pointer),
) -> Result<Outputs, CloudError> {
    write(clients, (before.outputs.get("etag"), want), &after.along).await
}

/// Removes the current version; the bucket keeps it for its days.
pub(crate) async fn delete(
    clients: &Clients,
    _object: &Object,
    seen: &Pointer,
) -> Result<(), CloudError> {
    stored::remove(clients, (&seen.bucket, &seen.key)).await
}

/// A pointer as it stands in the bucket.
struct Present {
    etag: String,
    pointer: pointer::Pointer,
    /// What it says; none where nobody can read it, or not as we write it.
    body: Option<Body>,
}

impl Present {
    /// Whether a node that trusts this key would take it.
    fn is_signed_by(&self, public_key: &str) -> bool {
        self.body.as_ref().is_some_and(|body| {
            let (cluster, group) = (body.cluster.as_str(), body.group.as_str());
            let trust = Trust { public_key, cluster, group, taken: 0 };
            self.pointer.accept(&trust).is_ok() && body.text() == self.pointer.body
        })
    }

    fn outputs(&self) -> Outputs {
        Outputs::from([
            ("etag".into(), self.etag.clone()),
            ("revision".into(), self.pointer.revision.clone()),
            ("sequence".into(), self.pointer.sequence.to_string()),
        ])
    }
}

async fn write(
    clients: &Clients,
    (seen, want): (Option<&String>, &Pointer),
    along: &Along,
) -> Result<Outputs, CloudError> {
    let text = text(want)?;
    let there = present(clients, &want.bucket, &want.key).await?;
    if let Some(outputs) = done(there.as_ref(), (want, along), &text) {
        return Ok(outputs);
    }
    if there.as_ref().map(|there| &there.etag) != seen {
        return Err(CloudError::new(Class::NotYet, &PUT.name(), "somebody wrote it meanwhile"));
    }
    let private = signing_key::private(clients, &want.cluster).await?;
    if pointer::public_key(&private) != want.public_key {
        signing_key::restore(clients, &want.cluster).await?;
        let message = "the public half of the key was not that of the private one; it is again";
        return Err(CloudError::new(Class::NotYet, &PUT.name(), message));
    }
    let signed = pointer::Pointer::signed(
        &private,
        text.clone(),
        next_sequence(there.as_ref(), &want.public_key, now()).max(along.taken.saturating_add(1)),
        &along.revision,
    );
    match put(clients, want, (&signed, seen)).await {
        Ok(etag) => Ok(written(&Present { etag, pointer: signed, body: None }, want)),
        // The answer to the first of two tries, or none: what stands there tells.
        Err(error) if matches!(error.class, Class::Exists | Class::Ambiguous | Class::NotYet) => {
            let there = present(clients, &want.bucket, &want.key).await?;
            done(there.as_ref(), (want, along), &text).ok_or(CloudError {
                class: if error.class == Class::Exists { Class::NotYet } else { error.class },
                ..error
            })
        }
        Err(error) => Err(error),
    }
}

/// The outputs of what stands there, where that is what is wanted and not older
/// than what nodes have taken.
fn done(
    there: Option<&Present>,
    (want, along): (&Pointer, &Along),
    text: &str,
) -> Option<Outputs> {
    let as_wanted = |it: &&Present| {
        let newest = it.pointer.sequence >= along.taken;
        newest && it.pointer.body == text && it.is_signed_by(&want.public_key)
    };
    there.filter(as_wanted).map(|there| written(there, want))
}

fn written(present: &Present, want: &Pointer) -> Outputs {
    let mut outputs = present.outputs();
    outputs.insert("id".into(), want.key.clone());
    outputs
}

/// One more than a present pointer that can be trusted; at least the seconds
/// since 1970.
fn next_sequence(there: Option<&Present>, public_key: &str, now: u64) -> u64 {
    let trusted = there.filter(|there| there.is_signed_by(public_key));
    trusted.map_or(0, |there| there.pointer.sequence.saturating_add(1)).max(now)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

fn text(want: &Pointer) -> Result<String, CloudError> {
    let refuse = |message: String| Err(CloudError::new(Class::Invalid, &PUT.name(), message));
    match want.body().map(|body| body.text()) {
        Some(text) if text.len() > MAX_BODY => refuse(format!(
            "it would have {} bytes of at most {MAX_BODY}: give the roles fewer attributes",
            text.len()
        )),
        Some(text) => Ok(text),
        None => refuse("it does not say what its nodes are to be".into()),
    }
}

/// Writes where nobody wrote since `seen`; the new ETag.
async fn put(
    clients: &Clients,
    want: &Pointer,
    (signed, seen): (&pointer::Pointer, Option<&String>),
) -> Result<String, CloudError> {
    let answer = clients
        .calls
        .send(PUT, || {
            let request = clients
                .s3
                .put_object()
                .bucket(&want.bucket)
                .expected_bucket_owner(&clients.site.account)
                .key(&want.key);
            let request = match seen {
                Some(etag) => request.if_match(format!("\"{etag}\"")),
                None => request.if_none_match("*"),
            };
            let beside = signed.metadata().into_iter();
            beside
                .fold(request, |request, (name, value)| request.metadata(name, value))
                .content_type("application/json")
                .body(ByteStream::from(signed.body.clone().into_bytes()))
                .send()
        })
        .await?;
    Ok(bare(answer.e_tag().unwrap_or_default()))
}

async fn present(
    clients: &Clients,
    bucket: &str,
    key: &str,
) -> Result<Option<Present>, CloudError> {
    let Some(found) = stored::read(clients, (bucket, key), MAX_BODY as u64).await? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&found.bytes.unwrap_or_default()).into_owned();
    let pointer = pointer::Pointer::stored(text, |name| found.metadata.get(name).cloned());
    let body = serde_json::from_str(&pointer.body).ok();
    Ok(Some(Present { etag: found.etag, pointer, body }))
}

/// `clusters/geo-101/pointers/hub.json` is `geo-101/pointer/hub`.
fn address(key: &str) -> Option<Address> {
    let (cluster, rest) = key.strip_prefix("clusters/")?.split_once('/')?;
    let group = rest.strip_prefix("pointers/")?.strip_suffix(".json")?;
    let plain = !cluster.is_empty() && !group.is_empty() && !group.contains('/');
    plain.then(|| Address::new(cluster, "pointer", group))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn there(sequence: u64, key: &[u8; 32]) -> Present {
        let body = Body {
            cluster: "geo".into(),
            group: "hub".into(),
            public_key: pointer::public_key(&KEY),
            ..Body::default()
        };
        let pointer = pointer::Pointer::signed(key, body.text(), sequence, "abc");
        Present { etag: "e".into(), pointer, body: Some(body) }
    }

    #[test]
    fn a_sequence_never_goes_back_whatever_stands_there() {
        let public = pointer::public_key(&KEY);
        let next = |there: Option<Present>, now| next_sequence(there.as_ref(), &public, now);
        assert_eq!(next(Some(there(1_000, &KEY)), 900), 1_001);
        // One that was removed, and an older one put in its place.
        assert_eq!(next(None, 900), 900);
        assert_eq!(next(Some(there(3, &KEY)), 900), 900);
        // Nobody's number counts but that of our own key.
        assert_eq!(next(Some(there(u64::MAX, &[8; 32])), 900), 900);
    }

    #[test]
    fn only_pointers_have_addresses() {
        let hub = Address::new("geo-101", "pointer", "hub");
        assert_eq!(address("clusters/geo-101/pointers/hub.json"), Some(hub));
        for other in ["clusters/geo-101/pointers/a/b.json", "clusters/geo-101/nodes/i-1.json"] {
            assert_eq!(address(other), None);
        }
    }
}
