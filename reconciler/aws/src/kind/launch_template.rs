//! Launch templates. Versions never change: every difference makes a new one.

mod content;

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    Filter, LaunchTemplate as Described, LaunchTemplateVersion, ResourceType,
};
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::LaunchTemplate;
use lyceum_core::observed::Object;
use lyceum_core::site::digest;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags, tokens};

/// Templates and versions of a page, the most that EC2 gives.
const PAGE: i32 = 200;
/// Versions of a template that are kept. A scaling group whose own change is
/// waiting may still need one that is far from the newest.
const KEPT: i64 = 50;

/// Tags by id.
type Tags = BTreeMap<String, BTreeMap<String, String>>;

/// Every template of our owner with its newest version: three lists, whatever
/// their number. That of the versions cannot be narrowed to ours: asking for
/// each template would cost a call a template instead.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let (templates, newest) = tokio::try_join!(templates(clients), newest_versions(clients))?;
    let mut tags = present_tags(clients, &templates).await?;
    let mut listing = Listing::default();
    for template in templates {
        let id = template.launch_template_id().unwrap_or_default();
        let tags = tags.remove(id).unwrap_or_default();
        let facts = ("launch-template", id, &tags);
        let Some(address) = listing.address(&clients.site, &clients.region, facts) else {
            continue;
        };
        let Some(version) = newest.get(id) else {
            let message = format!("{id} was made or removed between two lists");
            let error = CloudError::new(Class::NotYet, "ec2:DescribeLaunchTemplates", message);
            listing.unread(&clients.region, &address, &error);
            continue;
        };
        let tags = tags::with_time(tags, template.create_time());
        listing.push(address, &clients.region, read(id, tags, version));
    }
    Ok(listing)
}

/// Makes a template with its first version.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &LaunchTemplate,
) -> Result<Outputs, CloudError> {
    let tags = tags::constant(ResourceType::LaunchTemplate, resource);
    tokens::spend(&clients.site, resource, async |token| {
        let made = clients
            .calls
            .send(Call::repeatable("ec2", "CreateLaunchTemplate"), || {
                let request = clients.ec2.create_launch_template();
                request
                    .launch_template_name(&want.name)
                    .launch_template_data(content::request(want))
                    .version_description(content::description(want))
                    .tag_specifications(tags.clone())
                    .client_token(&token)
                    .send()
            })
            .await?;
        let made = made.launch_template.unwrap_or_else(|| Described::builder().build());
        let (id, look) = (made.launch_template_id().unwrap_or_default(), "$Latest");
        let look = || version(clients, id, look);
        let operation = "ec2:DescribeLaunchTemplateVersions";
        let alive = tokens::alive(operation, made.create_time(), look).await?;
        Ok(alive.map(|version| outputs(id, &version)))
    })
    .await
}

/// Makes a new version of what differs, and writes tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &LaunchTemplate),
    (after, want): (&Resource, &LaunchTemplate),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    if seen == want {
        return Ok(Outputs::new());
    }
    let number = new_version(clients, before, want).await?;
    let text = number.to_string();
    let made = until("ec2:DescribeLaunchTemplateVersions", VISIBLE, || {
        version(clients, &before.id, &text)
    })
    .await?;
    make_default(clients, &before.id, &text).await?;
    forget(clients, &before.id, number).await;
    Ok(outputs(&before.id, &made))
}

/// Removes a template with all its versions.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &LaunchTemplate,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteLaunchTemplate"), || {
            clients.ec2.delete_launch_template().launch_template_id(&object.id).send()
        })
        .await
        .map(drop)
}

async fn templates(clients: &Clients) -> Result<Vec<Described>, CloudError> {
    clients
        .calls
        .pages(
            Call::read("ec2", "DescribeLaunchTemplates"),
            |token| {
                let request = clients.ec2.describe_launch_templates().max_results(PAGE);
                request.filters(ec2::owned(&clients.site)).set_next_token(token).send()
            },
            |page| (page.launch_templates.unwrap_or_default(), page.next_token),
        )
        .await
}

async fn newest_versions(
    clients: &Clients,
) -> Result<BTreeMap<String, LaunchTemplateVersion>, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeLaunchTemplateVersions"),
            |token| {
                let request = clients.ec2.describe_launch_template_versions().max_results(PAGE);
                request.versions("$Latest").set_next_token(token).send()
            },
            |page| (page.launch_template_versions.unwrap_or_default(), page.next_token),
        )
        .await?;
    let by_id = |version: LaunchTemplateVersion| {
        (version.launch_template_id.clone().unwrap_or_default(), version)
    };
    Ok(listed.into_iter().map(by_id).collect())
}

/// The tags as they are now, by template: in the emulator's list of templates
/// they stay for ever what they were at creation.
async fn present_tags(clients: &Clients, templates: &[Described]) -> Result<Tags, CloudError> {
    let ids = templates.iter().filter_map(|template| template.launch_template_id.clone());
    let ids: Vec<String> = ids.collect();
    let mut tags = Tags::new();
    for ids in ids.chunks(ec2::FILTER_VALUES) {
        let filter = Filter::builder().name("resource-id").set_values(Some(ids.into())).build();
        let listed = clients
            .calls
            .pages(
                Call::read("ec2", "DescribeTags"),
                |token| {
                    let request = clients.ec2.describe_tags().filters(filter.clone());
                    request.set_next_token(token).send()
                },
                |page| (page.tags.unwrap_or_default(), page.next_token),
            )
            .await?;
        for tag in listed {
            let of = tags.entry(tag.resource_id.unwrap_or_default()).or_default();
            of.insert(tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
        }
    }
    Ok(tags)
}

fn read(id: &str, tags: BTreeMap<String, String>, version: &LaunchTemplateVersion) -> Found {
    let mut outputs = outputs(id, version);
    let id = outputs.remove("id").unwrap_or_default();
    Found { id, tags, outputs, body: content::read(version).into() }
}

fn outputs(id: &str, version: &LaunchTemplateVersion) -> Outputs {
    let body = content::read(version);
    Outputs::from([
        ("id".into(), id.to_string()),
        ("image".into(), body.image),
        ("root_device".into(), body.root_device),
        ("version".into(), version.version_number.unwrap_or_default().to_string()),
        ("name".into(), version.launch_template_name.clone().unwrap_or_default()),
    ])
}

async fn version(
    clients: &Clients,
    id: &str,
    number: &str,
) -> Result<Option<LaunchTemplateVersion>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeLaunchTemplateVersions"), || {
            let request = clients.ec2.describe_launch_template_versions();
            request.launch_template_id(id).versions(number).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.launch_template_versions?.pop()))
}

/// The number of a new version. Its token holds the version it follows, so that
/// going back to what an older version was makes a new one.
async fn new_version(
    clients: &Clients,
    before: &Object,
    want: &LaunchTemplate,
) -> Result<i64, CloudError> {
    let follows = before.output("version").unwrap_or_default();
    let description = content::description(want);
    let token = digest(&format!("{}\n{follows}\n{description}", before.id));
    let made = clients
        .calls
        .send(Call::repeatable("ec2", "CreateLaunchTemplateVersion"), || {
            let request = clients.ec2.create_launch_template_version();
            request
                .launch_template_id(&before.id)
                .launch_template_data(content::request(want))
                .version_description(&description)
                .client_token(&token)
                .send()
        })
        .await?;
    Ok(made.launch_template_version.and_then(|made| made.version_number).unwrap_or_default())
}

/// What people and other tools get who name no version. We always name one.
async fn make_default(clients: &Clients, id: &str, number: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "ModifyLaunchTemplate"), || {
            let request = clients.ec2.modify_launch_template().launch_template_id(id);
            request.default_version(number).send()
        })
        .await
        .map(drop)
}

/// Removes versions that are too old. That this fails now harms nobody: the
/// next change tries again.
async fn forget(clients: &Clients, id: &str, newest: i64) {
    let old = too_old(newest);
    if old.is_empty() {
        return;
    }
    let answer = clients
        .calls
        .send(Call::repeatable("ec2", "DeleteLaunchTemplateVersions"), || {
            let request = clients.ec2.delete_launch_template_versions().launch_template_id(id);
            request.set_versions(Some(old.clone())).send()
        })
        .await;
    if let Err(error) = answer {
        tracing::debug!(id, %error, "old versions of a launch template stay for now");
    }
}

/// The versions that the newest one pushes out, and a few that an earlier
/// attempt may have left.
fn too_old(newest: i64) -> Vec<String> {
    let last = newest - KEPT;
    ((last - 10).max(1)..=last).map(|number| number.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_go_and_the_newest_stay() {
        assert!(too_old(KEPT).is_empty());
        assert_eq!(too_old(KEPT + 2), ["1", "2"]);
        assert_eq!(too_old(KEPT + 100).len(), 11);
        assert_eq!(too_old(KEPT + 100).last().unwrap(), "100");
    }
}
