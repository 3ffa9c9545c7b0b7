//! What an instance is, from its description and the list of volumes.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    AttachmentStatus, Filter, IamInstanceProfileAssociation, Instance as Described,
    InstanceStateName, Volume,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::kind::{Instance, Kind, Volume as DataVolume};
use lyceum_core::site::{TAG_ADDRESS, TAG_OS, TAG_OWNER};

use super::machine;
use crate::calls::Call;
use crate::claim::{Claim, Found, Listing, claim};
use crate::clients::Clients;
use crate::kind::volume;
use crate::tags;

/// EC2's own tags about the template.
const TAG_TEMPLATE: &str = "aws:ec2launchtemplate:id";
const TAG_TEMPLATE_VERSION: &str = "aws:ec2launchtemplate:version";

/// The hubs among `instances` that are not gone; `volumes` are those of our
/// owner.
pub(crate) async fn listing(
    clients: &Clients,
    instances: Vec<Described>,
    volumes: &[Volume],
) -> Result<Listing, CloudError> {
    let alive = instances.into_iter().filter(|one| !machine::gone(one));
    let hubs: Vec<Described> = alive.filter(|one| !part(clients, one)).collect();
    let (strays, profiles) =
        tokio::try_join!(strays(clients, &hubs, volumes), profiles(clients, &hubs))?;
    let volumes = volumes.iter().chain(&strays);
    let volumes = volumes.filter_map(|volume| Some((volume.volume_id()?, volume))).collect();
    let around = Around { volumes, profiles };
    let mut listing = Listing::default();
    for hub in &hubs {
        listing.claim(&clients.site, &clients.region, read(clients, hub, &around));
    }
    Ok(listing)
}

/// What an instance's own description leaves out, by id.
struct Around<'a> {
    volumes: BTreeMap<&'a str, &'a Volume>,
    profiles: BTreeMap<String, String>,
}

/// A worker belongs to its scaling group.
fn part(clients: &Clients, instance: &Described) -> bool {
    let tags = tags::from_ec2(instance.tags());
    claim(&clients.site, Instance::NAME, &tags) == Claim::Foreign
}

/// Volumes of hubs without our owner's tag, somebody else's or ones that lost it:
/// no call as long as there is none.
async fn strays(
    clients: &Clients,
    hubs: &[Described],
    volumes: &[Volume],
) -> Result<Vec<Volume>, CloudError> {
    let known = |id: &str| volumes.iter().any(|volume| volume.volume_id() == Some(id));
    let disks = hubs.iter().flat_map(|hub| hub.block_device_mappings());
    let disks = disks.filter_map(|mapping| mapping.ebs()?.volume_id());
    let lost: Vec<String> = disks.filter(|id| !known(id)).map(String::from).collect();
    if lost.is_empty() {
        return Ok(vec![]);
    }
    let lost = Filter::builder().name("volume-id").set_values(Some(lost)).build();
    clients
        .calls
        .pages(
            Call::read("ec2", "DescribeVolumes"),
            |token| {
                let request = clients.ec2.describe_volumes().filters(lost.clone());
                request.set_next_token(token).send()
            },
            |page| (page.volumes.unwrap_or_default(), page.next_token),
        )
        .await
}

/// The names of the instances' profiles: in their own descriptions the emulator
/// keeps a profile that has been replaced.
async fn profiles(
    clients: &Clients,
    hubs: &[Described],
) -> Result<BTreeMap<String, String>, CloudError> {
    let ids: Vec<String> = hubs.iter().filter_map(|hub| hub.instance_id.clone()).collect();
    let associations = machine::associations(clients, &ids).await?;
    let named = |association: IamInstanceProfileAssociation| {
        let arn = association.iam_instance_profile?.arn?;
        Some((association.instance_id?, arn.rsplit('/').next()?.to_string()))
    };
    Ok(associations.into_iter().filter_map(named).collect())
}

/// The id of an instance's root volume.
pub(super) fn root(instance: &Described) -> Option<&str> {
    let device = instance.root_device_name()?;
    let mappings = instance.block_device_mappings().iter();
    let root =
        mappings.filter(|mapping| mapping.device_name() == Some(device)).find_map(|m| m.ebs());
    root?.volume_id()
}

fn read(clients: &Clients, instance: &Described, around: &Around) -> Found {
    let id = instance.instance_id().unwrap_or_default();
    let tags = tags::from_ec2(instance.tags());
    let tag = |key: &str| tags.get(key).cloned().unwrap_or_default();
    let text = |text: Option<&str>| text.unwrap_or_default().to_string();
    let root = root(instance).and_then(|id| around.volumes.get(id));
    let metadata = instance.metadata_options();
    let tokens = metadata.and_then(|metadata| metadata.http_tokens());
    let body = Instance {
        launch_template: tag(TAG_TEMPLATE),
        launch_template_version: tag(TAG_TEMPLATE_VERSION),
        os: tag(TAG_OS),
        image: text(instance.image_id()),
        root_device: text(instance.root_device_name()),
        instance_type: text(instance.instance_type().map(|name| name.as_str())),
        interface: interface(instance),
        profile: around.profiles.get(id).cloned().unwrap_or_default(),
        // Read for each instance alone, and left alone once it has run.
        user_data: String::new(),
        root_gib: root.map(|root| volume::gib(root)).unwrap_or_default(),
        root_type: root.map(|root| volume::type_of(root)).unwrap_or_default().into(),
        metadata_tokens: text(tokens.map(|tokens| tokens.as_str())),
        metadata_hop_limit: metadata
            .and_then(|metadata| metadata.http_put_response_hop_limit)
            .unwrap_or_default(),
        running: running(instance),
        volumes: data_volumes(clients, instance, &around.volumes),
    };
    Found {
        id: id.into(),
        tags: tags::with_time(tags, made(instance)),
        outputs: Outputs::new(),
        body: body.into(),
    }
}

fn interface(instance: &Described) -> String {
    let interfaces = instance.network_interfaces().iter();
    let mut primary = interfaces.filter(|interface| {
        interface.attachment().and_then(|attachment| attachment.device_index) == Some(0)
    });
    primary.next().and_then(|one| one.network_interface_id()).unwrap_or_default().into()
}

fn running(instance: &Described) -> bool {
    let state = instance.state().and_then(|state| state.name());
    matches!(state, Some(InstanceStateName::Pending | InstanceStateName::Running))
}

/// What is attached besides the root and is ours, or was until it lost its
/// owner's tag; what somebody else has attached is theirs.
fn data_volumes(
    clients: &Clients,
    instance: &Described,
    volumes: &BTreeMap<&str, &Volume>,
) -> BTreeMap<String, String> {
    let ours = |id: &str| {
        let tags = volumes.get(id).map(|volume| tags::from_ec2(volume.tags())).unwrap_or_default();
        matches!(claim(&clients.site, DataVolume::NAME, &tags), Claim::Ours(_)) || astray(&tags)
    };
    let mappings = instance.block_device_mappings().iter();
    let leaving = [Some(AttachmentStatus::Detaching), Some(AttachmentStatus::Detached)];
    mappings
        .filter_map(|mapping| Some((mapping.device_name()?, mapping.ebs()?)))
        .filter(|(_, ebs)| !leaving.contains(&ebs.status))
        .filter_map(|(device, ebs)| Some((device, ebs.volume_id()?)))
        .filter(|(_, id)| ours(id))
        .map(|(device, id)| (device.to_string(), id.to_string()))
        .collect()
}

/// Its other tags say that it is a data volume, and nobody's.
fn astray(tags: &BTreeMap<String, String>) -> bool {
    let address = tags.get(TAG_ADDRESS).and_then(|text| text.parse::<Address>().ok());
    !tags.contains_key(TAG_OWNER) && address.is_some_and(|it| it.kind() == DataVolume::NAME)
}

/// When its root was attached: the time of launch changes with every start.
fn made(instance: &Described) -> Option<&aws_smithy_types::DateTime> {
    let mappings = instance.block_device_mappings().iter().filter_map(|mapping| mapping.ebs());
    mappings.filter_map(|ebs| ebs.attach_time()).min().or(instance.launch_time())
}
