//! What would end workers, with what people do there, waits for consent.

use super::*;

const ZONES: &str = "  network: {cidr: 10.20.0.0/16, zones: 3}";

fn one(spec: &str) -> Manifests {
    manifests(&[("geo", spec)])
}

fn made(spec: &str) -> FakeCloud {
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &one(spec), &site(), &context(), 1);
    cloud
}

#[test]
fn a_maximum_below_the_workers_that_run_waits_for_consent() {
    let with_max = |max: u32| one(&format!("{GEO}\n  workers: {{max: {max}}}"));
    let cloud = made(&format!("{GEO}\n  workers: {{max: 7}}"));
    for _ in 0..4 {
        cloud.launch("geo", "workers", "us-east-1");
    }
    let (_, plan) = look(&cloud, &with_max(4), &site(), &context());
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
    let (_, plan) = look(&cloud, &with_max(3), &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    let [waiting] = &plan.scopes["geo"].blocked[..] else { panic!("{:?}", blocked(&plan)) };
    assert!(waiting.cause.contains("ends 1 of 4 workers"), "{}", waiting.cause);
    assert!(waiting.hint().unwrap().contains("to: restart"));

    let mut consented = context();
    consented.policy.consents.push(consent(&cloud, "geo/scaling-group/workers"));
    let (_, plan) = look(&cloud, &with_max(3), &site(), &consented);
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
}

#[test]
fn fewer_zones_wait_until_the_subnet_is_given_up_and_more_do_not() {
    let cloud = made(ZONES);
    let fewer = one(&ZONES.replace('3', "2"));
    let (_, plan) = look(&cloud, &fewer, &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert_eq!(blocked(&plan), ["geo/subnet/c"]);
    let hint = plan.scopes["geo"].blocked[0].hint().unwrap();
    assert!(hint.contains("to: delete"), "{hint}");

    let mut given_up = fewer.clone();
    given_up.consents.push(consent(&cloud, "geo/subnet/c"));
    let consented = PlanContext {
        policy: Policy { consents: given_up.consents.clone(), ..context().policy },
        ..context()
    };
    let (_, plan) = look(&cloud, &given_up, &site(), &consented);
    assert!(summary(&plan).contains(&"Delete geo/subnet/c".to_string()), "{:?}", summary(&plan));
    settle(&cloud, &given_up, &site(), &consented, 2);
    let (_, plan) = look(&cloud, &fewer, &site(), &context());
    assert_eq!((summary(&plan), blocked(&plan)), (vec![], vec![]));

    let (_, plan) = look(&cloud, &one(ZONES), &site(), &context());
    assert!(summary(&plan).contains(&"Create geo/subnet/c".to_string()));
}
