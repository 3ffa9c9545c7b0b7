//! What the nodes of each group are told, where the list of the bucket does not
//! tell: a pointer is read only when it is not as it should be.

use futures_util::StreamExt;
use lyceum_core::cloud::{Cloud, CloudError};
use lyceum_core::desired::{Agent, Inputs, pointers, recognise};
use lyceum_core::manifest::Manifests;
use lyceum_core::observed::{Gap, Object, ObservedState};
use lyceum_core::site::Site;

/// Pointers read at the same time.
const AT_ONCE: usize = 16;

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
    let answers = futures_util::stream::iter(open).map(|object| async {
        let answer = cloud.read(&object).await;
        (object, answer)
    });
    let answers: Vec<(Object, Result<Option<Object>, CloudError>)> =
        answers.buffered(AT_ONCE).collect().await;
    for (object, answer) in answers {
        match answer {
            Ok(Some(whole)) => observed.put(whole),
            Ok(None) => observed.objects.retain(|other| *other != object),
            Err(error) => observed.gaps.push(Gap {
                region: object.region.clone(),
                kind: object.address.kind().into(),
                scope: object.address.scope().into(),
                cause: error.to_string(),
            }),
        }
    }
}
