//! Several objects of one address.

use lyceum_core::kind::{ElasticIp, InternetGateway};

use super::*;

#[test]
fn of_two_objects_of_one_address_the_oldest_stays_unless_the_extra_holds_data() {
    let (cloud, manifests) = applied();
    let double = |text: &str| {
        let first = object(&cloud, text);
        let mut second = first.clone();
        second.id = format!("{}-second", first.id);
        second.tags.insert("lyceum:created".into(), "2027".into());
        cloud.put(second);
        first.id
    };
    let vpc = double("geo/vpc/main");
    double("geo/file-system/main");
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), ["Delete geo/vpc/main"]);
    assert_eq!(blocked(&plan), ["geo/file-system/main"]);
    settle(&cloud, &manifests, &site(), &context(), 1);
    assert_eq!(object(&cloud, "geo/vpc/main").id, vpc);
}

/// A run died after it had made a gateway; the next did not see it yet, made another,
/// attached it, and got no further.
#[test]
fn of_two_gateways_the_attached_one_stays_though_nothing_uses_it_yet() {
    let (cloud, manifests) = applied();
    cloud.lose(&address("geo/route-table/public"));
    let attached = object(&cloud, "geo/internet-gateway/main");
    let mut loose = attached.clone();
    loose.id = "igw-first".into();
    loose.tags.insert("lyceum:created".into(), "2000".into());
    loose.body = InternetGateway::default().into();
    cloud.put(loose);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    let changes = ["Delete geo/internet-gateway/main", "Create geo/route-table/public"];
    assert_eq!(summary(&plan), changes);
    settle(&cloud, &manifests, &site(), &context(), 1);
    assert_eq!(object(&cloud, "geo/internet-gateway/main").id, attached.id);
}

#[test]
fn of_two_addresses_the_oldest_stays_since_people_know_it() {
    let (cloud, manifests) = applied();
    let attached = object(&cloud, "geo/elastic-ip/hub");
    let mut loose = attached.clone();
    loose.id = "eipalloc-first".into();
    loose.tags.insert("lyceum:created".into(), "2000".into());
    loose.body = ElasticIp::default().into();
    cloud.put(loose);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    let gone = plan.changes().find(|change| change.action == Action::Delete).unwrap();
    assert_eq!(gone.id.as_deref(), Some(attached.id.as_str()));
}

fn double(cloud: &FakeCloud, text: &str) {
    let mut second = object(cloud, text);
    second.id = format!("{}-second", second.id);
    second.tags.insert("lyceum:created".into(), "2027".into());
    cloud.put(second);
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
    let mut second = object(&cloud, "geo/alarm/hub-cpu");
    second.id = "protected-second".into();
    second.tags.insert("lyceum:created".into(), "2027".into());
    second.tags.insert(TAG_PROTECT.into(), "true".into());
    cloud.put(second);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert_eq!(blocked(&plan), ["geo/alarm/hub-cpu"]);
}
