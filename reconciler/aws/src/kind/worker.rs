//! One instance of a scaling group, where it has to be replaced.

use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Worker;
use lyceum_core::observed::Object;

use crate::calls::Call;
use crate::clients::Clients;

const END: Call = Call::repeatable("autoscaling", "TerminateInstanceInAutoScalingGroup");

/// Its group makes it.
pub(crate) async fn create(
    _clients: &Clients,
    _resource: &Resource,
    _want: &Worker,
) -> Result<Outputs, CloudError> {
    Err(CloudError::new(Class::Invalid, "worker", "a worker is made by its scaling group"))
}

/// Nothing of it changes in place.
pub(crate) async fn update(
    _clients: &Clients,
    _before: (&Object, &Worker),
    _after: (&Resource, &Worker),
) -> Result<Outputs, CloudError> {
    Ok(Outputs::new())
}

/// Ends it through its group, hooks included; the group launches another, since
/// what it wants stays as it is. By id: repeated, it ends no other.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Worker,
) -> Result<(), CloudError> {
    let ended = clients
        .calls
        .send(END, || {
            let request = clients.autoscaling.terminate_instance_in_auto_scaling_group();
            request.instance_id(&object.id).should_decrement_desired_capacity(false).send()
        })
        .await;
    match ended {
        // Auto Scaling has no code of its own for an instance that is in no group.
        Err(error) if !error.class.passes() && !grouped(clients, &object.id).await? => {
            Err(CloudError { class: Class::NotFound, ..error })
        }
        other => other.map(drop),
    }
}

/// Whether an instance is in a group.
async fn grouped(clients: &Clients, id: &str) -> Result<bool, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("autoscaling", "DescribeAutoScalingInstances"), || {
            clients.autoscaling.describe_auto_scaling_instances().instance_ids(id).send()
        })
        .await?;
    Ok(!answer.auto_scaling_instances().is_empty())
}
