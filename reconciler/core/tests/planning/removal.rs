//! What goes, and what waits for a consent.

use super::*;

#[test]
fn a_cluster_that_is_gone_from_the_repository_stays_until_somebody_consents() {
    let (cloud, _) = applied();
    let rest = manifests(&[("bio", BIO)]);
    let (_, plan) = look(&cloud, &rest, &site(), &context());
    assert!(plan.is_empty());
    assert_eq!(blocked(&plan), ["geo"]);

    let mut context = context();
    let vpc = object(&cloud, "geo/vpc/main").id;
    let whole =
        Consent { address: "geo".into(), id: vpc, to: Deed::Any, reason: "term is over".into() };
    context.policy.consents.push(whole);
    settle(&cloud, &rest, &site(), &context, 3);
    let left = |cloud: &FakeCloud| -> BTreeSet<String> {
        let ours = cloud.objects().into_values().map(|object| object.address);
        ours.filter(|address| address.scope() == "geo").map(|a| a.kind().to_string()).collect()
    };
    let kept = [
        "elastic-ip",
        "file-system",
        "internet-gateway",
        "network-interface",
        "security-group",
        "subnet",
        "volume",
        "vpc",
    ];
    assert_eq!(left(&cloud), BTreeSet::from(kept.map(String::from)));

    for name in ["elastic-ip/hub", "file-system/main", "network-interface/hub", "volume/hub"] {
        context.policy.consents.push(consent(&cloud, &format!("geo/{name}")));
    }
    settle(&cloud, &rest, &site(), &context, 3);
    assert_eq!(left(&cloud), BTreeSet::new());
    assert!(cloud.objects().values().any(|object| object.address.scope() == "bio"));
}

#[test]
fn a_consent_is_good_for_the_present_object_only() {
    let (cloud, _) = applied();
    let rest = manifests(&[("bio", BIO)]);
    let mut context = context();
    let stale = Consent {
        address: "geo".into(),
        id: "vpc-0000".into(),
        to: Deed::Any,
        reason: "old".into(),
    };
    context.policy.consents.push(stale);
    let (_, plan) = look(&cloud, &rest, &site(), &context);
    assert!(plan.is_empty());
}

#[test]
fn an_empty_repository_deletes_nothing_even_with_consent() {
    let (cloud, _) = applied();
    let mut context = context();
    let vpc = object(&cloud, "geo/vpc/main").id;
    context.policy.consents.push(Consent {
        address: "geo".into(),
        id: vpc,
        to: Deed::Any,
        reason: "x".into(),
    });
    context.policy.declares_nothing = true;
    let (_, plan) = look(&cloud, &manifests(&[]), &site(), &context);
    assert!(plan.is_empty());
    assert!(blocked(&plan).contains(&"geo".to_string()));
}

#[test]
fn a_plan_over_its_limit_is_blocked_whole() {
    let shared: Vec<String> = (0..5).map(|n| format!("{{name: d{n}, path: /srv/d{n}}}")).collect();
    let with = format!("  storage: {{shared: [{}]}}", shared.join(", "));
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests(&[("geo", &with)]), &site(), &context(), 1);
    let without = manifests(&[("geo", "  workers: {max: 3}")]);
    let mut context = context();
    context.policy.deletes_per_plan = 4;
    let (_, plan) = look(&cloud, &without, &site(), &context);
    assert!(plan.is_empty());
    assert_eq!(blocked(&plan), ["geo"]);
    context.policy.deletes_per_plan = 5;
    settle(&cloud, &without, &site(), &context, 1);
}

#[test]
fn what_would_replace_data_is_blocked_and_the_rest_goes_on() {
    let (cloud, _) = applied();
    let text = "  network: {cidr: 10.99.0.0/16}\n  workers: {max: 7}\n  hub: {dataVolumeGiB: 5}";
    let other = manifests(&[("geo", text), ("bio", BIO)]);
    let (observed, plan) = look(&cloud, &other, &site(), &context());
    assert!(blocked(&plan).contains(&"geo/vpc/main".to_string()), "{:?}", blocked(&plan));
    assert!(blocked(&plan).contains(&"geo/volume/hub".to_string()));
    assert!(plan.changes().all(|change| change.action != Action::Replace), "{:?}", summary(&plan));
    carry_out(&cloud, &observed, &plan);
    let Body::ScalingGroup(group) = object(&cloud, "geo/scaling-group/workers").body else {
        panic!("a group")
    };
    assert_eq!(group.max, 7);
}

#[test]
fn a_file_system_that_is_not_encrypted_is_blocked_and_stays() {
    let (cloud, wanted) = applied();
    let before = object(&cloud, "geo/file-system/main").id;
    let plain = |object: &mut Object| {
        let Body::FileSystem(body) = &mut object.body else { panic!("a file system") };
        body.encrypted = false;
    };
    assert!(cloud.tamper(&address("geo/file-system/main"), plain));
    let (observed, plan) = look(&cloud, &wanted, &site(), &context());
    assert_eq!(blocked(&plan), ["geo/file-system/main"]);
    assert!(plan.is_empty(), "{:?}", summary(&plan));
    carry_out(&cloud, &observed, &plan);
    assert_eq!(object(&cloud, "geo/file-system/main").id, before);
}

#[test]
fn stopping_the_hub_waits_for_consent_and_a_lost_hub_is_made_again() {
    let (cloud, _) = applied();
    let bigger = format!("{GEO}\n  hub: {{instanceType: t3.large}}");
    let manifests = manifests(&[("geo", &bigger), ("bio", BIO)]);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(blocked(&plan), ["geo/instance/hub"]);
    let mut consented = context();
    consented.policy.consents.push(consent(&cloud, "geo/instance/hub"));
    settle(&cloud, &manifests, &site(), &consented, 2);
    let before = object(&cloud, "geo/network-interface/hub").id;

    cloud.lose(&address("geo/instance/hub"));
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert!(summary(&plan).contains(&"Create geo/instance/hub".to_string()));
    settle(&cloud, &manifests, &site(), &context(), 2);
    let Body::Instance(hub) = object(&cloud, "geo/instance/hub").body else { panic!("a hub") };
    assert_eq!(hub.interface, before);
    assert_eq!(hub.instance_type, "t3.large");
}

#[test]
fn a_consent_to_a_restart_allows_no_replacement_and_the_other_way_round() {
    let (cloud, _) = applied();
    let hub = |text: &str| manifests(&[("geo", &format!("{GEO}\n  hub: {text}")), ("bio", BIO)]);
    let blocked_with = |hub: &Manifests, to: Deed| {
        let mut context = context();
        context.policy.consents.push(Consent { to, ..consent(&cloud, "geo/instance/hub") });
        let (_, plan) = look(&cloud, hub, &site(), &context);
        let hint = plan.scopes["geo"].blocked.first().and_then(|blocked| blocked.hint());
        hint.unwrap_or_default()
    };
    let (restart, replace) = (hub("{instanceType: t3.large}"), hub("{volumeGiB: 8}"));
    for (change, allowed, refused, word) in [
        (&restart, Deed::Restart, Deed::Replace, "to: restart"),
        (&replace, Deed::Replace, Deed::Restart, "to: replace"),
    ] {
        assert_eq!(blocked_with(change, allowed), "");
        assert_eq!(blocked_with(change, Deed::Any), "");
        for deed in [refused, Deed::Delete] {
            let hint = blocked_with(change, deed);
            assert!(hint.contains(word), "{hint}");
        }
    }
}

#[test]
fn what_is_not_ours_is_never_deleted() {
    let (cloud, _) = applied();
    let mut foreign = object(&cloud, "geo/vpc/main");
    foreign.id = "vpc-foreign".into();
    foreign.tags.insert(TAG_SOURCE.into(), "another".into());
    cloud.put(foreign.clone());
    let mut stranger = foreign.clone();
    stranger.id = "vpc-stranger".into();
    stranger.tags.remove(TAG_OWNER);
    cloud.put(stranger);
    let mut context = context();
    context.policy.destroy = BTreeSet::from(["geo".into(), "bio".into()]);
    let rest = manifests(&[("bio", BIO)]);
    settle(&cloud, &rest, &site(), &context, 4);
    let left = cloud.objects();
    assert!(
        left.contains_key("us-east-1 vpc vpc-foreign")
            && left.contains_key("us-east-1 vpc vpc-stranger")
    );
}

#[test]
fn protection_on_the_object_counts_whatever_the_repository_says() {
    let (cloud, manifests) = applied();
    let point = address("geo/access-point/homes");
    cloud.tamper(&point, |object| {
        object.tags.insert(TAG_PROTECT.into(), "true".into());
        object.address = address("geo/access-point/old");
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), ["Create geo/access-point/homes", "Update geo/parameter/facts"]);
    assert_eq!(blocked(&plan), ["geo/access-point/old"]);
}

#[test]
fn a_removal_that_was_interrupted_is_finished_but_not_on_a_failed_look() {
    let (cloud, _) = applied();
    let rest = manifests(&[("bio", BIO)]);
    let of = |address: &str, id: &str| Consent {
        address: address.into(),
        id: id.into(),
        to: Deed::Any,
        reason: "test".into(),
    };
    let geo = object(&cloud, "geo/vpc/main").id;
    let bio = object(&cloud, "bio/vpc/main").id;
    let with = |consent: Consent| {
        let mut context = context();
        context.policy.consents.push(consent);
        context
    };
    let (mut observed, _) = look(&cloud, &rest, &site(), &context());
    // AWS removes a VPC after all that is in it.
    let within = ["vpc", "subnet", "route-table", "security-group"];
    let gone = |a: &Address| a.scope() == "geo" && within.contains(&a.kind());
    observed.objects.retain(|object| !gone(&object.address));
    let state = desired(&rest, &site(), &Inputs::default());
    assert!(!plan(&state, &observed, &with(of("geo", &geo))).is_empty());
    assert!(plan(&state, &observed, &with(of("geo", &bio))).is_empty());
    observed.gaps.push(unread("vpc"));
    assert!(plan(&state, &observed, &with(of("geo", "none"))).is_empty());
    assert!(plan(&state, &observed, &with(of("geo", &geo))).is_empty());
}

#[test]
fn what_is_left_with_consents_of_its_own_goes_without_the_clusters() {
    let (cloud, _) = applied();
    let rest = manifests(&[("bio", BIO)]);
    let keep = ["geo/volume/hub"];
    let lost: Vec<Address> = cloud
        .objects()
        .into_values()
        .map(|object| object.address)
        .filter(|a| a.scope() == "geo" && !keep.contains(&a.to_string().as_str()))
        .collect();
    lost.iter().for_each(|address| cloud.lose(address));
    let mut context = context();
    assert!(look(&cloud, &rest, &site(), &context).1.is_empty());
    context.policy.consents.push(consent(&cloud, "geo/volume/hub"));
    let (_, plan) = look(&cloud, &rest, &site(), &context);
    assert_eq!(summary(&plan), ["Delete geo/volume/hub"]);
}

#[test]
fn a_hint_is_a_line_of_yaml() {
    let (cloud, _) = applied();
    let (_, plan) = look(&cloud, &manifests(&[("bio", BIO)]), &site(), &context());
    let hint = plan.scopes["geo"].blocked[0].hint().unwrap();
    let id = object(&cloud, "geo/vpc/main").id;
    let line = format!("{{address: \"geo\", id: \"{id}\", to: delete, reason: \"…\"}}");
    assert_eq!(hint, format!("to consent, add to consents.yaml: {line}"));
}
