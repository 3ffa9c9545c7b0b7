//! VPCs. EC2 has no token for CreateVpc: when no answer comes, the next pass
//! finds what was made.

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, VpcAttributeName};
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Vpc;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, each, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags};

/// Every VPC of our owner; two calls more for the attributes of each.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeVpcs"),
            |token| {
                let request = clients.ec2.describe_vpcs().filters(ec2::owned(&clients.site));
                request.set_next_token(token).send()
            },
            |page| (page.vpcs.unwrap_or_default(), page.next_token),
        )
        .await?;
    let mut listing = Listing::default();
    let mut ours = Vec::new();
    for vpc in listed {
        let tags = tags::from_ec2(vpc.tags());
        let facts = ("vpc", vpc.vpc_id().unwrap_or_default(), &tags);
        if let Some(address) = listing.address(&clients.site, &clients.region, facts) {
            ours.push((address, vpc));
        }
    }
    let clients = &clients.of_item();
    let all = each(ours, |(address, vpc)| async move { (address, read(clients, vpc).await) });
    for (address, read) in all.await {
        listing.take(&clients.region, address, read);
    }
    Ok(listing)
}

/// Makes a VPC, then sets its attributes.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Vpc,
) -> Result<Outputs, CloudError> {
    let tags = tags::specification(ResourceType::Vpc, resource);
    let made = clients
        .calls
        .send(Call::once("ec2", "CreateVpc"), || {
            clients.ec2.create_vpc().cidr_block(&want.cidr).tag_specifications(tags.clone()).send()
        })
        .await?;
    let id = made.vpc().and_then(|vpc| vpc.vpc_id()).unwrap_or_default().to_string();
    until("ec2:DescribeVpcs", VISIBLE, || visible(clients, &id)).await?;
    // What a new VPC has.
    let fresh = Vpc { cidr: want.cidr.clone(), dns_support: true, dns_host_names: false };
    set_attributes(clients, &id, &fresh, want).await?;
    Ok(Outputs::from([("id".into(), id)]))
}

/// Sets attributes and tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Vpc),
    (after, want): (&Resource, &Vpc),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    set_attributes(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a VPC; refused while anything is in it.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Vpc,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteVpc"), || {
            clients.ec2.delete_vpc().vpc_id(&object.id).send()
        })
        .await
        .map(drop)
}

async fn read(clients: &Clients, vpc: aws_sdk_ec2::types::Vpc) -> Result<Found, CloudError> {
    let id = vpc.vpc_id.unwrap_or_default();
    let (support, names) = tokio::try_join!(
        attribute(clients, &id, VpcAttributeName::EnableDnsSupport),
        attribute(clients, &id, VpcAttributeName::EnableDnsHostnames),
    )?;
    let cidr = vpc.cidr_block.unwrap_or_default();
    Ok(Found {
        id,
        tags: tags::from_ec2(&vpc.tags.unwrap_or_default()),
        outputs: Outputs::new(),
        body: Vpc { cidr, dns_support: support, dns_host_names: names }.into(),
    })
}

async fn attribute(
    clients: &Clients,
    id: &str,
    name: VpcAttributeName,
) -> Result<bool, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeVpcAttribute"), || {
            clients.ec2.describe_vpc_attribute().vpc_id(id).attribute(name.clone()).send()
        })
        .await?;
    let value = match name {
        VpcAttributeName::EnableDnsSupport => answer.enable_dns_support,
        _ => answer.enable_dns_hostnames,
    };
    Ok(value.and_then(|value| value.value).unwrap_or(false))
}

async fn visible(clients: &Clients, id: &str) -> Result<Option<()>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeVpcs"), || clients.ec2.describe_vpcs().vpc_ids(id).send())
        .await;
    let vpc = found(answer)?.and_then(|answer| answer.vpcs?.pop());
    Ok(vpc.map(drop))
}

/// EC2 takes one attribute a call, and host names only where support is on.
async fn set_attributes(
    clients: &Clients,
    id: &str,
    seen: &Vpc,
    want: &Vpc,
) -> Result<(), CloudError> {
    let call = Call::repeatable("ec2", "ModifyVpcAttribute");
    let value = |on| AttributeBooleanValue::builder().value(on).build();
    let request = || clients.ec2.modify_vpc_attribute().vpc_id(id);
    if seen.dns_support != want.dns_support {
        let support = value(want.dns_support);
        let send = || request().enable_dns_support(support.clone()).send();
        clients.calls.send(call, send).await?;
    }
    if seen.dns_host_names != want.dns_host_names {
        let names = value(want.dns_host_names);
        let send = || request().enable_dns_hostnames(names.clone()).send();
        clients.calls.send(call, send).await?;
    }
    Ok(())
}
