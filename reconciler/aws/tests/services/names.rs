//! What makes a cluster's names and values known: parameters, Cloud Map,
//! records; and what tells when it is ill: alarms.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet,
};
use aws_sdk_ssm::types::ParameterType;
use lyceum_core::cloud::{Class, Cloud, Scope};
use lyceum_core::kind::{Alarm, Body, DiscoveryService, Namespace, Parameter, Record};

use super::backdrop::{Backdrop, CLUSTER, GLOBAL, REGION, look, resource};

fn facts() -> Parameter {
    Parameter {
        name: "/lyceum/geo-101/facts".into(),
        secure: false,
        value: "{}".into(),
        seed: String::new(),
    }
}

/// The reader cannot tell a value from a seed: it puts what it found in both.
async fn holds_value(there: &Backdrop, wanted: &lyceum_core::desired::Resource, value: &str) {
    let seen = there.seen(&wanted.address).await.unwrap();
    let Body::Parameter(body) = seen.body else { panic!("a parameter") };
    assert_eq!((body.value.as_str(), body.seed.as_str()), (value, value));
}

#[tokio::test]
async fn a_parameter_lives() {
    let there = Backdrop::new().await;
    let wanted = there.of_cluster(REGION, "facts", facts());
    let made = there.create(&wanted).await;
    holds_value(&there, &wanted, "{}").await;
    let before = there.seen(&wanted.address).await.unwrap();
    assert_eq!(
        made,
        BTreeMap::from([
            ("id".into(), before.id.clone()),
            ("arn".into(), before.outputs["arn"].clone())
        ])
    );

    let body = Parameter { value: "{\"hub\":\"10.0.0.10\"}".into(), ..facts() };
    let after = there.of_cluster(REGION, "facts", body.clone());
    there.aws.update(&before, &after).await.unwrap();
    holds_value(&there, &after, &body.value).await;

    let again = there.try_create(&wanted).await.unwrap_err();
    assert_eq!(again.class, Class::Exists);
    there.remove(&wanted).await;
}

#[tokio::test]
async fn a_seed_is_only_the_beginning_and_a_secret_is_never_read() {
    let there = Backdrop::new().await;
    let seeded = |short: &str, secure| Parameter {
        name: format!("/lyceum/geo-101/{short}"),
        secure,
        value: String::new(),
        seed: "none yet".into(),
    };
    let applied = there.of_cluster(REGION, "applied", seeded("applied", false));
    there.create(&applied).await;
    holds_value(&there, &applied, "none yet").await;
    let before = there.seen(&applied.address).await.unwrap();
    there.aws.update(&before, &applied).await.unwrap();
    holds_value(&there, &applied, "none yet").await;

    let token = there.of_cluster(REGION, "swarm-join-token", seeded("swarm-join-token", true));
    there.create(&token).await;
    holds_value(&there, &token, "").await;
}

#[tokio::test]
async fn an_operators_secret_is_no_object_of_ours() {
    let there = Backdrop::new().await;
    let ssm = aws_sdk_ssm::Client::new(&there.config);
    for name in ["/lyceum/geo-101/oauth-client-secret", "/other/geo-101/facts"] {
        let request = ssm.put_parameter().name(name).value("s").r#type(ParameterType::SecureString);
        request.send().await.unwrap();
    }
    assert_eq!(look(&there.aws).await.objects, []);
}

#[tokio::test]
async fn more_parameters_than_a_page_are_all_found() {
    let there = Backdrop::new().await;
    for number in 0..12 {
        let name = format!("/lyceum/c{number}/facts");
        let cluster = format!("c{number}");
        let body = Parameter { name, ..facts() };
        there.create(&resource(there.site(), (&cluster, REGION, "facts"), body)).await;
    }
    assert_eq!(look(&there.aws).await.objects.len(), 12);
}

async fn vpc(there: &Backdrop) -> String {
    let ec2 = aws_sdk_ec2::Client::new(&there.config);
    let made = ec2.create_vpc().cidr_block("10.9.0.0/16").send().await.unwrap();
    made.vpc.unwrap().vpc_id.unwrap()
}

fn namespace(vpc: String) -> Namespace {
    Namespace { name: "geo-101.lyceum.internal".into(), vpc }
}

#[tokio::test]
async fn a_namespace_lives() {
    let there = Backdrop::new().await;
    let wanted = there.of_cluster(REGION, "main", namespace(vpc(&there).await));
    // Its VPC cannot be read back.
    let readable = there.of_cluster(REGION, "main", namespace(String::new()));
    let made = there.create(&wanted).await;
    assert_eq!(there.create(&wanted).await, made);
    assert_eq!(there.holds(&readable).await.id, made["id"]);
    there.is_a_gap_to_others(CLUSTER).await;
    there.remove(&readable).await;
}

#[tokio::test]
async fn a_discovery_service_lives() {
    let there = Backdrop::new().await;
    let main = there.of_cluster(REGION, "main", namespace(vpc(&there).await));
    let namespace = there.create(&main).await["id"].clone();
    let instance = |id: &str, address: &str| BTreeMap::from([(id.to_string(), address.into())]);
    let first = DiscoveryService {
        namespace,
        name: "hub".into(),
        ttl_seconds: 10,
        instances: instance("hub", "10.20.0.10"),
    };
    let turns = [
        DiscoveryService { ttl_seconds: 60, ..first.clone() },
        DiscoveryService { instances: instance("hub", "10.20.0.11"), ..first.clone() },
        DiscoveryService { instances: instance("other", "10.20.0.10"), ..first.clone() },
        DiscoveryService { instances: BTreeMap::new(), ..first.clone() },
    ];
    there.life(&there.of_cluster(REGION, "hub", first), &turns.map(Body::from)).await;
}

fn alarm() -> Alarm {
    Alarm {
        name: "lyceum-geo-101-hub-status".into(),
        description: "The hub does not answer.\nLook at its console.".into(),
        namespace: "AWS/EC2".into(),
        metric: "StatusCheckFailed".into(),
        dimensions: BTreeMap::from([("InstanceId".into(), "i-1".into())]),
        statistic: "Maximum".into(),
        comparison: "GreaterThanOrEqualToThreshold".into(),
        threshold: 1.0,
        period_seconds: 60,
        periods: 3,
        missing_data: "notBreaching".into(),
        actions: BTreeSet::from(["arn:aws:sns:us-east-1:123456789012:a".into()]),
        actions_enabled: true,
    }
}

#[tokio::test]
async fn an_alarm_lives() {
    let there = Backdrop::new().await;
    let first = alarm();
    let turns = [
        Alarm { description: String::new(), ..first.clone() },
        Alarm { namespace: "Lyceum".into(), ..first.clone() },
        Alarm { metric: "Sessions".into(), ..first.clone() },
        Alarm { dimensions: BTreeMap::new(), ..first.clone() },
        Alarm { statistic: "Average".into(), ..first.clone() },
        Alarm { comparison: "LessThanThreshold".into(), ..first.clone() },
        Alarm { threshold: 0.5, ..first.clone() },
        Alarm { period_seconds: 300, ..first.clone() },
        Alarm { periods: 1, ..first.clone() },
        Alarm { missing_data: "breaching".into(), ..first.clone() },
        Alarm { actions: BTreeSet::new(), ..first.clone() },
        Alarm { actions_enabled: false, ..first.clone() },
    ];
    there.life(&there.of_cluster(REGION, "hub-status", first), &turns.map(Body::from)).await;
}

#[tokio::test]
async fn an_alarm_that_lost_its_marker_is_known_by_its_tags() {
    let there = Backdrop::new().await;
    let wanted = there.of_cluster(REGION, "hub-status", alarm());
    there.create(&wanted).await;
    there.is_a_gap_to_others(CLUSTER).await;

    describe(&there, &alarm(), "").await;
    let bare = Alarm { description: String::new(), ..alarm() };
    there.holds(&there.of_cluster(REGION, "hub-status", bare)).await;
    there.turn(&wanted).await;
    there.remove(&wanted).await;
}

#[tokio::test]
async fn a_foreign_alarm_is_neither_seen_nor_overwritten() {
    let there = Backdrop::new().await;
    describe(&there, &alarm(), "somebody else's").await;
    assert_eq!(look(&there.aws).await.objects, []);
    let wanted = there.of_cluster(REGION, "hub-status", alarm());
    assert_eq!(there.try_create(&wanted).await.unwrap_err().class, Class::Exists);
}

/// Writes an alarm as somebody else would.
async fn describe(there: &Backdrop, alarm: &Alarm, description: &str) {
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&there.config);
    let dimension = aws_sdk_cloudwatch::types::Dimension::builder();
    let request = cloudwatch
        .put_metric_alarm()
        .alarm_name(&alarm.name)
        .alarm_description(description)
        .namespace(&alarm.namespace)
        .metric_name(&alarm.metric)
        .dimensions(dimension.name("InstanceId").value("i-1").build())
        .statistic(alarm.statistic.as_str().into())
        .comparison_operator(alarm.comparison.as_str().into())
        .threshold(alarm.threshold)
        .period(alarm.period_seconds)
        .evaluation_periods(alarm.periods)
        .treat_missing_data(&alarm.missing_data)
        .set_alarm_actions(Some(alarm.actions.iter().cloned().collect()));
    request.send().await.unwrap();
}

/// A public zone, by its id.
async fn zone(there: &Backdrop, name: &str) -> String {
    let route53 = aws_sdk_route53::Client::new(&there.config);
    let made = route53.create_hosted_zone().name(name).caller_reference(name).send().await;
    let zone = made.unwrap().hosted_zone.unwrap();
    zone.id.trim_start_matches("/hostedzone/").to_string()
}

fn record(zone: &str) -> Record {
    Record {
        zone: zone.into(),
        name: "notebooks.example.edu".into(),
        record_type: "A".into(),
        ttl_seconds: 60,
        values: BTreeSet::from(["203.0.113.7".into()]),
    }
}

#[tokio::test]
async fn a_record_lives() {
    let there = Backdrop::new().await;
    zone(&there, "example.org").await;
    let zone = zone(&there, "example.edu").await;
    let first = record(&zone);
    let turns = [
        Record { ttl_seconds: 300, ..first.clone() },
        Record { values: BTreeSet::from(["203.0.113.8".into()]), ..first.clone() },
    ];
    let wanted = there.of_cluster(GLOBAL, "hub", first);
    there.life(&wanted, &turns.map(Body::from)).await;
    assert_eq!(sets(&there, &zone).await, ["NS", "SOA"], "the marker went with it");
}

#[tokio::test]
async fn public_zones_are_surroundings() {
    let there = Backdrop::new().await;
    let zone = zone(&there, "Example.EDU").await;
    let state = look(&there.aws).await;
    assert_eq!(state.surroundings.hosted_zones, BTreeMap::from([("example.edu".into(), zone)]));
}

#[tokio::test]
async fn a_record_of_ours_is_made_once_and_is_a_gap_to_others() {
    let there = Backdrop::new().await;
    let zone = zone(&there, "example.edu").await;
    let wanted = there.of_cluster(GLOBAL, "hub", record(&zone));
    let made = there.create(&wanted).await;
    assert_eq!(there.create(&wanted).await, made);
    there.holds(&wanted).await;
    there.is_a_gap_to_others(CLUSTER).await;
}

#[tokio::test]
async fn a_foreign_record_is_neither_seen_nor_overwritten() {
    let there = Backdrop::new().await;
    let zone = zone(&there, "example.edu").await;
    let wanted = record(&zone);
    let elsewhere = set(&wanted.name, "A", "198.51.100.9");
    change(&there, &zone, ChangeAction::Create, elsewhere).await;

    let wants = Scope {
        domains: BTreeMap::from([(CLUSTER.into(), wanted.name.clone())]),
        ..Scope::default()
    };
    let seen = there.aws.observe(&wants).await;
    assert_eq!(seen.objects, []);
    let leads = BTreeSet::from(["198.51.100.9".to_string()]);
    assert_eq!(seen.surroundings.taken_names, BTreeMap::from([(wanted.name.clone(), leads)]));
    let refused = there.try_create(&there.of_cluster(GLOBAL, "hub", wanted)).await;
    assert_eq!(refused.unwrap_err().class, Class::Exists);
    assert_eq!(sets(&there, &zone).await, ["A", "NS", "SOA"]);
}

#[tokio::test]
async fn a_record_that_lost_its_marker_is_taken_back_where_it_leads_to_us() {
    let there = Backdrop::new().await;
    let zone = zone(&there, "example.edu").await;
    let hub = there.of_cluster(GLOBAL, "hub", record(&zone));
    there.create(&hub).await;
    let route53 = aws_sdk_route53::Client::new(&there.config);
    let answer = route53.list_resource_record_sets().hosted_zone_id(&zone).send().await.unwrap();
    let sets_there = answer.resource_record_sets().iter();
    let marker = sets_there.into_iter().find(|set| set.r#type == "TXT".into()).unwrap().clone();
    change(&there, &zone, ChangeAction::Delete, marker).await;
    assert_eq!(look(&there.aws).await.objects, []);

    there.create(&hub).await;
    assert_eq!(look(&there.aws).await.objects[0].address, hub.address);
    assert_eq!(sets(&there, &zone).await, ["A", "NS", "SOA", "TXT"]);
}

fn set(name: &str, kind: &str, value: &str) -> ResourceRecordSet {
    let value = ResourceRecord::builder().value(value).build().unwrap();
    let set = ResourceRecordSet::builder().name(name).r#type(kind.into()).ttl(60);
    set.resource_records(value).build().unwrap()
}

/// What somebody else does to a zone.
async fn change(there: &Backdrop, zone: &str, action: ChangeAction, set: ResourceRecordSet) {
    let change = Change::builder().action(action).resource_record_set(set).build().unwrap();
    let batch = ChangeBatch::builder().changes(change).build().unwrap();
    let route53 = aws_sdk_route53::Client::new(&there.config);
    let request = route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
    request.send().await.unwrap();
}

/// The types of a zone's records, sorted.
async fn sets(there: &Backdrop, zone: &str) -> Vec<String> {
    let route53 = aws_sdk_route53::Client::new(&there.config);
    let answer = route53.list_resource_record_sets().hosted_zone_id(zone).send().await.unwrap();
    let sets = answer.resource_record_sets().iter();
    let mut types: Vec<String> = sets.map(|set| set.r#type.as_str().to_string()).collect();
    types.sort();
    types
}
