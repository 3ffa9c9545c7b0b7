//! The hub's machine, its image and its disk: what waits, and for how long.

use lyceum_core::observed::Image;

use super::*;

/// What waits and what is done, after this many passes.
fn passes(cloud: &FakeCloud, manifests: &Manifests, passes: usize) -> (Vec<String>, Vec<String>) {
    for _ in 0..passes {
        let (observed, plan) = look(cloud, manifests, &site(), &context());
        assert!(carry_out(cloud, &observed, &plan).is_empty());
    }
    let (_, plan) = look(cloud, manifests, &site(), &context());
    (blocked(&plan), summary(&plan))
}

fn hub(cloud: &FakeCloud) -> lyceum_core::kind::Instance {
    match object(cloud, "geo/instance/hub").body {
        Body::Instance(hub) => hub,
        _ => unreachable!(),
    }
}

#[test]
fn another_image_or_system_waits_for_consent_however_often_it_is_looked_at() {
    for spec in ["image: ami-0123456789abcdef0", "os: ubuntu-24.04"] {
        let (cloud, _) = applied();
        let before = object(&cloud, "geo/instance/hub");
        let other = manifests(&[("geo", &format!("{GEO}\n  {spec}")), ("bio", BIO)]);
        assert_eq!(passes(&cloud, &other, 1), (vec!["geo/instance/hub".into()], vec![]), "{spec}");
        assert_eq!(passes(&cloud, &other, 2), (vec!["geo/instance/hub".into()], vec![]), "{spec}");
        assert_eq!(object(&cloud, "geo/instance/hub"), before, "{spec}");

        let mut consented = context();
        consented.policy.consents.push(consent(&cloud, "geo/instance/hub"));
        settle(&cloud, &other, &site(), &consented, 2);
        assert_ne!(hub(&cloud).image, "ami-debian-12", "{spec}");
        assert_eq!(passes(&cloud, &other, 0), (vec![], vec![]), "{spec}");
    }
}

#[test]
fn a_systems_tag_that_was_altered_is_put_right_and_nothing_else() {
    let (cloud, manifests) = applied();
    let mut known = context();
    let was = desired(&manifests, &site(), &Inputs::default());
    let of = |name: &str| {
        let ours = was.resources.iter().filter(|(address, _)| address.scope() == name);
        (name.to_string(), ours.map(|(address, it)| (address.clone(), it.clone())).collect())
    };
    known.applied = [of("geo"), of("bio")].into();
    cloud.tamper(&address("geo/instance/hub"), |object| {
        object.tags.insert("lyceum:os".into(), "windows".into());
    });
    let (observed, plan) = look(&cloud, &manifests, &site(), &known);
    let [change] = &plan.changes().collect::<Vec<_>>()[..] else { panic!("{:?}", summary(&plan)) };
    let paths: Vec<&str> = change.attributes.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["tags[lyceum:os]"]);
    carry_out(&cloud, &observed, &plan);
    assert_eq!(passes(&cloud, &manifests, 0), (vec![], vec![]));
}

#[test]
fn a_hub_that_is_made_again_is_on_the_image_it_was_on() {
    let (cloud, manifests) = applied();
    let before = hub(&cloud);
    cloud.lose(&address("geo/instance/hub"));
    let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
    let newer = Image { id: "ami-newer".into(), name: "n".into(), root_device: "/dev/new".into() };
    let images = observed.surroundings.images.get_mut("us-east-1").unwrap();
    images.insert("debian-12".into(), newer);
    let state = desired(&manifests, &site(), &Inputs::new(&manifests, None, &observed));
    let plan = plan(&state, &observed, &context());
    assert!(carry_out(&cloud, &observed, &plan).is_empty());
    let after = hub(&cloud);
    assert_eq!((after.image, after.root_device), (before.image, before.root_device));
}

#[test]
fn of_a_pinned_image_a_later_one_is_told_of_and_of_ones_own_none_is() {
    for (name, told) in [("debian-12-amd64-20260101", 2), ("our-gpu-image-1", 0)] {
        let pinned = format!("{GEO}\n  image: ami-0123456789abcdef0");
        let manifests = manifests(&[("geo", &pinned)]);
        let cloud = FakeCloud::new(&site());
        settle(&cloud, &manifests, &site(), &context(), 1);
        let (mut observed, _) = look(&cloud, &manifests, &site(), &context());
        let images = observed.surroundings.images.get_mut("us-east-1").unwrap();
        images.get_mut("debian-12").unwrap().name = "debian-12-amd64-20270101".into();
        images.get_mut("ami-0123456789abcdef0").unwrap().name = name.into();
        let state = desired(&manifests, &site(), &Inputs::new(&manifests, None, &observed));
        let plan = plan(&state, &observed, &context());
        assert_eq!(plan.scopes["geo"].notices.len(), told, "{:?}", plan.scopes["geo"].notices);
    }
}

#[test]
fn a_volume_never_shrinks_whatever_is_consented_to() {
    let (cloud, _) = applied();
    let smaller =
        manifests(&[("geo", &format!("{GEO}\n  hub: {{dataVolumeGiB: 10}}")), ("bio", BIO)]);
    let mut consented = context();
    consented.policy.consents.push(consent(&cloud, "geo/volume/hub"));
    let (_, plan) = look(&cloud, &smaller, &site(), &consented);
    assert_eq!((summary(&plan), blocked(&plan)), (vec![], vec!["geo/volume/hub".to_string()]));
    let [waiting] = &plan.scopes["geo"].blocked[..] else { panic!("one") };
    assert!(waiting.cause.contains("20 GiB") && waiting.hint().is_none(), "{waiting:?}");
}
