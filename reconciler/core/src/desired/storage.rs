//! Shared storage: the file system, a mount target per zone, an access point
//! each for homes and shared data.

use std::collections::BTreeSet;

use crate::address::id_of;
use crate::kind::{AccessPoint, FileSystem};

use super::{Draft, network};

/// The user every notebook runs as; homes belong to it.
const NOTEBOOK_USER: u32 = 1000;

/// The access point of the users' homes; no shared directory may have this name.
pub(crate) const HOMES: &str = "homes";

/// Adds the storage.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let storage = &draft.spec.storage;
    let groups = BTreeSet::from([network::group(draft, "storage")]);
    let file_system = FileSystem {
        encrypted: true,
        performance_mode: "generalPurpose".into(),
        throughput_mode: "elastic".into(),
        transition_to_ia_days: storage.transition_to_ia_days.0,
        backup: storage.backup,
        mount_targets: network::subnets(draft)
            .into_iter()
            .map(|subnet| (subnet, groups.clone()))
            .collect(),
    };
    draft.add_protected("main", file_system);
    let homes = access_point(draft, "/homes", "0755");
    draft.add(HOMES, homes);
    for shared in &storage.shared {
        let mode = if shared.read_only { "0755" } else { "0775" };
        let point = access_point(draft, &format!("/shared/{}", shared.name), mode);
        draft.add(&shared.name, point);
    }
}

fn access_point(draft: &Draft<'_>, path: &str, mode: &str) -> AccessPoint {
    AccessPoint {
        file_system: id_of(&draft.address::<FileSystem>("main")),
        path: path.into(),
        uid: NOTEBOOK_USER,
        gid: NOTEBOOK_USER,
        mode: mode.into(),
    }
}
