//! One look: every list of every region at once. A list that fails leaves a
//! gap; it never fails the look.

use std::future::Future;

use futures_util::FutureExt;
use lyceum_core::cloud::{CloudError, Scope};
use lyceum_core::observed::{Gap, ObservedState};

use crate::claim::Listing;
use crate::clients::Clients;
use crate::cloud::Aws;
use crate::{kind, surroundings};

/// Everything that is ours in these regions, and what it stands in.
pub(crate) async fn observe(aws: &Aws, scope: &Scope) -> ObservedState {
    let mut state = ObservedState::default();
    let regions: Vec<String> = scope.regions.iter().cloned().collect();
    let looks = regions.iter().map(|region| region_state(aws, region, scope));
    for found in futures_util::future::join_all(looks).await {
        state.merge(found);
    }
    state
}

async fn region_state(aws: &Aws, region: &str, scope: &Scope) -> ObservedState {
    let clients = &aws.clients(region);
    let lists = [
        listing(clients, "vpc", kind::vpc::list(clients)).boxed(),
        listing(clients, "internet-gateway", kind::internet_gateway::list(clients)).boxed(),
        listing(clients, "subnet", kind::subnet::list(clients)).boxed(),
        listing(clients, "route-table", kind::route_table::list(clients)).boxed(),
        listing(clients, "security-group", kind::security_group::list(clients)).boxed(),
        listing(clients, "network-interface", kind::network_interface::list(clients)).boxed(),
        listing(clients, "elastic-ip", kind::elastic_ip::list(clients)).boxed(),
        listing(clients, "launch-template", kind::launch_template::list(clients)).boxed(),
    ];
    let (mut state, listings, machines) = tokio::join!(
        surroundings::of_region(clients, scope),
        futures_util::future::join_all(lists),
        machines(clients),
    );
    for found in listings.into_iter().chain(machines) {
        state.objects.extend(found.objects);
        state.gaps.extend(found.gaps);
    }
    state
}

/// Volumes and instances: one list of volumes serves both, so that it is a gap
/// for both as well.
async fn machines(clients: &Clients) -> [Listing; 2] {
    let (volumes, instances) =
        tokio::join!(kind::volume::described(clients), kind::instance::described(clients));
    let volumes = match volumes {
        Ok(volumes) => volumes,
        Err(error) => return ["volume", "instance"].map(|kind| unknown(clients, kind, &error)),
    };
    let instances = async { kind::instance::listing(clients, instances?, &volumes).await };
    [kind::volume::listing(clients, &volumes), listing(clients, "instance", instances).await]
}

async fn listing(
    clients: &Clients,
    kind: &str,
    list: impl Future<Output = Result<Listing, CloudError>>,
) -> Listing {
    list.await.unwrap_or_else(|error| unknown(clients, kind, &error))
}

fn unknown(clients: &Clients, kind: &str, error: &CloudError) -> Listing {
    let region = clients.region.clone();
    let gap = Gap { region, kind: kind.into(), scope: String::new(), cause: error.to_string() };
    Listing { objects: vec![], gaps: vec![gap] }
}
