//! Texts held equal to files in `tests/golden/`; `LYCEUM_BLESS=1` writes them
//! anew, to be read in the diff of the commit.

use std::fs;
use std::path::Path;

/// Holds `text` equal to the file of this path below the package.
pub(crate) fn assert_equal(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("LYCEUM_BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == text, "{path} differs; LYCEUM_BLESS=1 accepts this:\n{text}");
}
