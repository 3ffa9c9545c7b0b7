//! Elastic IPs. EC2 has no token for AllocateAddress: when no answer comes, the
//! next pass finds what was made.

use aws_sdk_ec2::types::{Address, DomainType, ResourceType};
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::ElasticIp;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags};

/// Every address of our owner. All of the account's are read, there are few
/// (the quota is five), and the emulator finds none by tag.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeAddresses"), || clients.ec2.describe_addresses().send())
        .await?;
    let mut listing = Listing::default();
    for address in answer.addresses.unwrap_or_default() {
        listing.claim(&clients.site, &clients.region, read(address));
    }
    Ok(listing)
}

/// Takes an address, then points it at its interface.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &ElasticIp,
) -> Result<Outputs, CloudError> {
    let tags = tags::specification(ResourceType::ElasticIp, resource);
    let made = clients
        .calls
        .send(Call::once("ec2", "AllocateAddress"), || {
            let request = clients.ec2.allocate_address().domain(DomainType::Vpc);
            request.tag_specifications(tags.clone()).send()
        })
        .await?;
    let id = made.allocation_id.unwrap_or_default();
    until("ec2:DescribeAddresses", VISIBLE, || described(clients, &id)).await?;
    point(clients, &id, &ElasticIp::default(), want).await?;
    let public_ip = made.public_ip.unwrap_or_default();
    Ok(Outputs::from([("id".into(), id), ("public_ip".into(), public_ip)]))
}

/// Points it elsewhere, and writes tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &ElasticIp),
    (after, want): (&Resource, &ElasticIp),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    point(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Gives an address back.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    seen: &ElasticIp,
) -> Result<(), CloudError> {
    point(clients, &object.id, seen, &ElasticIp::default()).await?;
    clients
        .calls
        .send(Call::repeatable("ec2", "ReleaseAddress"), || {
            clients.ec2.release_address().allocation_id(&object.id).send()
        })
        .await
        .map(drop)
}

fn read(address: Address) -> Found {
    let interface = address.network_interface_id.unwrap_or_default();
    Found {
        id: address.allocation_id.unwrap_or_default(),
        tags: tags::from_ec2(&address.tags.unwrap_or_default()),
        outputs: Outputs::from([("public_ip".into(), address.public_ip.unwrap_or_default())]),
        body: ElasticIp { interface }.into(),
    }
}

async fn described(clients: &Clients, id: &str) -> Result<Option<Address>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeAddresses"), || {
            clients.ec2.describe_addresses().allocation_ids(id).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.addresses?.pop()))
}

async fn point(
    clients: &Clients,
    id: &str,
    seen: &ElasticIp,
    want: &ElasticIp,
) -> Result<(), CloudError> {
    if seen.interface == want.interface {
        return Ok(());
    }
    if want.interface.is_empty() {
        return release(clients, id).await;
    }
    clients
        .calls
        .send(Call::repeatable("ec2", "AssociateAddress"), || {
            let request = clients.ec2.associate_address().allocation_id(id);
            request.network_interface_id(&want.interface).allow_reassociation(true).send()
        })
        .await
        .map(drop)
}

/// Takes it from whatever it points at now.
async fn release(clients: &Clients, id: &str) -> Result<(), CloudError> {
    let present = described(clients, id).await?.and_then(|address| address.association_id);
    let Some(association) = present.filter(|association| !association.is_empty()) else {
        return Ok(());
    };
    let answer = clients
        .calls
        .send(Call::repeatable("ec2", "DisassociateAddress"), || {
            clients.ec2.disassociate_address().association_id(&association).send()
        })
        .await;
    found(answer).map(drop)
}
