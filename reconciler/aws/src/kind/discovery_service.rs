//! Cloud Map's services and their instances. The list leaves out tags and the
//! namespace: both stand in the description.

use std::collections::BTreeMap;

use aws_sdk_servicediscovery::types::{
    DnsConfig, DnsConfigChange, DnsRecord, RecordType, RoutingPolicy, ServiceChange,
    ServiceSummary, Tag,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::DiscoveryService;
use lyceum_core::observed::Object;

use crate::calls::{Call, each, made_or_found};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::{cloud_map, marker, tags, tokens};

/// The attribute of an instance that holds its address.
const ADDRESS: &str = "AWS_INSTANCE_IPV4";
/// Registrations of one id that are taken away at most; AWS keeps one.
const REGISTRATIONS: usize = 10;

/// Every service of our owner; a call more for the instances of each.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let mut listing = Listing::default();
    let mut ours = Vec::new();
    for service in summaries(clients).await? {
        let description = service.description().unwrap_or_default();
        if marker::field(description, "owner") != Some(&clients.site.owner) {
            continue;
        }
        let cluster = marker::field(description, "cluster").unwrap_or_default();
        let source = marker::field(description, "source").unwrap_or_default();
        if source != clients.site.source {
            listing.other_source(cluster, service.id().unwrap_or_default(), source);
            continue;
        }
        let name = service.name().unwrap_or_default();
        ours.push((Address::new(cluster, "discovery-service", name), service));
    }
    let clients = &clients.of_item();
    for (address, read) in each(ours, |(address, service)| read(clients, address, service)).await {
        listing.take(&clients.region, address, read);
    }
    Ok(listing)
}

/// Makes a service, then registers its instances.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &DiscoveryService,
) -> Result<Outputs, CloudError> {
    let cluster = resource.address.scope();
    // Without the time, see `tokens`; Cloud Map keeps that by itself.
    let tags = tags::build(&resource.tags, |key, value| Tag::builder().key(key).value(value).build())?;
    let dns = DnsConfig::builder()
        .routing_policy(RoutingPolicy::Multivalue)
        .dns_records(record(want)?)
        .build()
        .map_err(incomplete)?;
    let find = || find(clients, cluster, want);
    let service = tokens::spend(&clients.site, resource, async |token| {
        let made = clients
            .calls
            .send(Call::once("servicediscovery", "CreateService"), || {
                let request = clients.discovery.create_service().creator_request_id(&token);
                let request = request.name(&want.name).namespace_id(&want.namespace);
                let request = request.description(description(clients, cluster, want));
                request.dns_config(dns.clone()).set_tags(Some(tags.clone())).send()
            })
            .await
            .map(|answer| answer.service.and_then(|service| service.create_date));
        let found = async { Ok(find().await?.map(|found| found.create_date)) };
        let made = made_or_found(made, found).await?;
        tokens::alive("servicediscovery:ListServices", made.as_ref(), find).await
    })
    .await?;
    let id = service.id.unwrap_or_default();
    write_instances(clients, &id, &instances(clients, &id).await?, &want.instances).await?;
    Ok(Outputs::from([("id".into(), id), ("arn".into(), service.arn.unwrap_or_default())]))
}

/// Changes the time to live, and registers what is missing or differs.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &DiscoveryService),
    (after, want): (&Resource, &DiscoveryService),
) -> Result<Outputs, CloudError> {
    if seen.ttl_seconds != want.ttl_seconds {
        let records = DnsConfigChange::builder().dns_records(record(want)?);
        let change = ServiceChange::builder()
            .description(description(clients, after.address.scope(), want))
            .dns_config(records.build().map_err(incomplete)?)
            .build();
        let call = Call::repeatable("servicediscovery", "UpdateService");
        let send = || {
            clients.discovery.update_service().id(&before.id).service(change.clone()).send()
        };
        let answer = clients.calls.send(call, send).await?;
        let operation = answer.operation_id();
        cloud_map::finished(clients, "servicediscovery:UpdateService", operation).await?;
    }
    write_instances(clients, &before.id, &seen.instances, &want.instances).await?;
    Ok(Outputs::new())
}

/// Removes a service after its instances.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &DiscoveryService,
) -> Result<(), CloudError> {
    let seen = instances(clients, &object.id).await?;
    write_instances(clients, &object.id, &seen, &BTreeMap::new()).await?;
    clients
        .calls
        .send(Call::repeatable("servicediscovery", "DeleteService"), || {
            clients.discovery.delete_service().id(&object.id).send()
        })
        .await
        .map(drop)
}

async fn summaries(clients: &Clients) -> Result<Vec<ServiceSummary>, CloudError> {
    clients
        .calls
        .pages(
            Call::read("servicediscovery", "ListServices"),
            |token| {
                let request = clients.discovery.list_services().max_results(100);
                request.set_next_token(token).send()
            },
            |page| (page.services.unwrap_or_default(), page.next_token),
        )
        .await
}

async fn read(
    clients: &Clients,
    address: Address,
    service: ServiceSummary,
) -> (Address, Result<Found, CloudError>) {
    let id = service.id.unwrap_or_default();
    let read = instances(clients, &id).await.map(|instances| {
        let description = service.description.unwrap_or_default();
        let records = service.dns_config.map(|dns| dns.dns_records).unwrap_or_default();
        let body = DiscoveryService {
            namespace: marker::field(&description, "namespace").unwrap_or_default().into(),
            name: service.name.unwrap_or_default(),
            ttl_seconds: records.first().map_or(0, |record| record.ttl),
            instances,
        };
        let outputs = Outputs::from([("arn".into(), service.arn.unwrap_or_default())]);
        Found { id, tags: Default::default(), outputs, body: body.into() }
    });
    (address, read)
}

async fn instances(
    clients: &Clients,
    service: &str,
) -> Result<BTreeMap<String, String>, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("servicediscovery", "ListInstances"),
            |token| {
                let request = clients.discovery.list_instances().service_id(service);
                request.max_results(100).set_next_token(token).send()
            },
            |page| (page.instances.unwrap_or_default(), page.next_token),
        )
        .await?;
    Ok(listed
        .into_iter()
        .map(|instance| {
            let mut attributes = instance.attributes.unwrap_or_default();
            let address = attributes.remove(ADDRESS).unwrap_or_default();
            (instance.id.unwrap_or_default(), address)
        })
        .collect())
}

fn record(want: &DiscoveryService) -> Result<DnsRecord, CloudError> {
    let record = DnsRecord::builder().r#type(RecordType::A).ttl(want.ttl_seconds);
    record.build().map_err(incomplete)
}

fn description(clients: &Clients, cluster: &str, want: &DiscoveryService) -> String {
    format!("{} namespace={}", marker::description(&clients.site, cluster), want.namespace)
}

async fn find(
    clients: &Clients,
    cluster: &str,
    want: &DiscoveryService,
) -> Result<Option<ServiceSummary>, CloudError> {
    let description = description(clients, cluster, want);
    Ok(summaries(clients).await?.into_iter().find(|found| {
        found.name() == Some(&want.name) && found.description() == Some(&description)
    }))
}

/// Deregisters what is not wanted; registering an instance again replaces it.
async fn write_instances(
    clients: &Clients,
    service: &str,
    seen: &BTreeMap<String, String>,
    want: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    for id in seen.keys().filter(|id| !want.contains_key(*id)) {
        deregister(clients, service, id).await?;
    }
    for (id, address) in want.iter().filter(|(id, address)| seen.get(*id) != Some(address)) {
        let call = Call::repeatable("servicediscovery", "RegisterInstance");
        let send = || {
            let request = clients.discovery.register_instance().service_id(service);
            request.instance_id(id).attributes(ADDRESS, address).send()
        };
        let answer = clients.calls.send(call, send).await?;
        let operation = answer.operation_id();
        cloud_map::finished(clients, "servicediscovery:RegisterInstance", operation).await?;
    }
    Ok(())
}

/// Until it is not there: some endpoints keep every registration of an id.
async fn deregister(clients: &Clients, service: &str, id: &str) -> Result<(), CloudError> {
    for _ in 0..REGISTRATIONS {
        let call = Call::repeatable("servicediscovery", "DeregisterInstance");
        let send =
            || clients.discovery.deregister_instance().service_id(service).instance_id(id).send();
        let Some(answer) = found(clients.calls.send(call, send).await)? else { break };
        let operation = answer.operation_id();
        cloud_map::finished(clients, "servicediscovery:DeregisterInstance", operation).await?;
    }
    Ok(())
}
