//! Several objects of one address.

use lyceum_core::kind::{ElasticIp, InternetGateway};

use super::*;

/// A second object of an address, made in 2027 and otherwise the same but for this;
/// gives the first.
fn double_but(cloud: &FakeCloud, text: &str, differs: impl FnOnce(&mut Object)) -> Object {
    let first = object(cloud, text);
    let mut second = first.clone();
    second.id = format!("{}-second", first.id);
    second.tags.insert("lyceum:created".into(), "2027".into());
    differs(&mut second);
    cloud.put(second);
    first
}

fn double(cloud: &FakeCloud, text: &str) -> Object {
    double_but(cloud, text, |_| {})
}

/// One that is older than the first and attached to nothing.
fn double_loose(cloud: &FakeCloud, text: &str, body: impl Into<Body>) -> Object {
    double_but(cloud, text, |second| {
        second.tags.insert("lyceum:created".into(), "2000".into());
        second.body = body.into();
    })
}

#[test]
fn of_two_objects_of_one_address_the_oldest_stays_unless_the_extra_holds_data() {
    let (cloud, manifests) = applied();
    let vpc = double(&cloud, "geo/vpc/main");
    double(&cloud, "geo/file-system/main");
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), ["Delete geo/vpc/main"]);
    assert_eq!(blocked(&plan), ["geo/file-system/main"]);
    settle(&cloud, &manifests, &site(), &context(), 1);
    assert_eq!(object(&cloud, "geo/vpc/main").id, vpc.id);
}

/// A run died after it had made a gateway; the next did not see it yet, made another,
/// attached it, and got no further.
#[test]
fn of_two_gateways_the_attached_one_stays_though_nothing_uses_it_yet() {
    let (cloud, manifests) = applied();
    cloud.lose(&address("geo/route-table/public"));
    let attached = double_loose(&cloud, "geo/internet-gateway/main", InternetGateway::default());
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    let changes = ["Delete geo/internet-gateway/main", "Create geo/route-table/public"];
    assert_eq!(summary(&plan), changes);
    settle(&cloud, &manifests, &site(), &context(), 1);
    assert_eq!(object(&cloud, "geo/internet-gateway/main").id, attached.id);
}

#[test]
fn of_two_addresses_the_oldest_stays_since_people_know_it() {
    let (cloud, manifests) = applied();
    let attached = double_loose(&cloud, "geo/elastic-ip/hub", ElasticIp::default());
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    let gone = plan.changes().find(|change| change.action == Action::Delete).unwrap();
    assert_eq!(gone.id.as_deref(), Some(attached.id.as_str()));
}

#[test]
fn an_extra_counts_against_the_limit_and_a_second_hub_waits_for_consent() {
    let (cloud, manifests) = applied();
    for name in ["instance/hub", "network-interface/hub", "alarm/hub-cpu"] {
        double(&cloud, &format!("geo/{name}"));
    }
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), ["Delete geo/alarm/hub-cpu", "Delete geo/network-interface/hub"]);
    assert_eq!(blocked(&plan), ["geo/instance/hub"]);
    let mut context = context();
    context.policy.deletes_per_plan = 1;
    let (_, plan) = look(&cloud, &manifests, &site(), &context);
    assert!(plan.is_empty());
    assert!(blocked(&plan).contains(&"geo".to_string()));
}

#[test]
fn an_extra_of_a_cluster_nobody_declares_stays_with_the_rest() {
    let (cloud, _) = applied();
    double(&cloud, "geo/vpc/main");
    double(&cloud, "geo/alarm/hub-cpu");
    let (_, plan) = look(&cloud, &manifests(&[("bio", BIO)]), &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    let mut nothing = context();
    nothing.policy.declares_nothing = true;
    let (_, plan) = look(&cloud, &manifests(&[]), &site(), &nothing);
    assert_eq!(summary(&plan), Vec::<String>::new());
}

#[test]
fn an_extra_that_somebody_protected_stays() {
    let (cloud, manifests) = applied();
    double_but(&cloud, "geo/alarm/hub-cpu", |second| {
        second.tags.insert(TAG_PROTECT.into(), "true".into());
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert_eq!(blocked(&plan), ["geo/alarm/hub-cpu"]);
}
