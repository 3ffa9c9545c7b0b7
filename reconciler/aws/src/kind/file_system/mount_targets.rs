//! Mount targets: one in each zone at most, and one change of a file system at
//! a time.
//!
//! A mount target does not list its security groups; its network interface
//! does, and one list reads the interfaces of all file systems.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::Filter;
use aws_sdk_efs::types::{LifeCycleState, MountTargetDescription};
use lyceum_core::cloud::CloudError;

use super::CHANGE;
use crate::calls::{Call, made_or_found, until};
use crate::clients::Clients;
use crate::error::found;

/// Interfaces asked for in one call: as many values as a filter takes.
const INTERFACES: usize = 200;

/// Something's id (a subnet, an interface) to security groups.
pub(super) type Groups = BTreeMap<String, BTreeSet<String>>;

/// Mount targets that are not about to go.
pub(super) async fn present(
    clients: &Clients,
    id: &str,
) -> Result<Vec<MountTargetDescription>, CloudError> {
    let going = [LifeCycleState::Deleting, LifeCycleState::Deleted];
    let all = all(clients, id).await?;
    Ok(all.into_iter().filter(|target| !going.contains(&target.life_cycle_state)).collect())
}

async fn all(
    clients: &Clients,
    id: &str,
) -> Result<Vec<MountTargetDescription>, CloudError> {
    clients
        .calls
        .pages(
            Call::read("efs", "DescribeMountTargets"),
            |marker| {
                let request = clients.efs.describe_mount_targets().file_system_id(id);
                request.max_items(100).set_marker(marker).send()
            },
            |page| (page.mount_targets.unwrap_or_default(), page.next_marker),
        )
        .await
}

/// Network interface to security groups, for all these mount targets.
pub(super) async fn interfaces<'a>(
    clients: &Clients,
    targets: impl Iterator<Item = &'a MountTargetDescription>,
) -> Result<Groups, CloudError> {
    let ids: Vec<String> =
        targets.filter_map(|target| target.network_interface_id.clone()).collect();
    let mut found = Groups::new();
    for some in ids.chunks(INTERFACES) {
        let these =
            Filter::builder().name("network-interface-id").set_values(Some(some.to_vec())).build();
        let listed = clients
            .calls
            .pages(
                Call::read("ec2", "DescribeNetworkInterfaces"),
                |token| {
                    let request = clients.ec2.describe_network_interfaces();
                    request.filters(these.clone()).set_next_token(token).send()
                },
                |page| (page.network_interfaces.unwrap_or_default(), page.next_token),
            )
            .await?;
        for interface in listed {
            let groups = interface.groups().iter().filter_map(|group| group.group_id.clone());
            let groups = groups.collect();
            found.insert(interface.network_interface_id.unwrap_or_default(), groups);
        }
    }
    Ok(found)
}

/// Subnet to security groups. A target whose interface was not listed (it is
/// being made) is asked for itself.
pub(super) async fn by_subnet(
    clients: &Clients,
    targets: &[MountTargetDescription],
    interfaces: &Groups,
) -> Result<Groups, CloudError> {
    let mut found = Groups::new();
    for target in targets {
        let listed = target.network_interface_id().and_then(|id| interfaces.get(id));
        let groups = match listed {
            Some(groups) => groups.clone(),
            None => groups_of(clients, &target.mount_target_id).await?,
        };
        found.insert(target.subnet_id.clone(), groups);
    }
    Ok(found)
}

async fn groups_of(clients: &Clients, target: &str) -> Result<BTreeSet<String>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("efs", "DescribeMountTargetSecurityGroups"), || {
            clients.efs.describe_mount_target_security_groups().mount_target_id(target).send()
        })
        .await?;
    Ok(answer.security_groups.into_iter().collect())
}

/// One at a time: EFS refuses two changes of one file system at once. What is
/// not wanted goes first, for a zone has room for one.
pub(super) async fn write(
    clients: &Clients,
    id: &str,
    seen: &Groups,
    want: &Groups,
) -> Result<(), CloudError> {
    let (keep, extra): (Vec<_>, Vec<_>) = present(clients, id)
        .await?
        .into_iter()
        .partition(|target| want.contains_key(&target.subnet_id));
    remove(clients, id, &extra).await?;
    for (subnet, groups) in want.iter().filter(|(subnet, it)| seen.get(*subnet) != Some(it)) {
        match keep.iter().find(|target| target.subnet_id == *subnet) {
            Some(target) => write_groups(clients, &target.mount_target_id, groups).await?,
            None => make_target(clients, id, subnet, groups).await?,
        }
    }
    Ok(())
}

/// Removes these and waits until they are gone.
pub(super) async fn remove(
    clients: &Clients,
    id: &str,
    targets: &[MountTargetDescription],
) -> Result<(), CloudError> {
    for target in targets {
        let call = Call::repeatable("efs", "DeleteMountTarget");
        let send =
            || clients.efs.delete_mount_target().mount_target_id(&target.mount_target_id).send();
        found(clients.calls.send(call, send).await)?;
    }
    if targets.is_empty() {
        return Ok(());
    }
    until("efs:DescribeMountTargets", CHANGE, || async {
        let there = found(all(clients, id).await)?.unwrap_or_default();
        let left = there.iter().any(|it| targets.iter().any(|gone| same(gone, it)));
        Ok((!left).then_some(()))
    })
    .await
}

fn same(one: &MountTargetDescription, other: &MountTargetDescription) -> bool {
    one.mount_target_id == other.mount_target_id
}

async fn write_groups(
    clients: &Clients,
    target: &str,
    groups: &BTreeSet<String>,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("efs", "ModifyMountTargetSecurityGroups"), || {
            let request = clients.efs.modify_mount_target_security_groups();
            let request = request.mount_target_id(target);
            request.set_security_groups(Some(groups.iter().cloned().collect())).send()
        })
        .await
        .map(drop)
}

/// Makes a mount target and waits for it. A subnet has one of a file system at
/// most: one that is there is taken.
async fn make_target(
    clients: &Clients,
    id: &str,
    subnet: &str,
    groups: &BTreeSet<String>,
) -> Result<(), CloudError> {
    let made = clients
        .calls
        .send(Call::repeatable("efs", "CreateMountTarget"), || {
            let request = clients.efs.create_mount_target().file_system_id(id).subnet_id(subnet);
            request.set_security_groups(Some(groups.iter().cloned().collect())).send()
        })
        .await
        .map(drop);
    let there = |ready: bool| async move {
        let targets = present(clients, id).await?;
        let found = targets.iter().any(|target| {
            let state = !ready || target.life_cycle_state == LifeCycleState::Available;
            target.subnet_id == subnet && state
        });
        Ok(found.then_some(()))
    };
    made_or_found(made, there(false)).await?;
    until("efs:DescribeMountTargets", CHANGE, || there(true)).await
}
