//! The Python and shell of the cookbooks, by their own tests, with the packages
//! the hub's image has.

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_programs_of_the_roles_do_what_their_tests_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cookbooks");
    let output = Command::new(python())
        .args(["-B", "-W", "ignore", "-m", "unittest", "discover", "--start-directory"])
        .arg(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(ran(&said) >= 60, "tests are missing:\n{said}");
}

/// How many tests ran, as unittest says it at the end.
fn ran(said: &str) -> usize {
    let counts = said.lines().filter_map(|line| line.strip_prefix("Ran "));
    let count = counts.filter_map(|rest| rest.split(' ').next()?.parse().ok()).next_back();
    count.unwrap_or_default()
}

/// The environment that `tests/setup.sh` makes of the hub's own list.
fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache")
    });
    let python = cache.join("lyceum/hub-venv/bin/python");
    assert!(python.exists(), "run tests/setup.sh: {} is missing", python.display());
    python
}
