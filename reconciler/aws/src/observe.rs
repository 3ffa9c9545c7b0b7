//! One look: every list of every region at once. A list that fails leaves a
//! gap; it never fails the look.

use std::future::Future;

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
    let mut state = surroundings::of_region(clients, scope).await;
    let listings = tokio::join!(listing(clients, "vpc", kind::vpc::list(clients)),);
    for found in [listings.0] {
        state.objects.extend(found.objects);
        state.gaps.extend(found.gaps);
    }
    state
}

async fn listing(
    clients: &Clients,
    kind: &str,
    list: impl Future<Output = Result<Listing, CloudError>>,
) -> Listing {
    match list.await {
        Ok(listing) => listing,
        Err(error) => {
            let region = clients.region.clone();
            let gap =
                Gap { region, kind: kind.into(), scope: String::new(), cause: error.to_string() };
            Listing { objects: vec![], gaps: vec![gap] }
        }
    }
}
