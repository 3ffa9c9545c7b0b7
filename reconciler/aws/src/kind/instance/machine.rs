//! The machine itself: its state, type, profile and metadata service.

use std::time::Duration;

use aws_sdk_ec2::types::{
    AttributeValue, Filter, HttpTokensState, IamInstanceProfileAssociation,
    IamInstanceProfileSpecification, Instance as Described, InstanceMetadataEndpointState,
    InstanceStateName as State,
};
use lyceum_core::cloud::{Class, CloudError};
use lyceum_core::kind::Instance;

use crate::calls::{Call, until};
use crate::clients::Clients;
use crate::ec2;
use crate::error::found;
use crate::kind::instance_profile;

/// How long an instance may take from one state to the next.
const REACHED: Duration = Duration::from_secs(300);

/// One instance as it is now; `None` while it cannot be seen.
pub(super) async fn look(clients: &Clients, id: &str) -> Result<Option<Described>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeInstances"), || {
            clients.ec2.describe_instances().instance_ids(id).send()
        })
        .await;
    let reservations = found(answer)?.and_then(|answer| answer.reservations);
    let mut instances = reservations.into_iter().flatten().filter_map(|some| some.instances);
    Ok(instances.find_map(|mut some| some.pop()))
}

/// Shutting down or terminated: there is no way back.
pub(super) fn gone(instance: &Described) -> bool {
    matches!(state(instance), Some(State::ShuttingDown | State::Terminated))
}

/// The profiles that instances have or are about to have, at most one each.
pub(super) async fn associations(
    clients: &Clients,
    ids: &[String],
) -> Result<Vec<IamInstanceProfileAssociation>, CloudError> {
    let by = |name: &str, values: Vec<String>| {
        Filter::builder().name(name).set_values(Some(values)).build()
    };
    let lasting = by("state", vec!["associating".into(), "associated".into()]);
    let mut found = Vec::new();
    for ids in ids.chunks(ec2::FILTER_VALUES) {
        let of_instances = by("instance-id", ids.into());
        let listed = clients
            .calls
            .pages(
                Call::read("ec2", "DescribeIamInstanceProfileAssociations"),
                |token| {
                    let request = clients.ec2.describe_iam_instance_profile_associations();
                    let request = request.filters(of_instances.clone()).filters(lasting.clone());
                    request.set_next_token(token).send()
                },
                |page| {
                    (page.iam_instance_profile_associations.unwrap_or_default(), page.next_token)
                },
            )
            .await?;
        found.extend(listed);
    }
    Ok(found)
}

/// Waits until an instance is in a state it is on the way to. One that cannot
/// be seen is new; after its end it stays visible for an hour.
pub(super) async fn reach(clients: &Clients, id: &str, wanted: State) -> Result<(), CloudError> {
    until(&format!("ec2:DescribeInstances ({wanted})"), REACHED, async || {
        let Some(instance) = look(clients, id).await? else { return Ok(None) };
        if wanted != State::Terminated && gone(&instance) {
            let message = format!("{id} has been terminated meanwhile");
            return Err(CloudError::new(Class::NotFound, "ec2:DescribeInstances", message));
        }
        Ok((state(&instance) == Some(&wanted)).then_some(()))
    })
    .await
}

/// Starts or stops a machine that is not in the state it should be in.
pub(super) async fn set_running(
    clients: &Clients,
    id: &str,
    wanted: bool,
) -> Result<(), CloudError> {
    let instance = look(clients, id).await?;
    match (wanted, instance.as_ref().and_then(state)) {
        (true, Some(State::Running)) | (false, Some(State::Stopped)) => Ok(()),
        (true, Some(State::Pending)) => reach(clients, id, State::Running).await,
        (true, _) => {
            reach(clients, id, State::Stopped).await?;
            start(clients, id).await
        }
        (false, _) => stop(clients, id).await,
    }
}

/// EC2 changes the type of a stopped machine only: nobody stops it again for what
/// another reconciler has done since it was seen. One that should run does so
/// again afterwards, as it was where the change failed: there may be no
/// capacity for the new type.
pub(super) async fn set_type(
    clients: &Clients,
    id: &str,
    seen: &Instance,
    want: &Instance,
) -> Result<(), CloudError> {
    if seen.instance_type == want.instance_type {
        return Ok(());
    }
    let now = look(clients, id).await?;
    if now.is_some_and(|now| type_of(&now) == Some(want.instance_type.as_str())) {
        return Ok(());
    }
    let changed = change_type(clients, id, want).await;
    if changed.is_err() && want.running {
        recover(clients, id, &seen.instance_type).await;
    }
    changed
}

/// Sets the metadata service's options.
pub(super) async fn set_metadata(
    clients: &Clients,
    id: &str,
    seen: &Instance,
    want: &Instance,
) -> Result<(), CloudError> {
    let options = |one: &Instance| (one.metadata_tokens.clone(), one.metadata_hop_limit);
    if options(seen) == options(want) {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("ec2", "ModifyInstanceMetadataOptions"), || {
            let request = clients.ec2.modify_instance_metadata_options().instance_id(id);
            request
                .http_endpoint(InstanceMetadataEndpointState::Enabled)
                .http_tokens(HttpTokensState::from(want.metadata_tokens.as_str()))
                .http_put_response_hop_limit(want.metadata_hop_limit)
                .send()
        })
        .await
        .map(drop)
}

/// Gives the machine another profile, or takes it away.
pub(super) async fn set_profile(
    clients: &Clients,
    id: &str,
    seen: &Instance,
    want: &Instance,
) -> Result<(), CloudError> {
    if seen.profile == want.profile {
        return Ok(());
    }
    let present = associations(clients, &[id.to_string()]).await?.pop();
    let present = present.and_then(|present| present.association_id);
    let profile = IamInstanceProfileSpecification::builder().name(&want.profile).build();
    let (calls, ec2) = (&clients.calls, &clients.ec2);
    match (present, want.profile.is_empty()) {
        (None, true) => Ok(()),
        (Some(present), true) => {
            let call = Call::repeatable("ec2", "DisassociateIamInstanceProfile");
            let request = || ec2.disassociate_iam_instance_profile().association_id(&present);
            calls.send(call, || request().send()).await.map(drop)
        }
        (None, false) => {
            let call = Call::repeatable("ec2", "AssociateIamInstanceProfile");
            let request = || ec2.associate_iam_instance_profile().instance_id(id);
            let send = || request().iam_instance_profile(profile.clone()).send();
            instance_profile::known(&call.name(), || calls.send(call, send)).await.map(drop)
        }
        (Some(present), false) => {
            let call = Call::repeatable("ec2", "ReplaceIamInstanceProfileAssociation");
            let request = || ec2.replace_iam_instance_profile_association();
            let request = || request().association_id(&present);
            let send = || request().iam_instance_profile(profile.clone()).send();
            instance_profile::known(&call.name(), || calls.send(call, send)).await.map(drop)
        }
    }
}

fn state(instance: &Described) -> Option<&State> {
    instance.state().and_then(|state| state.name())
}

fn type_of(instance: &Described) -> Option<&str> {
    instance.instance_type().map(|name| name.as_str())
}

async fn start(clients: &Clients, id: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "StartInstances"), || {
            clients.ec2.start_instances().instance_ids(id).send()
        })
        .await?;
    reach(clients, id, State::Running).await
}

async fn stop(clients: &Clients, id: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "StopInstances"), || {
            clients.ec2.stop_instances().instance_ids(id).send()
        })
        .await?;
    reach(clients, id, State::Stopped).await
}

async fn change_type(clients: &Clients, id: &str, want: &Instance) -> Result<(), CloudError> {
    stop(clients, id).await?;
    write_type(clients, id, &want.instance_type).await?;
    match want.running {
        true => start(clients, id).await,
        false => Ok(()),
    }
}

/// Starts a machine as it was. The error that led here is the one to be told:
/// what fails here is only logged.
async fn recover(clients: &Clients, id: &str, old: &str) {
    // Refused where the machine has not stopped, and then not needed.
    if let Err(error) = write_type(clients, id, old).await {
        tracing::debug!(id, %error, "the type of the instance stays");
    }
    if let Err(error) = set_running(clients, id, true).await {
        tracing::error!(id, %error, "the instance does not run again after a failed change");
    }
}

async fn write_type(clients: &Clients, id: &str, name: &str) -> Result<(), CloudError> {
    let value = AttributeValue::builder().value(name).build();
    clients
        .calls
        .send(Call::repeatable("ec2", "ModifyInstanceAttribute"), || {
            let request = clients.ec2.modify_instance_attribute().instance_id(id);
            request.instance_type(value.clone()).send()
        })
        .await
        .map(drop)
}
