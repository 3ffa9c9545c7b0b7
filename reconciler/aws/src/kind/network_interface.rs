//! Network interfaces. EC2 gives a private address to one interface only, so
//! that making it twice fails instead of making two.

use aws_sdk_ec2::types::{AttributeValue, NetworkInterface as Described, ResourceType};
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::NetworkInterface;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags};

/// Every interface of our owner.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeNetworkInterfaces"),
            |token| {
                let request = clients.ec2.describe_network_interfaces();
                request.filters(ec2::owned(&clients.site)).set_next_token(token).send()
            },
            |page| (page.network_interfaces.unwrap_or_default(), page.next_token),
        )
        .await?;
    let mut listing = Listing::default();
    for interface in listed {
        listing.claim(&clients.site, &clients.region, read(interface));
    }
    Ok(listing)
}

/// Makes an interface.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &NetworkInterface,
) -> Result<Outputs, CloudError> {
    let tags = tags::specification(ResourceType::NetworkInterface, resource);
    let groups: Vec<String> = want.security_groups.iter().cloned().collect();
    let made = clients
        .calls
        .send(Call::once("ec2", "CreateNetworkInterface"), || {
            let request = clients.ec2.create_network_interface().subnet_id(&want.subnet);
            request
                .private_ip_address(&want.private_ip)
                .set_groups(Some(groups.clone()))
                .description(&want.description)
                .tag_specifications(tags.clone())
                .send()
        })
        .await?;
    let made = made.network_interface.unwrap_or_else(|| Described::builder().build());
    let id = made.network_interface_id.unwrap_or_default();
    until("ec2:DescribeNetworkInterfaces", VISIBLE, || visible(clients, &id)).await?;
    let mut outputs = outputs(made.private_ip_address);
    outputs.insert("id".into(), id);
    Ok(outputs)
}

/// Changes groups, description and tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &NetworkInterface),
    (after, want): (&Resource, &NetworkInterface),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    // EC2 takes one attribute a call.
    let call = Call::repeatable("ec2", "ModifyNetworkInterfaceAttribute");
    let request =
        || clients.ec2.modify_network_interface_attribute().network_interface_id(&before.id);
    if seen.security_groups != want.security_groups {
        let groups: Vec<String> = want.security_groups.iter().cloned().collect();
        let send = || request().set_groups(Some(groups.clone())).send();
        clients.calls.send(call, send).await?;
    }
    if seen.description != want.description {
        let description = AttributeValue::builder().value(&want.description).build();
        let send = || request().description(description.clone()).send();
        clients.calls.send(call, send).await?;
    }
    Ok(Outputs::new())
}

/// Removes an interface; refused while an instance has it. EC2 takes it from a
/// terminated instance by itself.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &NetworkInterface,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteNetworkInterface"), || {
            clients.ec2.delete_network_interface().network_interface_id(&object.id).send()
        })
        .await
        .map(drop)
        .map_err(|error| ec2::not_yet(error, "in use"))
}

fn read(interface: Described) -> Found {
    let body = NetworkInterface {
        security_groups: interface
            .groups()
            .iter()
            .filter_map(|group| group.group_id.clone())
            .collect(),
        subnet: interface.subnet_id.unwrap_or_default(),
        private_ip: interface.private_ip_address.clone().unwrap_or_default(),
        description: interface.description.unwrap_or_default(),
    };
    Found {
        id: interface.network_interface_id.unwrap_or_default(),
        tags: tags::from_ec2(&interface.tag_set.unwrap_or_default()),
        outputs: outputs(interface.private_ip_address),
        body: body.into(),
    }
}

fn outputs(private_ip: Option<String>) -> Outputs {
    Outputs::from([("private_ip".into(), private_ip.unwrap_or_default())])
}

async fn visible(clients: &Clients, id: &str) -> Result<Option<()>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeNetworkInterfaces"), || {
            clients.ec2.describe_network_interfaces().network_interface_ids(id).send()
        })
        .await;
    Ok(found(answer)?.filter(|answer| !answer.network_interfaces().is_empty()).map(drop))
}
