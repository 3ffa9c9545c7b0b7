//! Planning, on a cloud in memory: what is made, left alone, refused.

mod access;
mod hub;
mod nodes;
mod properties;
mod rollouts;
mod workers;

use std::collections::BTreeSet;

use lyceum_core::address::{Address, refs_in_value};
use lyceum_core::cloud::{Class, Cloud};
use lyceum_core::desired::{Agent, Inputs, desired, scope};
use lyceum_core::kind::{Body, InternetGateway, Rule, facts};
use lyceum_core::manifest::repository::{Consent, Deed};
use lyceum_core::manifest::{Manifests, load};
use lyceum_core::observed::{Gap, Object, ObservedState};
use lyceum_core::plan::{Action, Plan, PlanContext, Policy, Reason, plan};
use lyceum_core::site::{TAG_OWNER, TAG_PROTECT, TAG_SOURCE};
use lyceum_testkit::{FakeCloud, Fault, When, carry_out, example, look, manifests, settle, site};

const GEO: &str = "  network: {cidr: 10.20.0.0/16}\n  domain: notebooks.example.edu";
const BIO: &str = "  network: {cidr: 10.21.0.0/16}\n  workers: {min: 2}";

fn context() -> PlanContext {
    let policy = Policy { deletes_per_plan: 20, ..Policy::default() };
    PlanContext { policy, ..PlanContext::default() }
}

fn applied() -> (FakeCloud, Manifests) {
    let manifests = manifests(&[("geo", GEO), ("bio", BIO)]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    (cloud, manifests)
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn object(cloud: &FakeCloud, text: &str) -> Object {
    let address = address(text);
    cloud.objects().into_values().find(|object| object.address == address).unwrap()
}

fn consent(cloud: &FakeCloud, text: &str) -> Consent {
    let id = object(cloud, text).id;
    Consent { address: text.into(), id, to: Deed::Any, reason: "test".into() }
}

fn summary(plan: &Plan) -> Vec<String> {
    plan.changes().map(|change| format!("{:?} {}", change.action, change.address)).collect()
}

fn blocked(plan: &Plan) -> Vec<String> {
    plan.scopes.values().flat_map(|s| &s.blocked).map(|b| b.address.clone()).collect()
}

#[test]
fn one_pass_makes_everything_and_the_next_has_nothing_to_do() {
    let (cloud, manifests) = applied();
    let kinds: BTreeSet<String> =
        cloud.objects().values().map(|object| object.address.kind().to_string()).collect();
    // Workers are made by their group, reports by nodes.
    let all: BTreeSet<String> = lyceum_core::kind::KINDS
        .iter()
        .map(|facts| facts.name.to_string())
        .filter(|name| name != "worker" && name != "node-report")
        .collect();
    assert_eq!(kinds, all);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert_eq!(blocked(&plan), Vec::<String>::new());
}

#[test]
fn the_same_input_gives_the_same_plan() {
    let manifests = manifests(&[("geo", GEO), ("bio", BIO)]);
    let cloud = FakeCloud::new(&site());
    let (_, one) = look(&cloud, &manifests, &site(), &context());
    let (_, two) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(one, two);
    assert!(one.changes().all(|change| change.reason == Reason::New));
}

#[test]
fn dying_at_any_call_leaves_nothing_doubled_or_lost() {
    let manifests = manifests(&[("geo", GEO)]);
    let whole = FakeCloud::new(&site());
    settle(&whole, &manifests, &site(), &context(), 1);
    let addresses = |cloud: &FakeCloud| -> Vec<String> {
        let mut all: Vec<_> =
            cloud.objects().values().map(|object| object.address.to_string()).collect();
        all.sort();
        all
    };
    for call in 0..whole.log().len() {
        for when in [When::Before, When::After] {
            let cloud = FakeCloud::new(&site());
            cloud.fail([Fault { call, when, class: Class::Ambiguous }]);
            settle(&cloud, &manifests, &site(), &context(), 4);
            assert_eq!(addresses(&cloud), addresses(&whole), "call {call}, {when:?}");
        }
    }
}

#[test]
fn a_label_that_is_taken_out_is_taken_off_and_anothers_tag_is_not() {
    let with = |labels: &str| {
        let mut files = example(&[("geo", GEO)]);
        let file = files.files.get_mut("clusters/geo/cluster.yaml").unwrap();
        let text =
            String::from_utf8_lossy(file).replace("name: geo\n", &format!("name: geo\n{labels}"));
        *file = text.into_bytes();
        load(&files).unwrap()
    };
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &with("  labels: {term: fall, a: b}\n"), &site(), &context(), 1);
    let vpc = address("geo/vpc/main");
    cloud.tamper(&vpc, |object| drop(object.tags.insert("team".into(), "geo".into())));
    let fewer = with("  labels: {a: b}\n");
    let (_, plan) = look(&cloud, &fewer, &site(), &context());
    let change = plan.changes().find(|change| change.address == vpc).unwrap();
    let paths: Vec<_> =
        change.attributes.iter().map(|one| (one.path.as_str(), &one.after)).collect();
    assert_eq!(paths, [("tags[lyceum:label:term]", &serde_json::Value::Null)]);
    settle(&cloud, &fewer, &site(), &context(), 1);
    let tags = object(&cloud, "geo/vpc/main").tags;
    let labels: Vec<_> =
        tags.keys().map(String::as_str).filter(|key| key.contains("label")).collect();
    assert_eq!((labels, tags["team"].as_str()), (vec!["lyceum:label:a"], "geo"));
}

#[test]
fn tags_that_are_only_reported_are_not_written_along_with_something_else() {
    let reports = |spec: &str| manifests(&[("geo", &format!("{GEO}\n  drift: report{spec}"))]);
    let (cloud, before) = (FakeCloud::new(&site()), reports(""));
    settle(&cloud, &before, &site(), &context(), 1);
    let mut known = context();
    let was = desired(&before, &site(), &Inputs::default()).resources;
    known.applied.insert("geo".into(), was);
    cloud.tamper(&address("geo/scaling-group/workers"), |object| {
        object.tags.insert("Name".into(), "somebody's".into());
    });
    let changed = reports("\n  workers: {max: 7}");
    let (observed, plan) = look(&cloud, &changed, &site(), &known);
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
    assert!(carry_out(&cloud, &observed, &plan).is_empty());
    assert_eq!(object(&cloud, "geo/scaling-group/workers").tags["Name"], "somebody's");
}

#[test]
fn a_name_that_somebody_else_has_given_away_blocks_the_record_alone() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let record = object(&cloud, "geo/record/hub");
    cloud.lose(&record.address);
    let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
    let state = desired(&manifests, &site(), &Inputs::new(&manifests, None, &observed));
    let mut taken_by = |leads: &str| {
        let leads = [leads.to_string()].into();
        observed.surroundings.taken_names = [("notebooks.example.edu".to_string(), leads)].into();
        plan(&state, &observed, &context())
    };
    let theirs = taken_by("203.0.113.9");
    assert_eq!((summary(&theirs), blocked(&theirs)), (vec![], vec!["geo/record/hub".to_string()]));
    let cause = &theirs.scopes["geo"].blocked[0].cause;
    assert!(cause.contains("notebooks.example.edu leads to 203.0.113.9"), "{cause}");
    // Ours, that has lost its marker, leads to us.
    assert_eq!(summary(&taken_by("192.0.2.1")), ["Create geo/record/hub"]);

    // A domain is not given up for one that is taken.
    cloud.put(record);
    let other = lyceum_testkit::manifests(&[("geo", &GEO.replace("notebooks", "hub"))]);
    let (mut observed, plan_of_free) = look(&cloud, &other, &site(), &context());
    assert_eq!(summary(&plan_of_free), ["Replace geo/record/hub"]);
    let theirs = ["203.0.113.9".to_string()].into();
    observed.surroundings.taken_names = [("hub.example.edu".to_string(), theirs)].into();
    let state = desired(&other, &site(), &Inputs::new(&other, None, &observed));
    let plan = plan(&state, &observed, &context());
    assert!(
        !summary(&plan).contains(&"Replace geo/record/hub".to_string()),
        "{:?}",
        summary(&plan)
    );
    assert_eq!(blocked(&plan), ["geo/record/hub"]);
}

#[test]
fn what_is_missing_in_aws_blocks_only_itself() {
    let manifests = manifests(&[("geo", &GEO.replace("example.edu", "elsewhere.org"))]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(blocked(&plan), ["geo/record/hub"]);
}

#[test]
fn every_owned_attribute_that_drifts_is_put_back_and_no_other() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let objects = cloud.objects();
    let mut seen = 0;
    for original in objects.values() {
        let attributes = original.body.attributes();
        for (name, _) in facts(original.address.kind()).attributes {
            let Some(value) = attributes.get(*name).and_then(changed) else { continue };
            let mut drifted = attributes.clone();
            drifted[*name] = value;
            let body = Body::from_attributes(original.address.kind(), drifted).unwrap();
            cloud.tamper(&original.address, |object| object.body = body);
            let (_, plan) = look(&cloud, &manifests, &site(), &context());
            let of_it: Vec<_> =
                plan.changes().filter(|change| change.address == original.address).collect();
            for change in &of_it {
                assert!(change.attributes.iter().all(|a| a.path.starts_with(name)), "{name}");
            }
            let (observed, plan) = look(&cloud, &manifests, &site(), &context());
            if !of_it.is_empty() && of_it[0].action == Action::Update {
                carry_out(&cloud, &observed, &plan);
                assert_eq!(object(&cloud, &original.address.to_string()).body, original.body);
                seen += 1;
            }
            cloud.tamper(&original.address, |object| *object = original.clone());
            // A template's version moves on with each repair.
            settle(&cloud, &manifests, &site(), &context(), 2);
        }
    }
    assert!(seen > 80, "only {seen} attributes were looked at");
}

fn changed(value: &serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value;
    Some(match value {
        Value::Bool(on) => Value::Bool(!on),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            (number.as_i64()? + 1).into()
        }
        Value::Number(number) => (number.as_f64()? + 1.0).into(),
        Value::String(text) => format!("{text}x").into(),
        Value::Array(items) if !items.is_empty() => Value::Array(items[1..].to_vec()),
        Value::Object(map) if !map.is_empty() => {
            Value::Object(map.iter().skip(1).map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        _ => return None,
    })
}

#[test]
fn drift_is_told_from_a_change_of_the_manifest_and_may_be_only_reported() {
    let text = |min: u32| format!("  drift: report\n  workers: {{min: {min}, max: 9}}");
    let (before, after) = (manifests(&[("geo", &text(1))]), manifests(&[("geo", &text(3))]));
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &before, &site(), &context(), 1);
    let was = desired(&before, &site(), &Inputs::default());
    let mut context = context();
    context.applied.insert("geo".into(), was.resources);
    cloud.tamper(&address("geo/scaling-group/workers"), |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.max = 50;
        }
    });
    let (observed, plan) = look(&cloud, &after, &site(), &context);
    let reasons: Vec<_> = plan
        .changes()
        .flat_map(|change| &change.attributes)
        .map(|a| (a.path.as_str(), a.reason.clone()))
        .collect();
    assert_eq!(reasons, [("min", Reason::Changed)]);
    let reported = &plan.scopes["geo"].reported;
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].attributes[0].path, "max");
    carry_out(&cloud, &observed, &plan);
    let Body::ScalingGroup(group) = object(&cloud, "geo/scaling-group/workers").body else {
        panic!("a group")
    };
    assert_eq!((group.min, group.max), (3, 50));
}

#[test]
fn foreign_tags_are_left_alone_and_our_own_put_back() {
    let (cloud, manifests) = applied();
    let vpc = address("geo/vpc/main");
    cloud.tamper(&vpc, |object| {
        object.tags.insert("theirs".into(), "x".into());
        object.tags.remove("Name");
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    let paths: Vec<_> =
        plan.changes().flat_map(|c| &c.attributes).map(|a| a.path.clone()).collect();
    assert_eq!(paths, ["tags.Name"]);
    settle(&cloud, &manifests, &site(), &context(), 1);
    assert_eq!(object(&cloud, "geo/vpc/main").tags["theirs"], "x");
}

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
fn what_somebody_else_guards_an_interface_with_holds_up_nothing() {
    let (cloud, manifests) = applied();
    cloud.tamper(&address("geo/network-interface/hub"), |object| {
        if let Body::NetworkInterface(it) = &mut object.body {
            it.security_groups.insert("sg-theirs".into());
        }
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), ["Update geo/network-interface/hub"]);
    assert!(plan.scopes["geo"].gaps.is_empty());
}

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
fn a_suspended_cluster_is_left_exactly_as_it_is() {
    let (cloud, _) = applied();
    cloud.lose(&address("geo/alarm/hub-cpu"));
    let still = manifests(&[("geo", &format!("{GEO}\n  suspend: true")), ("bio", BIO)]);
    let (_, plan) = look(&cloud, &still, &site(), &context());
    assert!(plan.is_empty());
    assert!(plan.scopes["geo"].suspended);
}

#[test]
fn examples_load() {
    assert!(load(&example(&[("geo", GEO)])).is_ok());
}

#[test]
fn every_reference_to_an_id_is_known_as_one() {
    let state = desired(&manifests(&[("geo", GEO)]), &site(), &Inputs::default());
    for resource in state.resources.values() {
        let kind = facts(resource.address.kind());
        let attributes = resource.body.attributes();
        for (name, rule) in kind.attributes {
            let refs = refs_in_value(attributes.get(*name).unwrap_or(&serde_json::Value::Null));
            // A policy's text or a value that is handed on holds nothing back;
            // nor does what an object was made from.
            let of_ids = refs.iter().filter(|one| {
                one.output == "id"
                    && *rule != Rule::Initial
                    && !one.address.scope().starts_with('@')
                    && resource.address.kind() != "parameter"
            });
            for one in of_ids {
                let pair = (*name, one.address.kind());
                assert!(kind.refers.contains(&pair), "{}: {pair:?}", kind.name);
            }
        }
    }
}

#[test]
fn a_whole_region_is_made_and_removed_beside_another() {
    let west = format!("  region: us-west-2\n{BIO}");
    let manifests = manifests(&[("geo", GEO), ("bio", &west)]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    let mut context = context();
    context.policy.destroy = BTreeSet::from(["bio".into()]);
    settle(&cloud, &manifests, &site(), &context, 3);
    let left: BTreeSet<String> = cloud
        .objects()
        .into_values()
        .filter(|object| object.address.scope() == "bio")
        .map(|object| object.address.kind().to_string())
        .collect();
    assert!(!left.contains("scaling-group") && !left.contains("role"), "{left:?}");
}

#[test]
fn a_cluster_whose_region_changes_is_not_touched_at_all() {
    let (cloud, _) = applied();
    let moved = manifests(&[("geo", &format!("  region: us-west-2\n{GEO}")), ("bio", BIO)]);
    let (_, plan) = look(&cloud, &moved, &site(), &context());
    assert!(plan.changes().all(|change| change.address.scope() == "@us-west-2"));
    assert_eq!(blocked(&plan), ["geo"]);
}

fn unread(kind: &str) -> Gap {
    let (region, cause) = ("us-east-1".into(), "denied".into());
    Gap { region, kind: kind.into(), scope: String::new(), cause }
}

fn agent(letter: &str) -> Agent {
    Agent { digest: letter.repeat(64), size: 5, etag: letter.repeat(32) }
}

/// One pass of a reconciler that carries `agent`.
fn pass(cloud: &FakeCloud, manifests: &Manifests, agent: Option<&Agent>) -> Plan {
    let (observed, _) = look(cloud, manifests, &site(), &context());
    let state = desired(manifests, &site(), &Inputs::new(manifests, agent, &observed));
    let plan = plan(&state, &observed, &context());
    assert!(carry_out(cloud, &observed, &plan).is_empty());
    plan
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
fn a_new_agent_is_there_before_any_node_starts_with_it_and_the_old_until_none_does() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    pass(&cloud, &manifests, Some(&agent("a")));
    assert!(pass(&cloud, &manifests, Some(&agent("a"))).is_empty());
    let before = cloud.log().len();
    let plan = pass(&cloud, &manifests, Some(&agent("b")));
    assert!(plan.changes().all(|change| change.action != Action::Delete), "{:?}", summary(&plan));
    let log = cloud.log().split_off(before);
    let place = |name: &str| log.iter().position(|call| call == name).unwrap();
    let upload = place("create geo/object/agent-bbbbbbbbbbbb");
    assert!(upload < place("update geo/launch-template/hub"));
    assert!(upload < place("update geo/launch-template/workers"));
    // Whoever carries no agent goes on with the one nodes start with.
    assert_eq!(summary(&pass(&cloud, &manifests, None)), ["Delete geo/object/agent-aaaaaaaaaaaa"]);
    assert!(pass(&cloud, &manifests, Some(&agent("b"))).is_empty());
}

#[test]
fn an_old_agent_stays_while_the_group_launches_from_an_older_version() {
    let manifests = manifests(&[("geo", GEO)]);
    let cloud = FakeCloud::new(&site());
    pass(&cloud, &manifests, Some(&agent("a")));
    pass(&cloud, &manifests, Some(&agent("b")));
    cloud.tamper(&address("geo/scaling-group/workers"), |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.template_version = "1".into();
        }
    });
    let plan = pass(&cloud, &manifests, Some(&agent("b")));
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
    let plan = pass(&cloud, &manifests, Some(&agent("b")));
    assert_eq!(summary(&plan), ["Delete geo/object/agent-aaaaaaaaaaaa"]);
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
fn a_newer_image_is_told_of_and_changes_nothing() {
    let (cloud, manifests) = applied();
    let (mut observed, plan_before) = look(&cloud, &manifests, &site(), &context());
    assert!(plan_before.scopes["geo"].notices.is_empty());
    let images = observed.surroundings.images.get_mut("us-east-1").unwrap();
    for image in images.values_mut() {
        image.id = "ami-newer".into();
        image.name = "debian-12-amd64-20270101".into();
    }
    let state = desired(&manifests, &site(), &Inputs::new(&manifests, None, &observed));
    let plan = plan(&state, &observed, &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    for cluster in ["geo", "bio"] {
        let told = |group: &str| {
            format!(
                "{cluster}/launch-template/{group} uses ami-debian-12; ami-newer \
                 (debian-12-amd64-20270101) is newer: set spec.image to take it"
            )
        };
        assert_eq!(plan.scopes[cluster].notices, [told("hub"), told("workers")]);
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
fn with_an_applied_revision_nobody_can_read_a_difference_is_only_reported() {
    let manifests = manifests(&[("geo", "  drift: report")]);
    let cloud = FakeCloud::new(&site());
    settle(&cloud, &manifests, &site(), &context(), 1);
    cloud.tamper(&address("geo/scaling-group/workers"), |object| {
        if let Body::ScalingGroup(group) = &mut object.body {
            group.max = 50;
        }
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), ["Update geo/scaling-group/workers"]);
    cloud.tamper(&address("geo/parameter/applied"), |object| {
        if let Body::Parameter(applied) = &mut object.body {
            applied.value = "0123456789".repeat(4);
        }
    });
    let (_, plan) = look(&cloud, &manifests, &site(), &context());
    assert_eq!(summary(&plan), Vec::<String>::new());
    assert_eq!(plan.scopes["geo"].reported[0].reason, Reason::Differs);
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

#[test]
fn what_a_node_runs_leaves_room_for_the_administrators_keys() {
    let longest = "a".repeat(24);
    let manifests = manifests(&[(&longest, "  network: {cidr: 10.20.0.0/16}")]);
    let agents = std::collections::BTreeMap::from([(longest.clone(), agent("a"))]);
    let state = desired(&manifests, &site(), &Inputs { agents, ..Inputs::default() });
    let template = &state.resources[&address(&format!("{longest}/launch-template/workers"))];
    let Body::LaunchTemplate(template) = &template.body else { panic!("a template") };
    assert!(template.user_data.contains("/object/agent-"));
    let (limit, keys) = (16 * 1024, 8 * 1024);
    assert!(template.user_data.len() < limit - keys - 1024, "{}", template.user_data.len());
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
