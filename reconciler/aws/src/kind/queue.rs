//! The queue of a region. Its name is ours alone: it carries a digest of source
//! and account.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Queue;
use lyceum_core::observed::Object;
use lyceum_core::site::Site;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{policy, tags};

/// The region's queue: two calls.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let mut listing = Listing::default();
    let name = clients.site.queue();
    let Some(url) = url(clients, &name).await? else { return Ok(listing) };
    let Some((body, outputs)) = read(clients, &name, &url).await? else { return Ok(listing) };
    let scope = Site::region_scope(&clients.region);
    let found = Found { id: url, tags: Default::default(), outputs, body: body.into() };
    listing.push(Address::new(&scope, "queue", "events"), &clients.region, found);
    Ok(listing)
}

/// Makes a queue with its attributes. One of this name that has others is ours
/// all the same.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Queue,
) -> Result<Outputs, CloudError> {
    let attributes = attributes(&Queue::default(), want);
    let tags: HashMap<String, String> = tags::at_creation(resource).into_iter().collect();
    let made = clients
        .calls
        .send(Call::repeatable("sqs", "CreateQueue"), || {
            let request = clients.sqs.create_queue().queue_name(&want.name);
            let request = request.set_attributes(Some(attributes.clone()));
            request.set_tags(Some(tags.clone())).send()
        })
        .await;
    if let Err(error) = made
        && error.class != Class::Exists
    {
        return Err(error);
    }
    let (url, seen, mut outputs) =
        until("sqs:GetQueueUrl", VISIBLE, || visible(clients, &want.name)).await?;
    write(clients, &url, &seen, want).await?;
    outputs.insert("id".into(), url);
    Ok(outputs)
}

/// Sets the attributes that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Queue),
    (_after, want): (&Resource, &Queue),
) -> Result<Outputs, CloudError> {
    write(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a queue with its messages.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Queue,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("sqs", "DeleteQueue"), || {
            clients.sqs.delete_queue().queue_url(&object.id).send()
        })
        .await
        .map(drop)
}

async fn url(clients: &Clients, name: &str) -> Result<Option<String>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("sqs", "GetQueueUrl"), || {
            clients.sqs.get_queue_url().queue_name(name).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.queue_url))
}

async fn read(
    clients: &Clients,
    name: &str,
    url: &str,
) -> Result<Option<(Queue, Outputs)>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("sqs", "GetQueueAttributes"), || {
            let request = clients.sqs.get_queue_attributes().queue_url(url);
            request.attribute_names(QueueAttributeName::All).send()
        })
        .await;
    let Some(answer) = found(answer)? else { return Ok(None) };
    let attributes = answer.attributes.unwrap_or_default();
    let text = |name| attributes.get(&name).map(String::as_str).unwrap_or_default();
    let body = Queue {
        name: name.into(),
        policy: policy::parse(text(QueueAttributeName::Policy)),
        retention_seconds: text(QueueAttributeName::MessageRetentionPeriod).parse().unwrap_or(0),
        encrypted: text(QueueAttributeName::SqsManagedSseEnabled) == "true",
    };
    let arn = text(QueueAttributeName::QueueArn).to_string();
    Ok(Some((body, Outputs::from([("arn".into(), arn)]))))
}

async fn visible(
    clients: &Clients,
    name: &str,
) -> Result<Option<(String, Queue, Outputs)>, CloudError> {
    let Some(url) = url(clients, name).await? else { return Ok(None) };
    let read = read(clients, name, &url).await?;
    Ok(read.map(|(seen, outputs)| (url, seen, outputs)))
}

async fn write(clients: &Clients, url: &str, seen: &Queue, want: &Queue) -> Result<(), CloudError> {
    let attributes = attributes(seen, want);
    if attributes.is_empty() {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("sqs", "SetQueueAttributes"), || {
            let request = clients.sqs.set_queue_attributes().queue_url(url);
            request.set_attributes(Some(attributes.clone())).send()
        })
        .await
        .map(drop)
}

/// All attributes where any differs: some endpoints forget the policy that a
/// request leaves out. An empty text takes a policy away.
fn attributes(seen: &Queue, want: &Queue) -> HashMap<QueueAttributeName, String> {
    let owned = |queue: &Queue| Queue { name: String::new(), ..queue.clone() };
    if owned(seen) == owned(want) {
        return HashMap::new();
    }
    let retention = want.retention_seconds.to_string();
    let mut all = HashMap::from([
        (QueueAttributeName::MessageRetentionPeriod, retention),
        (QueueAttributeName::SqsManagedSseEnabled, want.encrypted.to_string()),
    ]);
    if !want.policy.is_null() {
        all.insert(QueueAttributeName::Policy, want.policy.to_string());
    } else if !seen.policy.is_null() {
        all.insert(QueueAttributeName::Policy, String::new());
    }
    all
}
