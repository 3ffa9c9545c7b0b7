//! The end of a group: its instances go first.

use std::time::Duration;

use aws_sdk_autoscaling::types::AutoScalingGroup;
use lyceum_core::cloud::CloudError;

use super::{going, named};
use crate::calls::{Call, until};
use crate::clients::Clients;

/// How long one pass waits for a group's instances to go.
const DRAIN: Duration = Duration::from_secs(300);
/// Instances whose protection one call changes.
const PROTECTED: usize = 50;

/// Lets the instances of a group go and waits for it. A group that is gone has
/// none, and one that is being deleted cannot be changed.
pub(super) async fn drain(clients: &Clients, name: &str) -> Result<(), CloudError> {
    let Some(group) = named(clients, name).await?.filter(|group| !going(group)) else {
        return Ok(());
    };
    let protected = unprotect(clients, name, &group).await?;
    if protected || [group.min_size, group.max_size, group.desired_capacity] != [Some(0); 3] {
        shrink(clients, name).await?;
    }
    until("autoscaling:DescribeAutoScalingGroups", DRAIN, || async {
        let group = named(clients, name).await?;
        Ok(group.is_none_or(|group| group.instances().is_empty()).then_some(()))
    })
    .await
}

async fn shrink(clients: &Clients, name: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("autoscaling", "UpdateAutoScalingGroup"), || {
            let request = clients.autoscaling.update_auto_scaling_group();
            let request = request.auto_scaling_group_name(name);
            request.min_size(0).max_size(0).desired_capacity(0).send()
        })
        .await
        .map(drop)
}

/// What is protected from scaling in would stay for ever. Answers whether
/// anything was.
async fn unprotect(
    clients: &Clients,
    name: &str,
    group: &AutoScalingGroup,
) -> Result<bool, CloudError> {
    let protected: Vec<String> = group
        .instances()
        .iter()
        .filter(|instance| instance.protected_from_scale_in() == Some(true))
        .filter_map(|instance| instance.instance_id.clone())
        .collect();
    for some in protected.chunks(PROTECTED) {
        let call = Call::repeatable("autoscaling", "SetInstanceProtection");
        let send = || {
            let request = clients.autoscaling.set_instance_protection();
            let request = request.auto_scaling_group_name(name).protected_from_scale_in(false);
            request.set_instance_ids(Some(some.to_vec())).send()
        };
        clients.calls.send(call, send).await?;
    }
    Ok(!protected.is_empty())
}
