//! Small repositories on disk, as snapshots.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lyceum_core::manifest::Snapshot;

/// The root of this repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The manifests below a folder that is laid out like a repository.
pub(super) fn snapshot(folder: &Path) -> Snapshot {
    let mut files = BTreeMap::new();
    for top in ["clusters", "cookbooks", "lyceum.yaml", "consents.yaml", "lyceum.yml"] {
        collect(folder, &folder.join(top), &mut files);
    }
    Snapshot { revision: "test".into(), files }
}

fn collect(root: &Path, at: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    if at.is_file() {
        let path = at.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        files.insert(path, fs::read(at).unwrap());
    } else if at.is_dir() {
        for entry in fs::read_dir(at).unwrap() {
            collect(root, &entry.unwrap().path(), files);
        }
    }
}

/// Compares a file with what it should hold; with `LYCEUM_BLESS=1` writes it.
pub(crate) fn bless_or_compare(path: &Path, text: &str) {
    if std::env::var_os("LYCEUM_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        return;
    }
    let present = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(present, text, "{} is not up to date: LYCEUM_BLESS=1 writes it", path.display());
}
