//! A secret's value goes into its parameter and nowhere else.

use system_tests::scenario::{Lyceum, Repo, World};

const NAME: &str = "/lyceum/geo-101/oauth-client-secret";
const VALUE: &str = "kqzw-7319-not-to-be-seen";

#[test]
fn a_secret_is_written_encrypted_and_said_by_nobody() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap().with("RUST_LOG", "trace");
    let set = ["secret", "set", "geo-101/oauth-client-secret", "-v", "-v"];
    let ended = program.run_reading(&set, VALUE).unwrap().succeeded().unwrap();
    let kept = "one = aws('ssm').get_parameter(Name='{}', WithDecryption=True)['Parameter']\n\
                print(one['Type'], one['Value'])";
    let kept = world.boto3(&kept.replace("{}", NAME)).unwrap();
    assert_eq!(kept.trim(), format!("SecureString {VALUE}"));
    assert!(!ended.said().contains(VALUE), "{}", around(&ended.said()));
    for command in [&["plan", "-v", "-v"][..], &["apply", "--yes", "-v", "-v"]] {
        let said = program.run(command).unwrap().succeeded().unwrap().said();
        assert!(!said.contains(VALUE), "{}", around(&said));
    }
}

#[test]
fn a_missing_secret_is_noticed_and_blocks_nothing() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let planned = program.run(&["plan"]).unwrap().succeeded().unwrap().said();
    assert!(planned.contains(NAME) && planned.contains("lyceum secret set"), "{planned}");
    program.apply().unwrap();
    world.fidelity(repo.path()).unwrap();
    assert!(program.settled().unwrap());
    program.run_reading(&["secret", "set", NAME], VALUE).unwrap().succeeded().unwrap();
    let planned = program.run(&["plan"]).unwrap().succeeded().unwrap().said();
    assert!(!planned.contains(NAME), "{planned}");
}

/// The first line that says the secret, without the megabytes around it.
fn around(said: &str) -> String {
    let line = said.lines().find(|line| line.contains(VALUE)).unwrap_or_default();
    line.chars().take(400).collect()
}
