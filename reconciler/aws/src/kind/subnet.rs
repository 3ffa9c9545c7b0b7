//! Subnets. EC2 has no token for CreateSubnet, but refuses a range twice.

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType};
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Subnet;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags};

/// Every subnet of our owner.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeSubnets"),
            |token| {
                let request = clients.ec2.describe_subnets().filters(ec2::owned(&clients.site));
                request.set_next_token(token).send()
            },
            |page| (page.subnets.unwrap_or_default(), page.next_token),
        )
        .await?;
    let mut listing = Listing::default();
    for subnet in listed {
        listing.claim(&clients.site, &clients.region, read(subnet));
    }
    Ok(listing)
}

/// Makes a subnet, then sets its attribute.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Subnet,
) -> Result<Outputs, CloudError> {
    let tags = tags::specification(ResourceType::Subnet, resource);
    let made = clients
        .calls
        .send(Call::once("ec2", "CreateSubnet"), || {
            let request = clients.ec2.create_subnet().vpc_id(&want.vpc).cidr_block(&want.cidr);
            request.availability_zone(&want.zone).tag_specifications(tags.clone()).send()
        })
        .await?;
    let id = made.subnet.and_then(|made| made.subnet_id).unwrap_or_default();
    until("ec2:DescribeSubnets", VISIBLE, || visible(clients, &id)).await?;
    let fresh = Subnet { map_public_ip: false, ..want.clone() };
    set_attributes(clients, &id, &fresh, want).await?;
    Ok(Outputs::from([("id".into(), id), ("zone".into(), want.zone.clone())]))
}

/// Sets the attribute and tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Subnet),
    (after, want): (&Resource, &Subnet),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    set_attributes(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a subnet; refused while anything is in it.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Subnet,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteSubnet"), || {
            clients.ec2.delete_subnet().subnet_id(&object.id).send()
        })
        .await
        .map(drop)
}

fn read(subnet: aws_sdk_ec2::types::Subnet) -> Found {
    // What lies in the subnet, such as a volume, has to be in its zone.
    let zone = subnet.availability_zone.clone().unwrap_or_default();
    let body = Subnet {
        vpc: subnet.vpc_id.unwrap_or_default(),
        cidr: subnet.cidr_block.unwrap_or_default(),
        zone: subnet.availability_zone.unwrap_or_default(),
        map_public_ip: subnet.map_public_ip_on_launch.unwrap_or_default(),
    };
    Found {
        id: subnet.subnet_id.unwrap_or_default(),
        tags: tags::from_ec2(&subnet.tags.unwrap_or_default()),
        outputs: Outputs::from([("zone".into(), zone)]),
        body: body.into(),
    }
}

async fn visible(clients: &Clients, id: &str) -> Result<Option<()>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeSubnets"), || {
            clients.ec2.describe_subnets().subnet_ids(id).send()
        })
        .await;
    Ok(found(answer)?.filter(|answer| !answer.subnets().is_empty()).map(drop))
}

async fn set_attributes(
    clients: &Clients,
    id: &str,
    seen: &Subnet,
    want: &Subnet,
) -> Result<(), CloudError> {
    if seen.map_public_ip == want.map_public_ip {
        return Ok(());
    }
    let public = AttributeBooleanValue::builder().value(want.map_public_ip).build();
    clients
        .calls
        .send(Call::repeatable("ec2", "ModifySubnetAttribute"), || {
            let request = clients.ec2.modify_subnet_attribute().subnet_id(id);
            request.map_public_ip_on_launch(public.clone()).send()
        })
        .await
        .map(drop)
}
