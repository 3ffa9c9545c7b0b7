//! The clusters' instances, hubs and workers alike, and how far in their life
//! they are.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Instance as Described, InstanceStateName};
use lyceum_core::address::Address;
use lyceum_core::kind::{Instance, Kind, ScalingGroup};
use lyceum_core::observed::{Life, LiveInstance};
use lyceum_core::site::Site;

use crate::claim::{Claim, claim};
use crate::tags;

/// Those of `instances` that are a cluster's of ours.
pub(crate) fn living(site: &Site, region: &str, instances: &[Described]) -> Vec<LiveInstance> {
    instances.iter().filter_map(|instance| read(site, region, instance)).collect()
}

fn read(site: &Site, region: &str, instance: &Described) -> Option<LiveInstance> {
    let owner = owner(site, &tags::from_ec2(instance.tags()))?;
    Some(LiveInstance {
        id: instance.instance_id()?.into(),
        cluster: owner.scope().into(),
        group: owner.name().into(),
        region: region.into(),
        launched: instance.launch_time().map_or(0, |time| time.secs()),
        life: life(instance.state().and_then(|state| state.name())),
        scaling_group: None,
        protected: false,
    })
}

/// The hub's instance is its own; a worker carries its group's address.
fn owner(site: &Site, tags: &BTreeMap<String, String>) -> Option<Address> {
    let of_kind = |kind: &str| match claim(site, kind, tags) {
        Claim::Ours(address) => Some(address),
        _ => None,
    };
    of_kind(Instance::NAME).or_else(|| of_kind(ScalingGroup::NAME))
}

fn life(state: Option<&InstanceStateName>) -> Life {
    match state {
        Some(InstanceStateName::Stopping | InstanceStateName::Stopped) => Life::Down,
        Some(InstanceStateName::ShuttingDown) => Life::Leaving,
        Some(InstanceStateName::Terminated) => Life::Gone,
        _ => Life::Up,
    }
}
