//! Internet gateways and their attachment, which has no tags of its own.

use aws_sdk_ec2::types::ResourceType;
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::InternetGateway;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags};

/// Every gateway of our owner, with its attachment.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeInternetGateways"),
            |token| {
                let request = clients.ec2.describe_internet_gateways();
                request.filters(ec2::owned(&clients.site)).set_next_token(token).send()
            },
            |page| (page.internet_gateways.unwrap_or_default(), page.next_token),
        )
        .await?;
    let mut listing = Listing::default();
    for gateway in listed {
        let vpc = gateway.attachments().iter().find_map(|at| at.vpc_id.clone());
        let found = Found {
            id: gateway.internet_gateway_id.unwrap_or_default(),
            tags: tags::from_ec2(&gateway.tags.unwrap_or_default()),
            outputs: Outputs::new(),
            body: InternetGateway { vpc: vpc.unwrap_or_default() }.into(),
        };
        listing.claim(&clients.site, &clients.region, found);
    }
    Ok(listing)
}

/// Makes a gateway, then attaches it.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &InternetGateway,
) -> Result<Outputs, CloudError> {
    let tags = tags::specification(ResourceType::InternetGateway, resource);
    let made = clients
        .calls
        .send(Call::once("ec2", "CreateInternetGateway"), || {
            clients.ec2.create_internet_gateway().tag_specifications(tags.clone()).send()
        })
        .await?;
    let id = made.internet_gateway.and_then(|made| made.internet_gateway_id).unwrap_or_default();
    until("ec2:DescribeInternetGateways", VISIBLE, || visible(clients, &id)).await?;
    attach(clients, &id, &InternetGateway::default(), want).await?;
    Ok(Outputs::from([("id".into(), id)]))
}

/// Attaches it elsewhere, and writes tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &InternetGateway),
    (after, want): (&Resource, &InternetGateway),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    attach(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Detaches and removes a gateway; refused while public addresses use it.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    seen: &InternetGateway,
) -> Result<(), CloudError> {
    attach(clients, &object.id, seen, &InternetGateway::default()).await?;
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteInternetGateway"), || {
            clients.ec2.delete_internet_gateway().internet_gateway_id(&object.id).send()
        })
        .await
        .map(drop)
}

async fn visible(clients: &Clients, id: &str) -> Result<Option<()>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeInternetGateways"), || {
            clients.ec2.describe_internet_gateways().internet_gateway_ids(id).send()
        })
        .await;
    Ok(found(answer)?.filter(|answer| !answer.internet_gateways().is_empty()).map(drop))
}

/// From the VPC it is attached to, to the one it should be attached to.
async fn attach(
    clients: &Clients,
    id: &str,
    seen: &InternetGateway,
    want: &InternetGateway,
) -> Result<(), CloudError> {
    if seen.vpc == want.vpc {
        return Ok(());
    }
    if !seen.vpc.is_empty() {
        detach(clients, id, &seen.vpc).await?;
    }
    if want.vpc.is_empty() {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("ec2", "AttachInternetGateway"), || {
            let request = clients.ec2.attach_internet_gateway();
            request.internet_gateway_id(id).vpc_id(&want.vpc).send()
        })
        .await
        .map(drop)
        // A duplicate of ours, about to be removed, may still hold the VPC.
        .map_err(|error| ec2::not_yet(error, "already has an internet gateway"))
}

async fn detach(clients: &Clients, id: &str, vpc: &str) -> Result<(), CloudError> {
    let answer = clients
        .calls
        .send(Call::repeatable("ec2", "DetachInternetGateway"), || {
            clients.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc).send()
        })
        .await;
    match answer {
        Err(error) if error.code == "Gateway.NotAttached" => Ok(()),
        other => other.map(drop),
    }
}
