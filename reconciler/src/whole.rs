//! Objects of which a list leaves something out, read one by one.

use futures_util::StreamExt;
use lyceum_core::cloud::{Cloud, CloudError};
use lyceum_core::observed::{Gap, Object, ObservedState};

/// Read at the same time.
const AT_ONCE: usize = 16;

/// Puts each of `open` into what was observed as it is whole: one that is gone is
/// taken out, one that cannot be read is a gap of its kind in its cluster. Every
/// object that was read is shown to `heard`.
pub(crate) async fn read(
    cloud: &impl Cloud,
    open: Vec<Object>,
    observed: &mut ObservedState,
    heard: impl Fn(&Object),
) {
    let answers = futures_util::stream::iter(open).map(|object| async {
        let answer = cloud.read(&object).await;
        (object, answer)
    });
    let answers: Vec<(Object, Result<Option<Object>, CloudError>)> =
        answers.buffered(AT_ONCE).collect().await;
    for (object, answer) in answers {
        match answer {
            Ok(Some(whole)) => {
                heard(&whole);
                observed.put(whole);
            }
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
