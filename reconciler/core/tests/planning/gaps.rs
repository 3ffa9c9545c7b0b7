//! What could not be read is neither made, changed nor deleted.

use super::*;

#[test]
fn nothing_in_a_gap_is_touched() {
    let (cloud, manifests) = applied();
    cloud.lose(&address("geo/access-point/homes"));
    let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
    observed.gaps.push(Gap {
        region: "us-east-1".into(),
        kind: "access-point".into(),
        scope: String::new(),
        cause: "denied".into(),
    });
    let state = desired(&manifests, &site(), &Inputs::default());
    let plan = plan(&state, &observed, &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert_eq!(plan.scopes["geo"].gaps.len(), 1);
}

#[test]
fn what_has_lost_its_owner_is_neither_made_again_nor_taken_from_what_is_in_it() {
    // Were its range forgotten with the VPC, every subnet would be another one.
    let other = format!("{GEO}\n  workers: {{max: 7}}").replace("10.20", "10.99");
    for (lost, may_go_on) in [
        ("geo/vpc/main", false),
        ("geo/file-system/main", true),
        ("geo/volume/hub", true),
        ("geo/network-interface/hub", true),
        ("geo/subnet/a", true),
    ] {
        let (cloud, manifests) = applied();
        let before = object(&cloud, lost);
        cloud.tamper(&before.address, |object| drop(object.tags.remove(TAG_OWNER)));
        let (_, plan) = look(&cloud, &manifests, &site(), &context());
        assert_eq!(summary(&plan), Vec::<String>::new(), "{lost}");
        assert_eq!(blocked(&plan), Vec::<String>::new(), "{lost}");
        assert!(plan.scopes["bio"].gaps.is_empty(), "{lost}");
        let [gap] = &plan.scopes["geo"].gaps[..] else { panic!("{lost}: {:?}", plan.scopes) };
        assert_eq!((gap.kind.as_str(), gap.scope.as_str()), (before.address.kind(), "geo"));
        assert!(gap.cause.contains(&before.id) && gap.cause.contains(TAG_OWNER), "{}", gap.cause);

        // Another manifest changes none of it either, and what is beside it may go on.
        let changed = lyceum_testkit::manifests(&[("geo", &other), ("bio", BIO)]);
        let (_, plan) = look(&cloud, &changed, &site(), &context());
        let wanted = match may_go_on {
            true => vec!["Update geo/scaling-group/workers".to_string()],
            false => Vec::new(),
        };
        assert_eq!(summary(&plan), wanted, "{lost}");

        // A consent to the whole cluster names what cannot be seen.
        let rest = lyceum_testkit::manifests(&[("bio", BIO)]);
        let mut consented = context();
        let (address, reason) = ("geo".to_string(), "term is over".to_string());
        let id = match lost {
            "geo/vpc/main" => "none".to_string(),
            _ => object(&cloud, "geo/vpc/main").id,
        };
        consented.policy.consents.push(Consent { address, id, to: Deed::Any, reason });
        let (_, plan) = look(&cloud, &rest, &site(), &consented);
        assert_eq!(plan.is_empty(), !may_go_on, "{lost}");
        assert!(plan.changes().all(|change| change.address != before.address), "{lost}");

        // With its tag it is as if nothing had been.
        cloud.tamper(&before.address, |object| *object = before.clone());
        assert!(look(&cloud, &manifests, &site(), &context()).1.is_empty(), "{lost}");
    }
}

#[test]
fn a_cluster_whose_agent_or_range_could_not_be_read_is_not_touched() {
    let manifests = manifests(&[("geo", GEO)]);
    let other = lyceum_testkit::manifests(&[("geo", "  network: {cidr: 10.99.0.0/16}")]);
    for kind in ["object", "vpc"] {
        let cloud = FakeCloud::new(&site());
        pass(&cloud, &manifests, Some(&agent("a")));
        let (mut observed, _) = look(&cloud, &other, &site(), &context());
        observed.objects.retain(|object| object.address.kind() != kind);
        observed.gaps.push(unread(kind));
        let state = desired(&other, &site(), &Inputs::new(&other, None, &observed));
        let plan = plan(&state, &observed, &context());
        assert_eq!(summary(&plan), Vec::<String>::new(), "{kind}");
        assert_eq!(plan.scopes["geo"].gaps, [unread(kind)]);
    }
}

#[test]
fn images_and_zones_that_could_not_be_read_are_gaps_not_absent() {
    let manifests = manifests(&[("geo", GEO)]);
    for (kind, waits) in [("image", "geo/launch-template/hub"), ("zone", "geo/subnet/a")] {
        let cloud = FakeCloud::new(&site());
        let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
        observed.surroundings.images.clear();
        observed.surroundings.zones.clear();
        observed.gaps = vec![unread("image"), unread("zone")];
        observed.gaps.retain(|gap| gap.kind == kind);
        let (full, _) = look(&cloud, &manifests, &site(), &context());
        match kind {
            "image" => observed.surroundings.zones = full.surroundings.zones,
            _ => observed.surroundings.images = full.surroundings.images,
        }
        let state = desired(&manifests, &site(), &Inputs::default());
        let plan = plan(&state, &observed, &context());
        assert_eq!(blocked(&plan), Vec::<String>::new(), "{kind}");
        assert_eq!(plan.scopes["geo"].gaps, [unread(kind)]);
        assert!(plan.changes().all(|change| change.address.to_string() != waits));
    }
}

#[test]
fn another_system_waits_until_its_image_is_known() {
    let (cloud, _) = applied();
    let other = manifests(&[("geo", &format!("{GEO}\n  os: ubuntu-24.04")), ("bio", BIO)]);
    let (mut observed, _) = look(&cloud, &other, &site(), &context());
    observed.surroundings.images.clear();
    let state = desired(&other, &site(), &Inputs::default());
    let templates = |plan: &Plan| {
        let kind = |change: &&lyceum_core::plan::Change| change.kind == "launch-template";
        let paths = |change: &lyceum_core::plan::Change| -> Vec<String> {
            change.attributes.iter().map(|attribute| attribute.path.clone()).collect()
        };
        plan.changes().filter(kind).flat_map(paths).any(|path| path == "os")
    };
    assert!(!templates(&plan(&state, &observed, &context())));
    observed.gaps.push(unread("image"));
    assert!(!templates(&plan(&state, &observed, &context())));
    let (_, plan) = look(&cloud, &other, &site(), &context());
    assert!(templates(&plan));
}

#[test]
fn a_system_that_is_not_known_to_be_another_changes_neither_image_nor_machine() {
    let (cloud, manifests) = applied();
    cloud.tamper(&address("geo/instance/hub"), |object| {
        object.tags.remove("lyceum:os");
        if let Body::Instance(hub) = &mut object.body {
            (hub.os, hub.image) = (String::new(), "ami-old".into());
        }
    });
    cloud.tamper(&address("geo/launch-template/workers"), |object| {
        if let Body::LaunchTemplate(template) = &mut object.body {
            (template.os, template.image) = (String::new(), "ami-old".into());
        }
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(blocked(&plan), Vec::<String>::new());
    let paths: Vec<_> = plan
        .changes()
        .flat_map(|c| c.attributes.iter().map(move |a| format!("{} {}", c.address, a.path)))
        .collect();
    let expected = [
        "geo/instance/hub tags[lyceum:os]",
        "geo/launch-template/workers os",
        "geo/scaling-group/workers template_version",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn what_something_unread_may_refer_to_is_not_deleted() {
    let (cloud, manifests) = applied();
    cloud.tamper(&address("geo/subnet/b"), |object| object.address = address("geo/subnet/z"));
    let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
    let state = desired(&manifests, &site(), &Inputs::default());
    let deletes = |plan: &Plan| -> Vec<String> {
        let gone = plan.changes().filter(|change| change.action == Action::Delete);
        gone.map(|change| change.address.to_string()).collect()
    };
    assert_eq!(deletes(&plan(&state, &observed, &context())), ["geo/subnet/z"]);
    observed.gaps.push(unread("route-table"));
    let plan = plan(&state, &observed, &context());
    assert_eq!(deletes(&plan), Vec::<String>::new());
    assert!(plan.scopes["geo"].gaps.contains(&unread("route-table")));
}

#[test]
fn an_old_agent_stays_while_templates_could_not_be_read() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    pass(&cloud, &manifests, Some(&agent("a")));
    pass(&cloud, &manifests, Some(&agent("b")));
    let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
    let state = desired(&manifests, &site(), &Inputs::new(&manifests, None, &observed));
    let old = ["Delete geo/object/agent-aaaaaaaaaaaa"];
    assert_eq!(summary(&plan(&state, &observed, &context())), old);
    observed.objects.retain(|object| object.address.kind() != "launch-template");
    observed.gaps.push(unread("launch-template"));
    assert_eq!(summary(&plan(&state, &observed, &context())), Vec::<String>::new());
}
