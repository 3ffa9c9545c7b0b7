//! Security groups. A group's name is unique in its VPC, so that making it
//! twice fails instead of making two.

mod rules;

use aws_sdk_ec2::types::{ResourceType, SecurityGroup as Described};
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::SecurityGroup;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags};

/// Every group of our owner. Its rules come with it: as objects of their own
/// they would cost further calls, and tell nothing more.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeSecurityGroups"),
            |token| {
                let request = clients.ec2.describe_security_groups();
                request.filters(ec2::owned(&clients.site)).set_next_token(token).send()
            },
            |page| (page.security_groups.unwrap_or_default(), page.next_token),
        )
        .await?;
    let mut listing = Listing::default();
    for group in listed {
        listing.claim(&clients.site, &clients.region, read(group));
    }
    Ok(listing)
}

/// Makes a group, then its rules; AWS's own first rule, which lets everything
/// out, is one like any other.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &SecurityGroup,
) -> Result<Outputs, CloudError> {
    let tags = tags::specification(ResourceType::SecurityGroup, resource);
    let made = clients
        .calls
        .send(Call::repeatable("ec2", "CreateSecurityGroup"), || {
            let request = clients.ec2.create_security_group().group_name(&want.name);
            let request = request.description(&want.description).vpc_id(&want.vpc);
            request.tag_specifications(tags.clone()).send()
        })
        .await?;
    let id = made.group_id.unwrap_or_default();
    let seen = until("ec2:DescribeSecurityGroups", VISIBLE, || described(clients, &id)).await?;
    rules::set(clients, &id, (&rules::read(&seen), &want.rules), resource).await?;
    Ok(Outputs::from([("id".into(), id)]))
}

/// Changes rules and tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &SecurityGroup),
    (after, want): (&Resource, &SecurityGroup),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    rules::set(clients, &before.id, (&seen.rules, &want.rules), after).await?;
    Ok(Outputs::new())
}

/// Empties and removes a group: two groups that name each other in their rules
/// could not go otherwise. Refused while an interface or another group uses it.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    seen: &SecurityGroup,
) -> Result<(), CloudError> {
    rules::revoke(clients, &object.id, &seen.rules).await?;
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteSecurityGroup"), || {
            clients.ec2.delete_security_group().group_id(&object.id).send()
        })
        .await
        .map(drop)
}

fn read(group: Described) -> Found {
    let rules = rules::read(&group);
    let body = SecurityGroup {
        vpc: group.vpc_id.unwrap_or_default(),
        name: group.group_name.unwrap_or_default(),
        description: group.description.unwrap_or_default(),
        rules,
    };
    Found {
        id: group.group_id.unwrap_or_default(),
        tags: tags::from_ec2(&group.tags.unwrap_or_default()),
        outputs: Outputs::new(),
        body: body.into(),
    }
}

async fn described(clients: &Clients, id: &str) -> Result<Option<Described>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeSecurityGroups"), || {
            clients.ec2.describe_security_groups().group_ids(id).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.security_groups?.pop()))
}
