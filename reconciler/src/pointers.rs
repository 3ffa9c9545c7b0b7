//! What the nodes of each group are told, where the list of the bucket does not
//! tell: a pointer is read only when it is not as it should be, or a node refuses
//! it. What the nodes report is read before.

use lyceum_core::cloud::Cloud;
use lyceum_core::desired::{Agent, Inputs, distrust_replayed, pointers, recognise};
use lyceum_core::manifest::Manifests;
use lyceum_core::observed::ObservedState;
use lyceum_core::site::Site;

use crate::whole;

/// Fills in what the pointers of these manifests' clusters say. One that cannot
/// be read is a gap in its cluster.
pub async fn read(
    cloud: &impl Cloud,
    (manifests, site): (&Manifests, &Site),
    agent: Option<&Agent>,
    observed: &mut ObservedState,
) {
    let inputs = Inputs::new(manifests, agent, observed);
    let open = recognise(&pointers(manifests, site, &inputs), observed);
    whole::read(cloud, open, observed, |_| ()).await;
    distrust_replayed(observed);
}
