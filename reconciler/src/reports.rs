//! What the nodes report: read once for each version of a report.
//!
//! A list of the bucket tells each report's ETag; one that was read before is
//! not read again. What is kept is a cache: losing it costs calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use lyceum_core::cloud::{Cloud, CloudError};
use lyceum_core::kind::{Body, Said};
use lyceum_core::manifest::Manifests;
use lyceum_core::observed::{Gap, Object, ObservedState};

/// Reports read at the same time.
const AT_ONCE: usize = 16;
/// Reports of one look; nodes beyond are shown as not read.
const MOST: usize = 5_000;

/// Region and key of a report.
type Place = (String, String);

/// What was heard, each with the ETag it had.
#[derive(Debug, Default)]
pub struct Heard {
    known: Mutex<BTreeMap<Place, (String, Arc<Said>)>>,
}

impl Heard {
    /// Fills in what the nodes of these manifests' clusters report. Where one
    /// cannot be read, the cluster's reports are a gap.
    pub async fn read(
        &self,
        cloud: &impl Cloud,
        manifests: &Manifests,
        observed: &mut ObservedState,
    ) {
        let mut open = Vec::new();
        for object in &mut observed.objects {
            let Body::NodeReport(report) = &mut object.body else { continue };
            if !manifests.clusters.contains_key(object.address.scope()) {
                continue;
            }
            let place = (object.region.clone(), object.id.clone());
            report.said = self.known(&place, object.outputs.get("etag"));
            if report.said.is_none() && open.len() < MOST {
                open.push(object.clone());
            }
        }
        let answers = futures_util::stream::iter(open).map(|object| async {
            let answer = cloud.read(&object).await;
            (object, answer)
        });
        let answers: Vec<(Object, Result<Option<Object>, CloudError>)> =
            answers.buffered(AT_ONCE).collect().await;
        for (object, answer) in answers {
            self.take(object, answer, observed);
        }
    }

    fn take(
        &self,
        object: Object,
        answer: Result<Option<Object>, CloudError>,
        observed: &mut ObservedState,
    ) {
        match answer {
            Ok(Some(whole)) => {
                self.remember(&whole);
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

    fn known(&self, place: &Place, etag: Option<&String>) -> Option<Arc<Said>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, said) = known.get(place)?;
        (Some(of) == etag).then(|| said.clone())
    }

    fn remember(&self, object: &Object) {
        let Body::NodeReport(report) = &object.body else { return };
        let (Some(said), Some(etag)) = (&report.said, object.outputs.get("etag")) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Of nodes that are gone nobody asks any more.
        if known.len() >= 2 * MOST {
            known.clear();
        }
        let place = (object.region.clone(), object.id.clone());
        known.insert(place, (etag.clone(), said.clone()));
    }
}
