//! The Python and shell of the cookbooks, by their own tests, with the packages
//! the hub's image has.

use std::process::Command;

use system_tests::emulator::{hub_python, in_tests};

#[test]
fn the_programs_of_the_roles_do_what_their_tests_say() {
    let folder = in_tests("cookbooks");
    let output = Command::new(hub_python().unwrap())
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
