//! One look: every list of every region at once. A list that fails, or does not
//! end in time, leaves a gap; it never fails the look, nor holds it up.

use std::collections::BTreeMap;
use std::future::Future;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use lyceum_core::cloud::{CloudError, STORED, Scope};
use lyceum_core::observed::{Life, LiveInstance, ObservedState};
use lyceum_core::site::GLOBAL;

use crate::claim::{Listing, gap};
use crate::clients::Clients;
use crate::cloud::Aws;
use crate::kind::scaling_group::Member;
use crate::{kind, stored, surroundings};

/// Everything that is ours in these regions, and what it stands in.
pub(crate) async fn observe(aws: &Aws, scope: &Scope) -> ObservedState {
    let mut state = ObservedState::default();
    let regions: Vec<String> = scope.regions.iter().cloned().collect();
    let looks = regions.iter().map(|region| region_state(aws, region, scope));
    let regional = join_all(looks);
    let (regional, global) = tokio::join!(regional, global_state(aws, scope));
    for found in regional {
        state.merge(found);
    }
    state.merge(global);
    state
}

async fn region_state(aws: &Aws, region: &str, scope: &Scope) -> ObservedState {
    let clients = &aws.looking(region);
    let here = (clients, region);
    let lists: Vec<BoxFuture<'_, Listing>> = vec![
        listing(here, "bucket", kind::bucket::list(clients)).boxed(),
        stored(clients).boxed(),
        listing(here, "queue", kind::queue::list(clients)).boxed(),
        listing(here, "event-rule", kind::event_rule::list(clients)).boxed(),
        listing(here, "vpc", kind::vpc::list(clients)).boxed(),
        listing(here, "internet-gateway", kind::internet_gateway::list(clients)).boxed(),
        listing(here, "subnet", kind::subnet::list(clients)).boxed(),
        listing(here, "route-table", kind::route_table::list(clients)).boxed(),
        listing(here, "security-group", kind::security_group::list(clients)).boxed(),
        listing(here, "network-interface", kind::network_interface::list(clients)).boxed(),
        listing(here, "elastic-ip", kind::elastic_ip::list(clients)).boxed(),
        listing(here, "launch-template", kind::launch_template::list(clients)).boxed(),
        machines(clients).boxed(),
        listing(here, "file-system", kind::file_system::list(clients)).boxed(),
        listing(here, "access-point", kind::access_point::list(clients)).boxed(),
        parameters(clients).boxed(),
        listing(here, "namespace", kind::namespace::list(clients)).boxed(),
        listing(here, "discovery-service", kind::discovery_service::list(clients)).boxed(),
        listing(here, "scaling-group", kind::scaling_group::list(clients)).boxed(),
        listing(here, "alarm", kind::alarm::list(clients)).boxed(),
    ];
    let (mut state, listings) =
        tokio::join!(surroundings::of_region(clients, scope), join_all(lists));
    let all = joined(listings);
    let known = |instance| with_group(instance, &all.members);
    state.instances.extend(all.instances.into_iter().map(known));
    state.objects.extend(all.objects);
    state.gaps.extend(all.gaps);
    if !all.strange_parameters.is_empty() {
        state.surroundings.strange_parameters.insert(region.into(), all.strange_parameters);
    }
    state
}

/// What its scaling group knows of an instance.
fn with_group(instance: LiveInstance, members: &BTreeMap<String, Member>) -> LiveInstance {
    let Some(member) = members.get(&instance.id) else { return instance };
    let leaves = member.leaving && instance.life < Life::Leaving;
    LiveInstance {
        life: if leaves { Life::Leaving } else { instance.life },
        scaling_group: Some(member.group.clone()),
        protected: member.protected,
        ..instance
    }
}

/// Looks at the buckets alone; a call for a thousand keys and region.
pub(crate) async fn observe_stored(
    aws: &Aws,
    scope: &Scope,
    mut before: ObservedState,
) -> ObservedState {
    let looks = scope
        .regions
        .iter()
        .map(|region| async move { (region, stored(&aws.looking(region)).await) });
    for (region, found) in join_all(looks).await {
        before.renew(region, STORED, (found.objects, found.gaps));
    }
    before
}

/// Agents, bundles, pointers and reports: one list of the bucket serves all.
async fn stored(clients: &Clients) -> Listing {
    match clients.calls.in_time(stored::described(clients)).await {
        Ok(stored) => joined([
            kind::object::listing(clients, &stored),
            kind::pointer::listing(clients, &stored),
            kind::node_report::listing(clients, &stored),
        ]),
        Err(error) => unread(clients, STORED, &error),
    }
}

/// Parameters and the keys that two of them are.
async fn parameters(clients: &Clients) -> Listing {
    match clients.calls.in_time(kind::parameter::described(clients)).await {
        Ok(described) => joined([
            kind::parameter::listing(clients, &described),
            kind::signing_key::listing(clients, &described),
        ]),
        Err(error) => unread(clients, &["parameter", "signing-key"], &error),
    }
}

fn joined(listings: impl IntoIterator<Item = Listing>) -> Listing {
    let mut all = Listing::default();
    for one in listings {
        all.objects.extend(one.objects);
        all.gaps.extend(one.gaps);
        all.instances.extend(one.instances);
        all.members.extend(one.members);
        all.strange_parameters.extend(one.strange_parameters);
    }
    all
}

/// What one list served is unknown, all of it.
fn unread(clients: &Clients, kinds: &[&str], error: &CloudError) -> Listing {
    let gaps = kinds.iter().map(|kind| gap(&clients.region, kind, error));
    Listing { gaps: gaps.collect(), ..Listing::default() }
}

/// Volumes and instances: one list of volumes serves both, so that it is a gap
/// for both as well.
async fn machines(clients: &Clients) -> Listing {
    let found = clients.calls.in_time(async { Ok(described_machines(clients).await) }).await;
    found.unwrap_or_else(|error| unread(clients, &["volume", "instance"], &error))
}

async fn described_machines(clients: &Clients) -> Listing {
    let (volumes, instances) =
        tokio::join!(kind::volume::described(clients), kind::instance::described(clients));
    let described = instances.as_deref().unwrap_or_default();
    let living = kind::instance::living(&clients.site, &clients.region, described);
    let volumes = match volumes {
        Ok(volumes) => volumes,
        Err(error) => return unread(clients, &["volume", "instance"], &error),
    };
    let instances = async { kind::instance::listing(clients, instances?, &volumes).await };
    let machines = listing((clients, &clients.region), "instance", instances).await;
    let living = Listing { instances: living, ..Listing::default() };
    joined([kind::volume::listing(clients, &volumes), machines, living])
}

/// IAM and Route 53 have no regions: one look serves all.
async fn global_state(aws: &Aws, scope: &Scope) -> ObservedState {
    let mut state = ObservedState::default();
    // Where no region is asked for this tells the regions in which something is.
    let region = scope.regions.first().map_or(GLOBAL, String::as_str);
    let clients = &aws.looking(region);
    let (roles, profiles, names) = tokio::join!(
        listing((clients, GLOBAL), "role", kind::role::list(clients)),
        listing((clients, GLOBAL), "instance-profile", kind::instance_profile::list(clients)),
        clients.calls.in_time(public_names(clients, scope)),
    );
    let records = match names {
        Ok((zones, records)) => {
            state.surroundings.hosted_zones = zones;
            records
        }
        Err(error) => Listing {
            gaps: ["hosted-zone", "record"].map(|kind| gap(GLOBAL, kind, &error)).into(),
            ..Listing::default()
        },
    };
    state.surroundings.taken_names = records.taken_names.clone();
    for found in [roles, profiles, records] {
        state.objects.extend(found.objects);
        state.gaps.extend(found.gaps);
    }
    state
}

/// The public zones and, where these are known, the records in them.
async fn public_names(
    clients: &Clients,
    scope: &Scope,
) -> Result<(kind::record::Zones, Listing), CloudError> {
    let zones = kind::record::zones(clients).await?;
    let records =
        listing((clients, GLOBAL), "record", kind::record::list(clients, &zones, scope)).await;
    Ok((zones, records))
}

async fn listing(
    (clients, region): (&Clients, &str),
    kind: &str,
    list: impl Future<Output = Result<Listing, CloudError>>,
) -> Listing {
    match clients.calls.in_time(list).await {
        Ok(listing) => listing,
        Err(error) => Listing { gaps: vec![gap(region, kind, &error)], ..Listing::default() },
    }
}
