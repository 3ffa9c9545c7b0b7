//! IAM roles with their inline policies and attachments. One list answers
//! everything: documents, attachments and tags.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, RoleDetail, Tag};
use lyceum_core::address::Address;
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Role;
use lyceum_core::observed::Object;
use lyceum_core::site::GLOBAL;
use serde_json::Value;

use crate::calls::{Call, VISIBLE, made_or_found, until};
use crate::claim::{Claim, Found, Listing, claim};
use crate::clients::Clients;
use crate::error::found;
use crate::{policy, tags};

/// Roles of one page.
const PAGE: i32 = 1000;

/// Every role of our owner.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("iam", "GetAccountAuthorizationDetails"),
            |marker| {
                let request = clients.iam.get_account_authorization_details();
                request.filter(EntityType::Role).max_items(PAGE).set_marker(marker).send()
            },
            |page| {
                let next = page.marker.filter(|_| page.is_truncated);
                (page.role_detail_list.unwrap_or_default(), next)
            },
        )
        .await?;
    let path = format!("/{}/", clients.site.owner);
    let mut listing = Listing::default();
    for role in listed {
        if role.path().is_some_and(|at| at.starts_with(&path)) {
            listing.claim(&clients.site, GLOBAL, read(role));
        }
    }
    Ok(listing)
}

/// Makes a role, then its policies. One of this name with our tags is ours.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Role,
) -> Result<Outputs, CloudError> {
    let tags = build(&tags::at_creation(resource))?;
    let made = clients
        .calls
        .send(Call::repeatable("iam", "CreateRole"), || {
            let request = clients.iam.create_role().role_name(&want.name).path(&want.path);
            let request = request.assume_role_policy_document(want.trust.to_string());
            request.set_tags(Some(tags.clone())).send()
        })
        .await
        .map(|_| want.trust.clone());
    let trust = made_or_found(made, ours(clients, &want.name, &resource.address)).await?;
    let (arn, _) = until("iam:GetRole", VISIBLE, || get(clients, &want.name)).await?;
    let seen = Role { trust, ..Role::default() };
    write(clients, &seen, want).await?;
    Ok(Outputs::from([("id".into(), want.name.clone()), ("arn".into(), arn)]))
}

/// Writes what differs; what is not wanted is taken away.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Role),
    (after, want): (&Resource, &Role),
) -> Result<Outputs, CloudError> {
    let changed = build(&tags::to_write(before, after))?;
    if !changed.is_empty() {
        clients
            .calls
            .send(Call::repeatable("iam", "TagRole"), || {
                let request = clients.iam.tag_role().role_name(&before.id);
                request.set_tags(Some(changed.clone())).send()
            })
            .await?;
    }
    let gone = tags::to_remove(before, after);
    if !gone.is_empty() {
        clients
            .calls
            .send(Call::repeatable("iam", "UntagRole"), || {
                let request = clients.iam.untag_role().role_name(&before.id);
                request.set_tag_keys(Some(gone.clone())).send()
            })
            .await?;
    }
    write(clients, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a role after its policies and attachments. Refused while a profile
/// holds it.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    seen: &Role,
) -> Result<(), CloudError> {
    let bare = Role {
        name: object.id.clone(),
        trust: seen.trust.clone(),
        ..Role::default()
    };
    write(clients, seen, &bare).await?;
    clients
        .calls
        .send(Call::repeatable("iam", "DeleteRole"), || {
            clients.iam.delete_role().role_name(&object.id).send()
        })
        .await
        .map(drop)
}

fn read(role: RoleDetail) -> Found {
    let policies = role.role_policy_list.unwrap_or_default().into_iter().map(|inline| {
        let document = policy::parse(&inline.policy_document.unwrap_or_default());
        (inline.policy_name.unwrap_or_default(), document)
    });
    let attached = role.attached_managed_policies.unwrap_or_default();
    let name = role.role_name.unwrap_or_default();
    let body = Role {
        name: name.clone(),
        path: role.path.unwrap_or_default(),
        trust: policy::parse(&role.assume_role_policy_document.unwrap_or_default()),
        policies: policies.collect(),
        attached: attached.into_iter().filter_map(|policy| policy.policy_arn).collect(),
    };
    Found {
        id: name,
        tags: from_iam(role.tags.unwrap_or_default()),
        outputs: Outputs::from([("arn".into(), role.arn.unwrap_or_default())]),
        body: body.into(),
    }
}

fn build(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, CloudError> {
    tags::build(tags, |key, value| Tag::builder().key(key).value(value).build())
}

fn from_iam(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// The trust of a role that carries our address already. It is answered as
/// nothing, so that it is written again.
async fn ours(
    clients: &Clients,
    name: &str,
    address: &Address,
) -> Result<Option<Value>, CloudError> {
    let role = get(clients, name).await?;
    let mine = |(_, tags)| claim(&clients.site, "role", &tags) == Claim::Ours(address.clone());
    Ok(role.is_some_and(mine).then_some(Value::Null))
}

/// A role's ARN and tags.
async fn get(
    clients: &Clients,
    name: &str,
) -> Result<Option<(String, BTreeMap<String, String>)>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("iam", "GetRole"), || clients.iam.get_role().role_name(name).send())
        .await;
    let role = found(answer)?.and_then(|answer| answer.role);
    Ok(role.map(|role| (role.arn, from_iam(role.tags.unwrap_or_default()))))
}

async fn write(clients: &Clients, seen: &Role, want: &Role) -> Result<(), CloudError> {
    if seen.trust != want.trust {
        let call = Call::repeatable("iam", "UpdateAssumeRolePolicy");
        let send = || {
            let request = clients.iam.update_assume_role_policy().role_name(&want.name);
            request.policy_document(want.trust.to_string()).send()
        };
        clients.calls.send(call, send).await?;
    }
    write_policies(clients, &want.name, &seen.policies, &want.policies).await?;
    write_attached(clients, &want.name, &seen.attached, &want.attached).await
}

async fn write_policies(
    clients: &Clients,
    role: &str,
    seen: &BTreeMap<String, Value>,
    want: &BTreeMap<String, Value>,
) -> Result<(), CloudError> {
    for (name, document) in want.iter().filter(|(name, it)| seen.get(*name) != Some(it)) {
        let call = Call::repeatable("iam", "PutRolePolicy");
        let send = || {
            let request = clients.iam.put_role_policy().role_name(role).policy_name(name);
            request.policy_document(document.to_string()).send()
        };
        clients.calls.send(call, send).await?;
    }
    for name in seen.keys().filter(|name| !want.contains_key(*name)) {
        let call = Call::repeatable("iam", "DeleteRolePolicy");
        let send = || clients.iam.delete_role_policy().role_name(role).policy_name(name).send();
        found(clients.calls.send(call, send).await)?;
    }
    Ok(())
}

async fn write_attached(
    clients: &Clients,
    role: &str,
    seen: &BTreeSet<String>,
    want: &BTreeSet<String>,
) -> Result<(), CloudError> {
    for arn in want.difference(seen) {
        let call = Call::repeatable("iam", "AttachRolePolicy");
        let send = || clients.iam.attach_role_policy().role_name(role).policy_arn(arn).send();
        clients.calls.send(call, send).await?;
    }
    for arn in seen.difference(want) {
        let call = Call::repeatable("iam", "DetachRolePolicy");
        let send = || clients.iam.detach_role_policy().role_name(role).policy_arn(arn).send();
        found(clients.calls.send(call, send).await)?;
    }
    Ok(())
}
