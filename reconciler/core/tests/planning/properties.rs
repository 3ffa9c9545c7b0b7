//! What holds for any manifests, on a cloud in memory.

use std::collections::BTreeMap;

use lyceum_core::manifest::Manifests;
use lyceum_core::observed::Object;
use lyceum_core::plan::Plan;
use lyceum_core::site::TAG_OWNER;
use lyceum_testkit::{FakeCloud, look, manifests, settle, site};
use proptest::prelude::*;

use super::context;

/// The `spec` of a cluster whose place in the repository gives it a network of
/// its own.
fn spec() -> impl Strategy<Value = String> {
    let numbers = (1u32..5, 0u32..4, 4u32..20, 0u32..101, 8u32..60);
    let choices = (0usize..3, 0usize..3, any::<bool>(), any::<bool>(), any::<bool>());
    (numbers, choices).prop_map(|(numbers, choices)| {
        let (zones, min, max, spot, volume) = numbers;
        let (shared, os, domain, backup, schedule) = choices;
        let directories: Vec<String> =
            (0..shared).map(|n| format!("{{name: d{n}, path: /srv/d{n}}}")).collect();
        let os = ["debian-12", "ubuntu-24.04", "amazon-linux-2023"][os];
        let domain = if domain { "  domain: NAME.example.edu\n" } else { "" };
        let schedules = if schedule {
            "[{name: lab, start: \"0 8 * * MON\", end: \"0 12 * * MON\", min: 4}]"
        } else {
            "[]"
        };
        format!(
            "  os: {os}\n{domain}  network: {{cidr: 10.PLACE.0.0/16, zones: {zones}}}\n  \
             hub: {{volumeGiB: {volume}}}\n  workers:\n    min: {min}\n    max: {max}\n    \
             purchase: {{spotPercent: {spot}}}\n    scaling: {{schedules: {schedules}}}\n  \
             storage: {{backup: {backup}, shared: [{}]}}",
            directories.join(", ")
        )
    })
}

fn repository() -> impl Strategy<Value = Manifests> {
    proptest::collection::vec(spec(), 1..4).prop_map(|specs| {
        let texts: Vec<(String, String)> = specs
            .iter()
            .enumerate()
            .map(|(place, text)| {
                let name = format!("cluster-{place}");
                let text = text.replace("NAME", &name).replace("PLACE", &(20 + place).to_string());
                (name, text)
            })
            .collect();
        let borrowed: Vec<(&str, &str)> =
            texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        manifests(&borrowed)
    })
}

/// A stranger's copy of everything that refers to nothing: what a stranger has
/// in one of our networks rightly holds it back.
fn copy_as_foreign(cloud: &FakeCloud) -> BTreeMap<String, Object> {
    let alone = |object: &Object| object.facts().refers.is_empty();
    for (place, mut object) in cloud.objects().into_values().filter(alone).enumerate() {
        object.id = format!("foreign-{place}");
        object.tags.remove(TAG_OWNER);
        cloud.put(object);
    }
    foreign(cloud)
}

fn foreign(cloud: &FakeCloud) -> BTreeMap<String, Object> {
    let all = cloud.objects().into_iter();
    all.filter(|(_, object)| object.id.starts_with("foreign-")).collect()
}

fn addresses(plan: &Plan) -> Vec<String> {
    plan.changes().map(|change| change.address.to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_then_planning_is_empty_from_nothing_and_from_anything_else(
        first in repository(),
        second in repository(),
    ) {
        let cloud = FakeCloud::new(&site());
        settle(&cloud, &first, &site(), &context(), 1);
        let strangers = copy_as_foreign(&cloud);
        settle(&cloud, &second, &site(), &context(), 3);
        let (_, plan) = look(&cloud, &second, &site(), &context());
        prop_assert_eq!(addresses(&plan), Vec::<String>::new());
        prop_assert_eq!(foreign(&cloud), strangers);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(first in repository(), second in repository()) {
        let cloud = FakeCloud::new(&site());
        settle(&cloud, &first, &site(), &context(), 1);
        let bytes = || {
            let (_, plan) = look(&cloud, &second, &site(), &context());
            serde_json::to_vec(&plan.scopes).unwrap()
        };
        prop_assert_eq!(bytes(), bytes());
    }
}
