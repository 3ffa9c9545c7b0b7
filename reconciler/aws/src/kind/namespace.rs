//! Cloud Map's private namespaces. The list leaves their tags out: they are ours
//! by their description. Which VPC one serves cannot be read back.

use aws_sdk_servicediscovery::types::{
    FilterCondition, NamespaceFilter, NamespaceFilterName, NamespaceSummary, Tag,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Namespace;
use lyceum_core::observed::Object;

use crate::calls::{Call, made_or_found};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::incomplete;
use crate::{cloud_map, marker, tags, tokens};

const CREATE: &str = "servicediscovery:CreatePrivateDnsNamespace";
/// How what was made is looked for.
const LOOK: &str = "servicediscovery:ListNamespaces";

/// Every namespace of our owner.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let mut listing = Listing::default();
    for found in summaries(clients).await? {
        let id = found.id.unwrap_or_default();
        let description = found.description.unwrap_or_default();
        if marker::field(&description, "owner") != Some(&clients.site.owner) {
            continue;
        }
        let cluster = marker::field(&description, "cluster").unwrap_or_default();
        let source = marker::field(&description, "source").unwrap_or_default();
        if source != clients.site.source {
            listing.other_source(cluster, &id, source);
            continue;
        }
        let outputs = Outputs::from([("arn".into(), found.arn.unwrap_or_default())]);
        let name = found.name.unwrap_or_default();
        let body = Namespace { name, vpc: String::new() };
        let found = Found { id, tags: Default::default(), outputs, body: body.into() };
        listing.push(Address::new(cluster, "namespace", "main"), &clients.region, found);
    }
    Ok(listing)
}

/// Makes a namespace and waits for it. One of this name with our description is
/// ours.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Namespace,
) -> Result<Outputs, CloudError> {
    let cluster = resource.address.scope();
    // Without the time, see `tokens`; Cloud Map keeps that by itself.
    let tags = tags::build(&resource.tags, |key, value| Tag::builder().key(key).value(value).build())?;
    let find = || find(clients, &want.name, cluster);
    tokens::spend(&clients.site, resource, async |token| {
        let made = clients
            .calls
            .send(Call::repeatable("servicediscovery", "CreatePrivateDnsNamespace"), || {
                let request = clients.discovery.create_private_dns_namespace();
                let request = request.name(&want.name).vpc(&want.vpc).creator_request_id(&token);
                let request = request.description(marker::description(&clients.site, cluster));
                request.set_tags(Some(tags.clone())).send()
            })
            .await
            .map(|answer| answer.operation_id);
        // What was found has no operation to wait for.
        let operation = made_or_found(made, async { Ok(find().await?.map(|_| None)) }).await?;
        let Some(operation) = operation else { return find().await };
        let begun = cloud_map::begun(clients, CREATE, &operation).await?;
        match begun {
            Some(begun) => tokens::alive(LOOK, begun.as_ref(), find).await,
            None => Ok(None),
        }
    })
    .await
}

/// Nothing of a namespace changes in place.
pub(crate) async fn update(
    _clients: &Clients,
    _before: (&Object, &Namespace),
    _after: (&Resource, &Namespace),
) -> Result<Outputs, CloudError> {
    Ok(Outputs::new())
}

/// Removes a namespace; refused while it has services.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Namespace,
) -> Result<(), CloudError> {
    let answer = clients
        .calls
        .send(Call::repeatable("servicediscovery", "DeleteNamespace"), || {
            clients.discovery.delete_namespace().id(&object.id).send()
        })
        .await?;
    let operation = answer.operation_id();
    cloud_map::finished(clients, "servicediscovery:DeleteNamespace", operation).await
}

async fn summaries(clients: &Clients) -> Result<Vec<NamespaceSummary>, CloudError> {
    let private = NamespaceFilter::builder()
        .name(NamespaceFilterName::Type)
        .values("DNS_PRIVATE")
        .condition(FilterCondition::Eq)
        .build()
        .map_err(incomplete)?;
    clients
        .calls
        .pages(
            Call::read("servicediscovery", "ListNamespaces"),
            |token| {
                let request = clients.discovery.list_namespaces().filters(private.clone());
                request.max_results(100).set_next_token(token).send()
            },
            |page| (page.namespaces.unwrap_or_default(), page.next_token),
        )
        .await
}

/// The outputs of our cluster's namespace of this name.
async fn find(
    clients: &Clients,
    name: &str,
    cluster: &str,
) -> Result<Option<Outputs>, CloudError> {
    let description = marker::description(&clients.site, cluster);
    let found = summaries(clients).await?.into_iter().find(|found| {
        found.name() == Some(name) && found.description() == Some(description.as_str())
    });
    Ok(found.map(|found| {
        let outputs = [("id", found.id), ("arn", found.arn)];
        outputs.map(|(name, value)| (name.to_string(), value.unwrap_or_default())).into()
    }))
}
