//! What a version of a launch template holds, as EC2 takes it and gives it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types as sdk;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lyceum_core::kind::{Kind, LaunchTemplate};
use lyceum_core::site::digest;

/// `os=debian-12 sha256=…`: the operating system, which a version has no place
/// for, and what tells two contents apart at a glance.
pub(super) fn description(want: &LaunchTemplate) -> String {
    let content = serde_json::to_string(want).unwrap_or_default();
    format!("os={} sha256={}", want.os, digest(&format!("{}\n{content}", LaunchTemplate::NAME)))
}

/// A version's whole content: nothing is taken over from an earlier version.
pub(super) fn request(want: &LaunchTemplate) -> sdk::RequestLaunchTemplateData {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let profile = given(&want.profile).map(|name| {
        sdk::LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(name).build()
    });
    sdk::RequestLaunchTemplateData::builder()
        .image_id(&want.image)
        .set_instance_type(given(&want.instance_type).map(|name| name.as_str().into()))
        .set_iam_instance_profile(profile)
        .set_user_data(given(&want.user_data).map(|text| BASE64.encode(text)))
        .block_device_mappings(root(want))
        .metadata_options(metadata(want))
        .set_network_interfaces(interface(want).map(|interface| vec![interface]))
        .set_tag_specifications(Some(tag_specifications(want)))
        .build()
}

/// What a version says. One that somebody else made has no `os`.
pub(super) fn read(version: &sdk::LaunchTemplateVersion) -> LaunchTemplate {
    let empty = sdk::ResponseLaunchTemplateData::builder().build();
    let content = version.launch_template_data().unwrap_or(&empty);
    let text = |text: Option<&str>| text.unwrap_or_default().to_string();
    let root = content.block_device_mappings().first();
    let disk = root.and_then(|root| root.ebs());
    let metadata = content.metadata_options();
    LaunchTemplate {
        name: text(version.launch_template_name()),
        os: os_in(version.version_description().unwrap_or_default()).to_string(),
        image: text(content.image_id()),
        root_device: text(root.and_then(|root| root.device_name())),
        instance_type: text(content.instance_type().map(|name| name.as_str())),
        profile: text(content.iam_instance_profile().and_then(|profile| profile.name())),
        security_groups: groups(content),
        user_data: plain(content.user_data().unwrap_or_default()),
        volume_gib: disk.and_then(|disk| disk.volume_size).unwrap_or_default(),
        volume_type: text(disk.and_then(|disk| disk.volume_type()).map(|name| name.as_str())),
        encrypted: disk.and_then(|disk| disk.encrypted).unwrap_or_default(),
        metadata_tokens: text(
            metadata.and_then(|metadata| metadata.http_tokens()).map(|tokens| tokens.as_str()),
        ),
        metadata_hop_limit: metadata
            .and_then(|metadata| metadata.http_put_response_hop_limit)
            .unwrap_or_default(),
        instance_tags: tags(content),
    }
}

/// The image's own root, by its name: any other name would add a second disk.
fn root(want: &LaunchTemplate) -> sdk::LaunchTemplateBlockDeviceMappingRequest {
    let disk = sdk::LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(want.volume_gib)
        .volume_type(want.volume_type.as_str().into())
        .encrypted(want.encrypted)
        .delete_on_termination(true)
        .build();
    sdk::LaunchTemplateBlockDeviceMappingRequest::builder()
        .device_name(&want.root_device)
        .ebs(disk)
        .build()
}

fn metadata(want: &LaunchTemplate) -> sdk::LaunchTemplateInstanceMetadataOptionsRequest {
    sdk::LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_endpoint(sdk::LaunchTemplateInstanceMetadataEndpointState::Enabled)
        .http_tokens(want.metadata_tokens.as_str().into())
        .http_put_response_hop_limit(want.metadata_hop_limit)
        .build()
}

/// A worker gets a public address and its groups from here; the hub brings an
/// interface of its own.
fn interface(
    want: &LaunchTemplate,
) -> Option<sdk::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest> {
    if want.security_groups.is_empty() {
        return None;
    }
    let interface = sdk::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .device_index(0)
        .associate_public_ip_address(true)
        .delete_on_termination(true)
        .set_groups(Some(want.security_groups.iter().cloned().collect()));
    Some(interface.build())
}

fn tag_specifications(
    want: &LaunchTemplate,
) -> Vec<sdk::LaunchTemplateTagSpecificationRequest> {
    if want.instance_tags.is_empty() {
        return vec![];
    }
    let tags = crate::tags::for_ec2(&want.instance_tags);
    [sdk::ResourceType::Instance, sdk::ResourceType::Volume]
        .map(|kind| {
            sdk::LaunchTemplateTagSpecificationRequest::builder()
                .resource_type(kind)
                .set_tags(Some(tags.clone()))
                .build()
        })
        .into()
}

fn os_in(description: &str) -> &str {
    description.split(' ').find_map(|word| word.strip_prefix("os=")).unwrap_or_default()
}

fn groups(content: &sdk::ResponseLaunchTemplateData) -> BTreeSet<String> {
    let of_interfaces = content.network_interfaces().iter().flat_map(|one| one.groups());
    of_interfaces.chain(content.security_group_ids()).cloned().collect()
}

fn plain(user_data: &str) -> String {
    let bytes = BASE64.decode(user_data).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The tags that instances and volumes both get: where the two differ, somebody
/// else made the version.
fn tags(content: &sdk::ResponseLaunchTemplateData) -> BTreeMap<String, String> {
    let of = |kind: &sdk::ResourceType| {
        let specifications = content.tag_specifications().iter();
        let mut specifications = specifications.filter(|some| some.resource_type() == Some(kind));
        let tags = specifications.next().map(|specification| specification.tags());
        crate::tags::from_ec2(tags.unwrap_or_default())
    };
    let (instance, volume) = (of(&sdk::ResourceType::Instance), of(&sdk::ResourceType::Volume));
    instance.into_iter().filter(|(key, value)| volume.get(key) == Some(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_gives_the_os_back_and_changes_with_any_attribute() {
        let one = LaunchTemplate { os: "debian-12".into(), ..LaunchTemplate::default() };
        let two = LaunchTemplate { volume_gib: 1, ..one.clone() };
        assert_eq!(os_in(&description(&one)), "debian-12");
        assert_ne!(description(&one), description(&two));
        assert!(description(&one).len() < 255);
        assert_eq!(os_in("made by hand"), "");
    }
}
