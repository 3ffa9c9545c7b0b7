//! A sample of dying anywhere. `make faults` runs every case.

use system_tests::dying::{Deed, Suite, table};
use system_tests::proxy::{Fault, Outcome, Rule};
use system_tests::scenario::{Lyceum, Repo, World};

const SAMPLE: usize = 18;

#[test]
fn dying_anywhere_is_harmless() {
    let suite = Suite::new("geo-101", &Deed::ALL).unwrap();
    let cases = suite.sample(SAMPLE);
    let verdicts = suite.run(&cases, 2, &|_| {}).unwrap();
    println!("{}", table(&verdicts));
    let failed: Vec<String> = verdicts
        .iter()
        .filter_map(|verdict| {
            let error = verdict.passes.as_ref().err()?;
            Some(format!("{}: {error:#}", verdict.case))
        })
        .collect();
    assert!(failed.is_empty() && verdicts.len() == cases.len(), "{}", failed.join("\n\n"));
}

/// Its second half was written without them by what looked after it.
#[test]
fn a_key_whose_writing_is_answered_with_an_error_has_its_tags() {
    let repo = Repo::of_examples(&["geo-101"]).unwrap();
    let world = World::new().unwrap();
    let program = Lyceum::new(&world.endpoint(), repo.path()).unwrap();
    let failed = Rule::new("ssm:PutParameter", Fault::Failed(500));
    world.proxy.rule(failed.containing("/geo-101/node-key\"").first(1));
    program.apply().unwrap();
    let attempts = world.proxy.attempts();
    let mut faulted =
        attempts.iter().filter(|it| matches!(it.outcome, Some(Outcome::Faulted { .. })));
    assert_eq!(faulted.next().unwrap().action, "ssm:PutParameter");
    let tags = "print([tag['Key'] for tag in aws('ssm').list_tags_for_resource(\
                ResourceType='Parameter', ResourceId='/lyceum/geo-101/node-key')['TagList']])";
    assert!(world.boto3(tags).unwrap().contains("lyceum:owner"));
}
