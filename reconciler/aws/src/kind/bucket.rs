//! The artifact bucket of a region. Its name is ours alone: it carries a digest
//! of source and account. Every aspect of it is a call of its own.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag, Tagging};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Bucket;
use lyceum_core::observed::Object;
use lyceum_core::site::Site;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::tags;

mod aspects;
mod contents;

/// The region's bucket: six calls where it exists, one where it does not.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let name = clients.site.bucket(&clients.region);
    let mut listing = Listing::default();
    let Some(tags) = read_tags(clients, &name).await? else { return Ok(listing) };
    let body = aspects::read(clients, &name).await?;
    let scope = Site::region_scope(&clients.region);
    let outputs = outputs(clients, &name);
    let found = Found { id: name, tags, outputs, body: body.into() };
    listing.push(Address::new(&scope, "bucket", "artifacts"), &clients.region, found);
    Ok(listing)
}

/// Makes a bucket, then sets its aspects. A bucket of this name that is this
/// account's is ours.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Bucket,
) -> Result<Outputs, CloudError> {
    let place = (clients.region != "us-east-1").then(|| {
        let region = BucketLocationConstraint::from(clients.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let made = clients
        .calls
        .send(Call::repeatable("s3", "CreateBucket"), || {
            let request = clients.s3.create_bucket().bucket(&want.name);
            request.set_create_bucket_configuration(place.clone()).send()
        })
        .await;
    match made {
        Err(error) if error.code != "BucketAlreadyOwnedByYou" => return Err(error),
        _ => until("s3:HeadBucket", VISIBLE, || visible(clients, &want.name)).await?,
    }
    write_tags(clients, &want.name, &tags::at_creation(resource)).await?;
    aspects::write(clients, &Bucket { name: want.name.clone(), ..Bucket::default() }, want).await?;
    let mut outputs = outputs(clients, &want.name);
    outputs.insert("id".into(), want.name.clone());
    Ok(outputs)
}

/// Sets tags and aspects that differ. Foreign tags are kept.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Bucket),
    (after, want): (&Resource, &Bucket),
) -> Result<Outputs, CloudError> {
    let (changed, gone) = (tags::to_write(before, after), tags::to_remove(before, after));
    if !changed.is_empty() || !gone.is_empty() {
        let mut all = before.tags.clone();
        all.extend(changed);
        all.retain(|key, _| !gone.contains(key));
        write_tags(clients, &before.id, &all).await?;
    }
    aspects::write(clients, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a bucket with everything in it. That it may go was consented to.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Bucket,
) -> Result<(), CloudError> {
    contents::empty(clients, &object.id).await?;
    clients
        .calls
        .send(Call::repeatable("s3", "DeleteBucket"), || {
            clients
                .s3
                .delete_bucket()
                .bucket(&object.id)
                .expected_bucket_owner(&clients.site.account)
                .send()
        })
        .await
        .map(drop)
}

fn outputs(clients: &Clients, name: &str) -> Outputs {
    Outputs::from([("arn".into(), format!("arn:{}:s3:::{name}", clients.site.partition))])
}

/// The bucket's tags; nothing where there is no bucket.
async fn read_tags(
    clients: &Clients,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "GetBucketTagging"), || {
            clients
                .s3
                .get_bucket_tagging()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
        })
        .await;
    match answer {
        Ok(answer) => {
            Ok(Some(answer.tag_set.into_iter().map(|tag: Tag| (tag.key, tag.value)).collect()))
        }
        Err(error) if error.code == "NoSuchTagSet" => Ok(Some(BTreeMap::new())),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn visible(clients: &Clients, name: &str) -> Result<Option<()>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("s3", "HeadBucket"), || {
            clients
                .s3
                .head_bucket()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .send()
        })
        .await;
    Ok(found(answer)?.map(drop))
}

async fn write_tags(
    clients: &Clients,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let tags = tags::build(tags, |key, value| Tag::builder().key(key).value(value).build())?;
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(incomplete)?;
    clients
        .calls
        .send(Call::repeatable("s3", "PutBucketTagging"), || {
            clients
                .s3
                .put_bucket_tagging()
                .bucket(name)
                .expected_bucket_owner(&clients.site.account)
                .tagging(tagging.clone())
                .send()
        })
        .await
        .map(drop)
}
