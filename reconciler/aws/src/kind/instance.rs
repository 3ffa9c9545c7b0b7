//! The hub's instance: made with a token, on an interface of its own.
//!
//! Invariants: an instance that is shutting down or terminated is not observed,
//! so that it can be made again; nothing that disrupts a running machine is
//! done here unless the change asks for it.

mod living;
mod machine;
mod reading;
mod storage;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    Instance as Described, InstanceMetadataEndpointState, InstanceMetadataOptionsRequest,
    InstanceNetworkInterfaceSpecification, InstanceStateName, LaunchTemplateSpecification,
    ResourceType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Instance;
use lyceum_core::observed::Object;

use crate::calls::Call;
use crate::clients::Clients;
use crate::kind::instance_profile;
use crate::{ec2, tags, tokens};

pub(crate) use living::living;
pub(crate) use reading::listing;

/// Instances of a page, the most that EC2 gives.
const PAGE: i32 = 1000;

/// Every instance of our owner, those that are gone among them: EC2 lists these
/// for about an hour, and they tell how often a group has tried.
pub(crate) async fn described(clients: &Clients) -> Result<Vec<Described>, CloudError> {
    let reservations = clients
        .calls
        .pages(
            Call::read("ec2", "DescribeInstances"),
            |token| {
                let request = clients.ec2.describe_instances().filters(ec2::owned(&clients.site));
                request.max_results(PAGE).set_next_token(token).send()
            },
            |page| (page.reservations.unwrap_or_default(), page.next_token),
        )
        .await?;
    Ok(reservations.into_iter().flat_map(|some| some.instances.unwrap_or_default()).collect())
}

/// Launches an instance, waits until it runs and attaches its volumes.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Instance,
) -> Result<Outputs, CloudError> {
    let id = tokens::spend(&clients.site, resource, async |token| {
        let launch = || run(clients, resource, want, &token);
        let made = instance_profile::known("ec2:RunInstances", launch).await?;
        let id = made.instance_id().unwrap_or_default();
        let look = || machine::look(clients, id);
        let found = tokens::alive("ec2:DescribeInstances", made.launch_time(), look).await?;
        let alive = found.filter(|found| !machine::gone(found));
        Ok(alive.map(|_| id.to_string()))
    })
    .await?;
    machine::reach(clients, &id, InstanceStateName::Running).await?;
    storage::attach(clients, &id, &want.volumes).await?;
    Ok(Outputs::from([("id".into(), id)]))
}

/// Changes what differs. Only another instance type stops the machine.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &Instance),
    (after, want): (&Resource, &Instance),
) -> Result<Outputs, CloudError> {
    // First what stops the machine: whatever fails after it leads to no second stop.
    machine::set_type(clients, &before.id, seen, want).await?;
    ec2::write_tags(clients, before, after).await?;
    machine::set_metadata(clients, &before.id, seen, want).await?;
    machine::set_profile(clients, &before.id, seen, want).await?;
    storage::set_root(clients, &before.id, seen, want).await?;
    machine::set_running(clients, &before.id, want.running).await?;
    storage::set_volumes(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Terminates an instance and waits until it has let go of what it holds.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Instance,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "TerminateInstances"), || {
            clients.ec2.terminate_instances().instance_ids(&object.id).send()
        })
        .await?;
    machine::reach(clients, &object.id, InstanceStateName::Terminated).await
}

/// What the template says stands here once more: what is sent explicitly is
/// what will be, whoever has made another version in between.
async fn run(
    clients: &Clients,
    resource: &Resource,
    want: &Instance,
    token: &str,
) -> Result<Described, CloudError> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(&want.launch_template)
        .version(&want.launch_template_version)
        .build();
    let profile = given(&want.profile)
        .map(|name| IamInstanceProfileSpecification::builder().name(name).build());
    let user_data = given(&want.user_data).map(|text| BASE64.encode(text));
    let answer = clients
        .calls
        .send(Call::repeatable("ec2", "RunInstances"), || {
            let request = clients.ec2.run_instances().min_count(1).max_count(1);
            request
                .client_token(token)
                .launch_template(template.clone())
                .image_id(&want.image)
                .instance_type(want.instance_type.as_str().into())
                .set_iam_instance_profile(profile.clone())
                .set_user_data(user_data.clone())
                .network_interfaces(interface(want))
                .block_device_mappings(root(want))
                .metadata_options(metadata(want))
                .tag_specifications(tags::constant(ResourceType::Instance, resource))
                .tag_specifications(tags::constant(ResourceType::Volume, resource))
                .send()
        })
        .await?;
    let nothing = || CloudError::new(Class::Invalid, "ec2:RunInstances", "no instance");
    answer.instances.and_then(|mut made| made.pop()).ok_or_else(nothing)
}

fn interface(want: &Instance) -> InstanceNetworkInterfaceSpecification {
    InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .network_interface_id(&want.interface)
        .build()
}

fn root(want: &Instance) -> BlockDeviceMapping {
    let disk = EbsBlockDevice::builder()
        .volume_size(want.root_gib)
        .volume_type(want.root_type.as_str().into())
        .encrypted(true)
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder().device_name(&want.root_device).ebs(disk).build()
}

fn metadata(want: &Instance) -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_tokens(HttpTokensState::from(want.metadata_tokens.as_str()))
        .http_put_response_hop_limit(want.metadata_hop_limit)
        .build()
}
