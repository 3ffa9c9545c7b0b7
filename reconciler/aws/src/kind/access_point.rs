//! EFS access points.

use aws_sdk_efs::types::{
    AccessPointDescription, CreationInfo, LifeCycleState, RootDirectory, Tag,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::AccessPoint;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, made_or_found, until};
use crate::claim::{Claim, Found, Listing, claim};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::{efs, tags, tokens};

/// How what was made is looked for.
const LOOK: &str = "efs:DescribeAccessPoints";

/// Every access point of our owner.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let mut listing = Listing::default();
    for point in described(clients, None).await? {
        listing.claim(&clients.site, &clients.region, read(point));
    }
    Ok(listing)
}

/// Makes an access point. Where its token is used up, what that made is taken, or
/// another life's token where it is gone.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &AccessPoint,
) -> Result<Outputs, CloudError> {
    let tags = efs::build(&tags::at_creation(resource))?;
    let directory = directory(want)?;
    let find = || ours(clients, &resource.address, want);
    let id = tokens::spend(&clients.site, resource, async |token| {
        let made = clients
            .calls
            .send(Call::once("efs", "CreateAccessPoint"), || {
                let request = clients.efs.create_access_point().file_system_id(&want.file_system);
                let request = request.client_token(&token).root_directory(directory.clone());
                request.set_tags(Some(tags.clone())).send()
            })
            .await
            .map(|made| made.access_point_id.unwrap_or_default());
        match made {
            Err(error) if error.class == Class::Exists => {
                tokens::left_behind(LOOK, find).await
            }
            other => made_or_found(other, find()).await.map(Some),
        }
    })
    .await?;
    let arn = until(LOOK, VISIBLE, || available(clients, &id)).await?;
    Ok(Outputs::from([("id".into(), id), ("arn".into(), arn)]))
}

/// Writes tags; nothing else of an access point changes.
pub(crate) async fn update(
    clients: &Clients,
    (before, _seen): (&Object, &AccessPoint),
    (after, _want): (&Resource, &AccessPoint),
) -> Result<Outputs, CloudError> {
    efs::write_tags(clients, before, after).await?;
    Ok(Outputs::new())
}

/// Removes an access point; the directory stays.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &AccessPoint,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("efs", "DeleteAccessPoint"), || {
            clients.efs.delete_access_point().access_point_id(&object.id).send()
        })
        .await
        .map(drop)
}

/// Access points that are not about to go.
async fn described(
    clients: &Clients,
    file_system: Option<&str>,
) -> Result<Vec<AccessPointDescription>, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("efs", "DescribeAccessPoints"),
            |token| {
                let request = clients.efs.describe_access_points().max_results(100);
                let request = request.set_file_system_id(file_system.map(str::to_string));
                request.set_next_token(token).send()
            },
            |page| (page.access_points.unwrap_or_default(), page.next_token),
        )
        .await?;
    let going = [LifeCycleState::Deleting, LifeCycleState::Deleted];
    let stays = |point: &AccessPointDescription| {
        point.life_cycle_state().is_none_or(|state| !going.contains(state))
    };
    Ok(listed.into_iter().filter(stays).collect())
}

fn read(point: AccessPointDescription) -> Found {
    let directory = point.root_directory;
    let path = directory.as_ref().and_then(|directory| directory.path.clone());
    let made = directory.and_then(|directory| directory.creation_info);
    let number = |value: Option<i64>| value.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    let body = AccessPoint {
        file_system: point.file_system_id.unwrap_or_default(),
        path: path.unwrap_or_else(|| "/".into()),
        uid: number(made.as_ref().map(|made| made.owner_uid)),
        gid: number(made.as_ref().map(|made| made.owner_gid)),
        mode: made.map(|made| made.permissions).unwrap_or_default(),
    };
    Found {
        id: point.access_point_id.unwrap_or_default(),
        tags: efs::from_efs(point.tags.unwrap_or_default()),
        outputs: Outputs::from([("arn".into(), point.access_point_arn.unwrap_or_default())]),
        body: body.into(),
    }
}

fn directory(want: &AccessPoint) -> Result<RootDirectory, CloudError> {
    let made = CreationInfo::builder()
        .owner_uid(want.uid.into())
        .owner_gid(want.gid.into())
        .permissions(&want.mode)
        .build()
        .map_err(incomplete)?;
    Ok(RootDirectory::builder().path(&want.path).creation_info(made).build())
}

async fn ours(
    clients: &Clients,
    address: &Address,
    want: &AccessPoint,
) -> Result<Option<String>, CloudError> {
    let points = described(clients, Some(&want.file_system)).await?;
    let mine = |tags: &[Tag]| {
        claim(&clients.site, "access-point", &efs::from_efs(tags.to_vec()))
            == Claim::Ours(address.clone())
    };
    Ok(points.into_iter().find(|point| mine(point.tags())).and_then(|point| point.access_point_id))
}

async fn available(clients: &Clients, id: &str) -> Result<Option<String>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("efs", "DescribeAccessPoints"), || {
            clients.efs.describe_access_points().access_point_id(id).send()
        })
        .await;
    let points = found(answer)?.and_then(|answer| answer.access_points).unwrap_or_default();
    let ready = |point: &AccessPointDescription| {
        point.life_cycle_state() == Some(&LifeCycleState::Available)
    };
    Ok(points.into_iter().find(ready).and_then(|point| point.access_point_arn))
}
