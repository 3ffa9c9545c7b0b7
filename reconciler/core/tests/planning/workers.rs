//! What would end workers, with what people do there, waits for consent.

use lyceum_core::kind::ScalingGroup;

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
    consented.policy.consents.push(given(&plan));
    let (_, plan) = look(&cloud, &with_max(3), &site(), &consented);
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
    // It is good for that number alone.
    assert_eq!(blocked(&look(&cloud, &with_max(2), &site(), &consented).1).len(), 1);
}

#[test]
fn a_list_of_instances_that_failed_ends_nobody() {
    let cloud = made(&format!("{GEO}\n  workers: {{max: 7}}"));
    set(&cloud, |group| group.desired = 6);
    let fewer = one(&format!("{GEO}\n  workers: {{max: 3}}"));
    let (mut observed, _) = look(&cloud, &fewer, &site(), &context());
    observed.instances.clear();
    observed.gaps.push(unread("instance"));
    let state = desired(&fewer, &site(), &Inputs::default());
    let plan = plan(&state, &observed, &context());
    let group = "geo/scaling-group/workers".to_string();
    assert!(!summary(&plan).contains(&format!("Update {group}")), "{:?}", summary(&plan));
    assert!(blocked(&plan).contains(&group));
}

#[test]
fn ending_workers_again_waits_where_some_would_end() {
    let cloud = made(GEO);
    set(&cloud, |group| group.suspended = ["Terminate".to_string()].into());
    let (_, plan) = look(&cloud, &one(GEO), &site(), &context());
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
    for _ in 0..3 {
        cloud.launch("geo", "workers", "us-east-1");
    }
    let (_, plan) = look(&cloud, &one(GEO), &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert!(plan.scopes["geo"].blocked[0].cause.contains("ends 2 of 3"));
    let mut consented = context();
    consented.policy.consents.push(given(&plan));
    let (_, plan) = look(&cloud, &one(GEO), &site(), &consented);
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
}

fn set(cloud: &FakeCloud, change: impl Fn(&mut ScalingGroup)) {
    cloud.tamper(&address("geo/scaling-group/workers"), |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            change(group);
        }
    });
}

/// The consent that the one blocked thing of a plan asks for.
fn given(plan: &Plan) -> Consent {
    let [waiting] = &plan.scopes["geo"].blocked[..] else { panic!("{:?}", blocked(plan)) };
    let id = waiting.id.clone().unwrap();
    Consent { address: waiting.address.clone(), id, to: Deed::Restart, reason: "test".into() }
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
