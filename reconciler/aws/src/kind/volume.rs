//! Data volumes. Which instance a volume is attached to is the instance's
//! attribute; a volume is only ever taken from a machine that does not run.

use std::time::Duration;

use aws_sdk_ec2::types::{
    InstanceStateName, ResourceType, Volume as Described, VolumeAttachment, VolumeState, VolumeType,
};
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Volume;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags, tokens};

/// How long a volume may take to leave an instance.
const DETACHED: Duration = Duration::from_secs(120);

/// Every volume of our owner, root volumes of instances included: one list for
/// this kind and for instances.
pub(crate) async fn described(clients: &Clients) -> Result<Vec<Described>, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeVolumes"),
            |token| {
                let request = clients.ec2.describe_volumes().filters(ec2::owned(&clients.site));
                request.set_next_token(token).send()
            },
            |page| (page.volumes.unwrap_or_default(), page.next_token),
        )
        .await?;
    Ok(listed.into_iter().filter(lasting).collect())
}

/// The data volumes among them.
pub(crate) fn listing(clients: &Clients, volumes: &[Described]) -> Listing {
    let mut listing = Listing::default();
    for volume in volumes {
        listing.claim(&clients.site, &clients.region, read(clients, volume));
    }
    listing
}

/// Makes a volume and waits until it can be attached.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Volume,
) -> Result<Outputs, CloudError> {
    let tags = tags::constant(ResourceType::Volume, resource);
    tokens::spend(&clients.site, resource, async |token| {
        let made = clients
            .calls
            .send(Call::repeatable("ec2", "CreateVolume"), || {
                let request = clients.ec2.create_volume().availability_zone(&want.zone);
                request
                    .size(want.size_gib)
                    .volume_type(want.volume_type.as_str().into())
                    .encrypted(want.encrypted)
                    .tag_specifications(tags.clone())
                    .client_token(&token)
                    .send()
            })
            .await?;
        let id = made.volume_id().unwrap_or_default();
        let look = || usable(clients, id);
        let alive = tokens::alive("ec2:DescribeVolumes", made.create_time(), look).await?;
        Ok(alive.map(|_| outputs(clients, id)))
    })
    .await
}

/// Changes size, type and tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Volume),
    (after, want): (&Resource, &Volume),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    let (from, to) = ((seen.size_gib, &*seen.volume_type), (want.size_gib, &*want.volume_type));
    modify(clients, &before.id, from, to).await?;
    Ok(Outputs::new())
}

/// Removes a volume; one that a running machine has stays.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Volume,
) -> Result<(), CloudError> {
    free(clients, &object.id).await?;
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteVolume"), || {
            clients.ec2.delete_volume().volume_id(&object.id).send()
        })
        .await
        .map(drop)
}

/// Changes size in GiB and type in one call, which EC2 allows a few times a
/// day, and waits until the change can be seen.
pub(crate) async fn modify(
    clients: &Clients,
    id: &str,
    from: (i32, &str),
    (size, volume_type): (i32, &str),
) -> Result<(), CloudError> {
    if from == (size, volume_type) {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("ec2", "ModifyVolume"), || {
            let request = clients.ec2.modify_volume().volume_id(id).size(size);
            request.volume_type(volume_type.into()).send()
        })
        .await?;
    until("ec2:ModifyVolume", VISIBLE, async || {
        let volume = look(clients, id).await?;
        Ok(volume.filter(|volume| (gib(volume), type_of(volume)) == (size, volume_type)).map(drop))
    })
    .await
}

/// Takes a volume from what it is attached to, as long as that does not run.
pub(crate) async fn free(clients: &Clients, id: &str) -> Result<(), CloudError> {
    let Some(volume) = look(clients, id).await? else {
        return Err(CloudError::new(Class::NotFound, "ec2:DescribeVolumes", format!("no {id}")));
    };
    for attachment in volume.attachments() {
        let instance = attachment.instance_id().unwrap_or_default();
        if runs(clients, instance).await? {
            let message = format!("{id} is attached to {instance}, which runs");
            return Err(CloudError::new(Class::NotYet, "ec2:DetachVolume", message));
        }
        detach(clients, attachment).await?;
    }
    Ok(())
}

/// Takes a volume from an instance and waits until it has left.
pub(crate) async fn detach(
    clients: &Clients,
    attachment: &VolumeAttachment,
) -> Result<(), CloudError> {
    let volume = attachment.volume_id().unwrap_or_default();
    let answer = clients
        .calls
        .send(Call::repeatable("ec2", "DetachVolume"), || {
            let request = clients.ec2.detach_volume().volume_id(volume);
            request.set_instance_id(attachment.instance_id.clone()).send()
        })
        .await;
    match answer {
        // It has left already: EC2 says that the volume is available.
        Err(error) if error.code == "IncorrectState" => {}
        other => drop(found(other)?),
    }
    until("ec2:DetachVolume", DETACHED, || at_rest(clients, volume)).await
}

/// One volume as it is now.
pub(crate) async fn look(clients: &Clients, id: &str) -> Result<Option<Described>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeVolumes"), || {
            clients.ec2.describe_volumes().volume_ids(id).send()
        })
        .await;
    let volume = found(answer)?.and_then(|answer| answer.volumes?.pop());
    Ok(volume.filter(lasting))
}

/// Size in GiB.
pub(crate) fn gib(volume: &Described) -> i32 {
    volume.size.unwrap_or_default()
}

/// Such as `gp3`.
pub(crate) fn type_of(volume: &Described) -> &str {
    volume.volume_type().map(VolumeType::as_str).unwrap_or_default()
}

fn lasting(volume: &Described) -> bool {
    let going = [VolumeState::Deleting, VolumeState::Deleted];
    volume.state().is_none_or(|state| !going.contains(state))
}

fn read(clients: &Clients, volume: &Described) -> Found {
    let id = volume.volume_id().unwrap_or_default().to_string();
    let body = Volume {
        zone: volume.availability_zone.clone().unwrap_or_default(),
        size_gib: gib(volume),
        volume_type: type_of(volume).into(),
        encrypted: volume.encrypted.unwrap_or_default(),
    };
    let mut outputs = outputs(clients, &id);
    outputs.remove("id");
    let tags = tags::with_time(tags::from_ec2(volume.tags()), volume.create_time());
    Found { id, tags, outputs, body: body.into() }
}

fn outputs(clients: &Clients, id: &str) -> Outputs {
    let arn = clients.site.arn("ec2", &clients.region, &format!("volume/{id}"));
    Outputs::from([("id".into(), id.to_string()), ("arn".into(), arn)])
}

/// Made, whether or not a machine has it by now.
async fn usable(clients: &Clients, id: &str) -> Result<Option<()>, CloudError> {
    let volume = look(clients, id).await?;
    Ok(volume.filter(|volume| volume.state != Some(VolumeState::Creating)).map(drop))
}

/// Made, and no machine has it.
async fn at_rest(clients: &Clients, id: &str) -> Result<Option<()>, CloudError> {
    let volume = look(clients, id).await?;
    Ok(volume.filter(|volume| volume.state == Some(VolumeState::Available)).map(drop))
}

/// Whether an instance may still write to its volumes.
async fn runs(clients: &Clients, instance: &str) -> Result<bool, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeInstances"), || {
            clients.ec2.describe_instances().instance_ids(instance).send()
        })
        .await;
    let answer = found(answer)?;
    let reservations = answer.iter().flat_map(|answer| answer.reservations());
    let mut states = reservations.flat_map(|some| some.instances()).filter_map(|one| one.state());
    let still = [InstanceStateName::Stopped, InstanceStateName::Terminated];
    Ok(states.any(|state| state.name().is_none_or(|name| !still.contains(name))))
}
