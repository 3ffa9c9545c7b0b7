//! What the nodes report: read once for each version of a report.
//!
//! A list of the bucket tells each report's ETag; one that was read before is
//! not read again. What is kept is a cache: losing it costs calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use lyceum_core::cloud::Cloud;
use lyceum_core::kind::{Body, Said};
use lyceum_core::manifest::Manifests;
use lyceum_core::observed::{Object, ObservedState};

use crate::whole;

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
        whole::read(cloud, open, observed, |report| self.remember(report)).await;
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
