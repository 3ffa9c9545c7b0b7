//! The disks of an instance: its root, and the data volumes that outlive it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::{Volume, VolumeAttachment, VolumeAttachmentState};
use lyceum_core::cloud::{Class, CloudError};
use lyceum_core::kind::Instance;

use super::{machine, reading};
use crate::calls::{Call, until};
use crate::clients::Clients;
use crate::kind::volume;

/// How long a volume may take to be attached.
const ATTACHED: Duration = Duration::from_secs(120);

/// Grows the root volume or changes its type.
pub(super) async fn set_root(
    clients: &Clients,
    id: &str,
    seen: &Instance,
    want: &Instance,
) -> Result<(), CloudError> {
    let (from, to) = ((seen.root_gib, &*seen.root_type), (want.root_gib, &*want.root_type));
    if from == to {
        return Ok(());
    }
    let instance = machine::look(clients, id).await?;
    match instance.as_ref().and_then(reading::root) {
        Some(root) => volume::modify(clients, root, from, to).await,
        None => {
            let message = format!("{id} has no root volume");
            Err(CloudError::new(Class::NotFound, "ec2:DescribeInstances", message))
        }
    }
}

/// Takes away what should be elsewhere, then attaches what is missing.
pub(super) async fn set_volumes(
    clients: &Clients,
    id: &str,
    seen: &Instance,
    want: &Instance,
) -> Result<(), CloudError> {
    let differs = |device: &String, volume: &String, other: &BTreeMap<String, String>| {
        other.get(device) != Some(volume)
    };
    for (device, volume) in &seen.volumes {
        if differs(device, volume, &want.volumes) {
            let attachment = VolumeAttachment::builder().volume_id(volume).instance_id(id).build();
            volume::detach(clients, &attachment).await?;
        }
    }
    let missing = want.volumes.iter();
    let missing = missing.filter(|(device, volume)| differs(device, volume, &seen.volumes));
    let missing = missing.map(|(device, volume)| (device.clone(), volume.clone())).collect();
    attach(clients, id, &missing).await
}

/// Attaches volumes (device to volume id), from wherever they are: a machine
/// that runs keeps its own.
pub(super) async fn attach(
    clients: &Clients,
    id: &str,
    volumes: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    for (device, volume) in volumes {
        if at(volume::look(clients, volume).await?.as_ref(), id, device).is_some() {
            continue;
        }
        volume::free(clients, volume).await?;
        clients
            .calls
            .send(Call::repeatable("ec2", "AttachVolume"), || {
                let request = clients.ec2.attach_volume().instance_id(id);
                request.volume_id(volume).device(device).send()
            })
            .await?;
        until("ec2:AttachVolume", ATTACHED, async || {
            let volume = volume::look(clients, volume).await?;
            let state = at(volume.as_ref(), id, device).and_then(|at| at.state.clone());
            Ok((state == Some(VolumeAttachmentState::Attached)).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Where a volume is attached, if it is to this device of this instance.
fn at<'a>(volume: Option<&'a Volume>, id: &str, device: &str) -> Option<&'a VolumeAttachment> {
    let mut attachments = volume?.attachments().iter();
    attachments.find(|one| one.instance_id() == Some(id) && one.device() == Some(device))
}
