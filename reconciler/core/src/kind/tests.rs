//! What holds for every kind.

use std::collections::BTreeSet;

use super::*;

/// A body with a value in each optional place, so that every field is seen.
fn fields(kind: &str) -> BTreeSet<String> {
    let window = Window { start: "x".into(), end: "x".into(), timezone: "x".into(), min: 1 };
    let body: Value = match kind {
        "bucket" => to_value(&Bucket::default()),
        "object" => to_value(&StoredObject::default()),
        "queue" => to_value(&Queue::default()),
        "event-rule" => to_value(&EventRule::default()),
        "vpc" => to_value(&Vpc::default()),
        "internet-gateway" => to_value(&InternetGateway::default()),
        "subnet" => to_value(&Subnet::default()),
        "route-table" => to_value(&RouteTable::default()),
        "security-group" => to_value(&SecurityGroup::default()),
        "role" => to_value(&Role::default()),
        "instance-profile" => to_value(&InstanceProfile::default()),
        "file-system" => to_value(&FileSystem::default()),
        "access-point" => to_value(&AccessPoint::default()),
        "parameter" => to_value(&Parameter::default()),
        "signing-key" => to_value(&SigningKey::default()),
        "pointer" => to_value(&Pointer::default()),
        "namespace" => to_value(&Namespace::default()),
        "discovery-service" => to_value(&DiscoveryService::default()),
        "network-interface" => to_value(&NetworkInterface::default()),
        "elastic-ip" => to_value(&ElasticIp::default()),
        "volume" => to_value(&Volume::default()),
        "launch-template" => to_value(&LaunchTemplate::default()),
        "instance" => to_value(&Instance::default()),
        "scaling-group" => {
            to_value(&ScalingGroup { windows: vec![window], ..ScalingGroup::default() })
        }
        "alarm" => to_value(&Alarm::default()),
        "record" => to_value(&Record::default()),
        "worker" => to_value(&Worker::default()),
        "node-report" => to_value(&NodeReport::default()),
        other => panic!("a new kind, {other}: add it here"),
    };
    body.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_field_of_every_kind_has_a_rule() {
    for facts in KINDS {
        let ruled: BTreeSet<String> =
            facts.attributes.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(ruled, fields(facts.name), "{}", facts.name);
    }
}

#[test]
fn kinds_have_distinct_names_and_an_unknown_one_is_careful() {
    let names: BTreeSet<_> = KINDS.iter().map(|facts| facts.name).collect();
    assert_eq!(names.len(), KINDS.len());
    assert!(facts("no-such-kind").holds_data);
}
