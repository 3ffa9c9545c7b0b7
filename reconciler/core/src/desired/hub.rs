//! The hub: its interface, address and data volume, which outlive its instance,
//! and the instance.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, id_of, output_of};
use crate::kind::{
    ElasticIp, Instance, InstanceProfile, LaunchTemplate, NetworkInterface, Subnet, Volume,
};
use crate::site::{Site, TAG_OS};

use super::{Draft, boot, image_wanted, network};

/// Where the data volume is attached.
const DATA_DEVICE: &str = "/dev/sdf";

/// Adds the hub.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let subnet = draft.address::<Subnet>("a");
    let interface = NetworkInterface {
        subnet: id_of(&subnet),
        private_ip: network::hub_address(draft.cidr()),
        security_groups: BTreeSet::from([network::group(draft, "hub")]),
        description: format!("Lyceum hub of {}", draft.name),
    };
    draft.add_protected("hub", interface);
    let interface = id_of(&draft.address::<NetworkInterface>("hub"));
    draft.add_protected("hub", ElasticIp { interface: interface.clone() });
    let volume = Volume {
        zone: output_of(&subnet, "zone"),
        size_gib: gib(draft.spec.hub.data_volume_gib),
        volume_type: "gp3".into(),
        encrypted: true,
    };
    draft.add_protected("hub", volume);
    let template = template(draft, "hub", draft.spec.hub.volume_gib);
    let template = LaunchTemplate {
        instance_type: draft.spec.hub.instance_type.clone(),
        instance_tags: node_tags(draft, &draft.address::<Instance>("hub")),
        ..template
    };
    let instance = instance(draft, &template, interface);
    draft.add("hub", template);
    draft.add("hub", instance);
    let os = image_wanted(draft.spec);
    draft.change::<Instance>("hub", |resource| {
        resource.tags.insert(TAG_OS.into(), os);
    });
}

/// What the templates of hub and workers have in common.
pub(crate) fn template(draft: &Draft<'_>, group: &str, volume_gib: u32) -> LaunchTemplate {
    let image = image(draft);
    LaunchTemplate {
        name: draft.aws_name(group, 128),
        os: image_wanted(draft.spec),
        image: id_of(&image),
        root_device: output_of(&image, "root_device"),
        instance_type: String::new(),
        profile: id_of(&draft.address::<InstanceProfile>(group)),
        security_groups: BTreeSet::new(),
        user_data: boot::script(draft, group),
        volume_gib: gib(volume_gib),
        volume_type: "gp3".into(),
        encrypted: true,
        metadata_tokens: "required".into(),
        metadata_hop_limit: 1,
        instance_tags: BTreeMap::new(),
    }
}

/// The tags of a node: those of what it belongs to, and its system.
pub(crate) fn node_tags(draft: &Draft<'_>, owner: &Address) -> BTreeMap<String, String> {
    let mut tags = draft.tags(owner);
    tags.insert(TAG_OS.into(), image_wanted(draft.spec));
    tags
}

fn instance(draft: &Draft<'_>, template: &LaunchTemplate, interface: String) -> Instance {
    let address = draft.address::<LaunchTemplate>("hub");
    let volume = id_of(&draft.address::<Volume>("hub"));
    Instance {
        launch_template: id_of(&address),
        launch_template_version: output_of(&address, "version"),
        os: template.os.clone(),
        // As the template has recorded it: a hub that is made again is on the image
        // that the one before was on, however many have come since.
        image: output_of(&address, "image"),
        root_device: output_of(&address, "root_device"),
        instance_type: template.instance_type.clone(),
        interface,
        profile: template.profile.clone(),
        user_data: template.user_data.clone(),
        root_gib: template.volume_gib,
        root_type: template.volume_type.clone(),
        metadata_tokens: template.metadata_tokens.clone(),
        metadata_hop_limit: template.metadata_hop_limit,
        running: true,
        volumes: BTreeMap::from([(DATA_DEVICE.into(), volume)]),
    }
}

fn image(draft: &Draft<'_>) -> Address {
    Address::new(&Site::region_scope(&draft.spec.region), "image", &image_wanted(draft.spec))
}

/// The schema bounds sizes far below this.
fn gib(size: u32) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}
