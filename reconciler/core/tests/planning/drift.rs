//! What differs from the manifest: put back, reported, or not ours to see.

use super::*;

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
