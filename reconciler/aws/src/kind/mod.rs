//! The kinds, one file each: how they are listed, made, changed and removed.
//! What a kind is stands in the file of the same name in `lyceum-core`.
//!
//! Every file has the same four functions. `create` makes the object with its
//! tags in one call where the service can, waits until it can be seen, and then
//! takes `update`'s way to the rest: what a death in between leaves half done is
//! an ordinary difference for the next pass.

use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Body;
use lyceum_core::observed::Object;

use crate::clients::Clients;

// The futures are boxed: one that holds the calls of every kind would not fit a
// thread's stack.
macro_rules! kinds {
    ($($module:ident :: $kind:ident),* $(,)?) => {
        $(pub(crate) mod $module;)*

        /// Makes a resource whose references are all answered.
        pub(crate) async fn create(
            clients: &Clients,
            resource: &Resource,
        ) -> Result<Outputs, CloudError> {
            match &resource.body {
                $(Body::$kind(want) => Box::pin($module::create(clients, resource, want)).await,)*
            }
        }

        /// Changes what differs between an object and its resource.
        pub(crate) async fn update(
            clients: &Clients,
            before: &Object,
            after: &Resource,
        ) -> Result<Outputs, CloudError> {
            match (&before.body, &after.body) {
                $((Body::$kind(seen), Body::$kind(want)) => {
                    Box::pin($module::update(clients, (before, seen), (after, want))).await
                })*
                _ => Err(CloudError::new(Class::Invalid, "update", "an object keeps its kind")),
            }
        }

        /// Removes an object with its children.
        pub(crate) async fn delete(clients: &Clients, object: &Object) -> Result<(), CloudError> {
            match &object.body {
                $(Body::$kind(seen) => Box::pin($module::delete(clients, object, seen)).await,)*
            }
        }
    };
}

kinds! {
    access_point::AccessPoint,
    alarm::Alarm,
    bucket::Bucket,
    discovery_service::DiscoveryService,
    event_rule::EventRule,
    file_system::FileSystem,
    instance_profile::InstanceProfile,
    namespace::Namespace,
    node_report::NodeReport,
    object::StoredObject,
    parameter::Parameter,
    pointer::Pointer,
    queue::Queue,
    record::Record,
    role::Role,
    scaling_group::ScalingGroup,
    signing_key::SigningKey,
    vpc::Vpc,
    internet_gateway::InternetGateway,
    subnet::Subnet,
    route_table::RouteTable,
    security_group::SecurityGroup,
    network_interface::NetworkInterface,
    elastic_ip::ElasticIp,
    volume::Volume,
    launch_template::LaunchTemplate,
    instance::Instance,
    worker::Worker,
}
