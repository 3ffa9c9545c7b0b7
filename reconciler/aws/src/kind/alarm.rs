//! CloudWatch alarms. The list leaves their tags out: the address stands in the
//! last line of the description. An alarm without one is asked for its tags.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, MetricAlarm, Statistic, Tag,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Alarm;
use lyceum_core::observed::{Gap, Object};
use lyceum_core::site::Site;

use crate::calls::{Call, VISIBLE, each, until};
use crate::claim::{Claim, Found, Listing, claim};
use crate::clients::Clients;
use crate::error::found;
use crate::marker::Linked;
use crate::{marker, tags};

/// Every alarm of our owner; a call more for each that has lost its marker.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let prefix = format!("{}-", clients.site.owner);
    let listed = clients
        .calls
        .pages(
            Call::read("cloudwatch", "DescribeAlarms"),
            |token| {
                let request = clients.cloudwatch.describe_alarms().alarm_name_prefix(&prefix);
                let request = request.alarm_types(AlarmType::MetricAlarm).max_records(100);
                request.set_next_token(token).send()
            },
            |page| (page.metric_alarms.unwrap_or_default(), page.next_token),
        )
        .await?;
    let mut listing = Listing::default();
    let mut unmarked = Vec::new();
    for alarm in listed {
        let description = alarm.alarm_description().unwrap_or_default();
        match marker::parse_link(description).map(|linked| whose(&clients.site, linked)) {
            Some(Claim::Ours(address)) => listing.push(address, &clients.region, read(alarm)),
            Some(Claim::OtherSource { scope, source }) => {
                listing.other_source(&scope, alarm.alarm_name().unwrap_or_default(), &source);
            }
            Some(_) => {}
            None => unmarked.push(alarm),
        }
    }
    let clients = &clients.of_item();
    for (alarm, tags) in each(unmarked, |alarm| with_tags(clients, alarm)).await {
        let name = alarm.alarm_name().unwrap_or_default().to_string();
        match found(tags) {
            Ok(Some(tags)) => {
                listing.claim(&clients.site, &clients.region, Found { tags, ..read(alarm) });
            }
            Ok(None) => {}
            Err(error) => listing.gaps.extend(unread(clients, &name, &error)),
        }
    }
    Ok(listing)
}

/// What an alarm hides whose owner cannot be read: the alarms of the clusters that
/// its name, `<owner>-<cluster>-<what>`, may begin with.
fn unread(clients: &Clients, name: &str, error: &CloudError) -> Vec<Gap> {
    let rest = name.strip_prefix(&format!("{}-", clients.site.owner)).unwrap_or_default();
    let gap = |cluster: &str| Gap {
        region: clients.region.clone(),
        kind: "alarm".into(),
        scope: cluster.into(),
        cause: format!("{name}: {error}"),
    };
    beginnings(rest).map(gap).collect()
}

/// `geo` and `geo-101` of `geo-101-hub`: what stands before a dash.
fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('-').map(|(dash, _)| &name[..dash])
}

/// Whose a link says an alarm is: of the owner `lyceum-dev` the names start as
/// those of `lyceum` do.
fn whose(site: &Site, linked: Linked<'_>) -> Claim {
    match (linked.owner == site.owner, linked.source == site.source) {
        (false, _) => Claim::Foreign,
        (true, true) => Claim::Ours(linked.address),
        (true, false) => Claim::OtherSource {
            scope: linked.address.scope().into(),
            source: linked.source.into(),
        },
    }
}

/// Makes an alarm with its tags. Writing one overwrites whatever has its name,
/// so that name is looked at first.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Alarm,
) -> Result<Outputs, CloudError> {
    let tags = tags::build(&tags::at_creation(resource), |key, value| {
        Ok(Tag::builder().key(key).value(value).build())
    })?;
    if let Some(there) = named(clients, &want.name).await? {
        refuse_foreign(clients, &resource.address, there).await?;
    }
    put(clients, &resource.address, want, Some(tags)).await?;
    let made = until("cloudwatch:DescribeAlarms", VISIBLE, || named(clients, &want.name)).await?;
    let arn = made.alarm_arn.unwrap_or_default();
    Ok(Outputs::from([("id".into(), want.name.clone()), ("arn".into(), arn)]))
}

/// Writes an alarm whole; AWS knows no other way.
pub(crate) async fn update(
    clients: &Clients,
    (_before, seen): (&Object, &Alarm),
    (after, want): (&Resource, &Alarm),
) -> Result<Outputs, CloudError> {
    if seen != want {
        put(clients, &after.address, want, None).await?;
    }
    Ok(Outputs::new())
}

/// Removes an alarm.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Alarm,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("cloudwatch", "DeleteAlarms"), || {
            clients.cloudwatch.delete_alarms().alarm_names(&object.id).send()
        })
        .await
        .map(drop)
}

fn read(alarm: MetricAlarm) -> Found {
    let description = alarm.alarm_description.unwrap_or_default();
    let text = marker::parse_link(&description).map_or(description.as_str(), |linked| linked.text);
    let dimensions = alarm.dimensions.unwrap_or_default().into_iter().map(|dimension| {
        (dimension.name.unwrap_or_default(), dimension.value.unwrap_or_default())
    });
    let name = alarm.alarm_name.unwrap_or_default();
    let body = Alarm {
        name: name.clone(),
        description: text.into(),
        namespace: alarm.namespace.unwrap_or_default(),
        metric: alarm.metric_name.unwrap_or_default(),
        dimensions: dimensions.collect(),
        statistic: alarm.statistic.map(|it| it.as_str().into()).unwrap_or_default(),
        comparison: alarm.comparison_operator.map(|it| it.as_str().into()).unwrap_or_default(),
        threshold: alarm.threshold.unwrap_or_default(),
        period_seconds: alarm.period.unwrap_or_default(),
        periods: alarm.evaluation_periods.unwrap_or_default(),
        missing_data: alarm.treat_missing_data.unwrap_or_else(|| "missing".into()),
        actions: alarm.alarm_actions.unwrap_or_default().into_iter().collect(),
        actions_enabled: alarm.actions_enabled.unwrap_or(true),
    };
    let outputs = Outputs::from([("arn".into(), alarm.alarm_arn.unwrap_or_default())]);
    Found { id: name, tags: BTreeMap::new(), outputs, body: body.into() }
}

async fn with_tags(
    clients: &Clients,
    alarm: MetricAlarm,
) -> (MetricAlarm, Result<BTreeMap<String, String>, CloudError>) {
    let answer = clients
        .calls
        .send(Call::read("cloudwatch", "ListTagsForResource"), || {
            let request = clients.cloudwatch.list_tags_for_resource();
            request.resource_arn(alarm.alarm_arn().unwrap_or_default()).send()
        })
        .await;
    let tags = answer.map(|answer| {
        let tags = answer.tags.unwrap_or_default().into_iter();
        tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect()
    });
    (alarm, tags)
}

async fn named(clients: &Clients, name: &str) -> Result<Option<MetricAlarm>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("cloudwatch", "DescribeAlarms"), || {
            clients.cloudwatch.describe_alarms().alarm_names(name).send()
        })
        .await?;
    Ok(answer.metric_alarms.unwrap_or_default().into_iter().next())
}

async fn refuse_foreign(
    clients: &Clients,
    address: &Address,
    there: MetricAlarm,
) -> Result<(), CloudError> {
    let link = marker::link(&clients.site, address);
    if there.alarm_description().unwrap_or_default().ends_with(&link) {
        return Ok(());
    }
    let (there, tags) = with_tags(clients, there).await;
    if claim(&clients.site, "alarm", &tags?) == Claim::Ours(address.clone()) {
        return Ok(());
    }
    let message = format!("{} is not ours", there.alarm_name().unwrap_or_default());
    Err(CloudError::new(Class::Exists, "cloudwatch:PutMetricAlarm", message))
}

async fn put(
    clients: &Clients,
    address: &Address,
    want: &Alarm,
    tags: Option<Vec<Tag>>,
) -> Result<(), CloudError> {
    let description = format!("{}\n{}", want.description, marker::link(&clients.site, address));
    let dimensions: Vec<Dimension> = want
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build())
        .collect();
    clients
        .calls
        .send(Call::repeatable("cloudwatch", "PutMetricAlarm"), || {
            let comparison = ComparisonOperator::from(want.comparison.as_str());
            clients
                .cloudwatch
                .put_metric_alarm()
                .alarm_name(&want.name)
                .alarm_description(&description)
                .namespace(&want.namespace)
                .metric_name(&want.metric)
                .set_dimensions(Some(dimensions.clone()))
                .statistic(Statistic::from(want.statistic.as_str()))
                .comparison_operator(comparison)
                .threshold(want.threshold)
                .period(want.period_seconds)
                .evaluation_periods(want.periods)
                .treat_missing_data(&want.missing_data)
                .set_alarm_actions(Some(want.actions.iter().cloned().collect()))
                .actions_enabled(want.actions_enabled)
                .set_tags(tags.clone())
                .send()
        })
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_may_be_of_each_cluster_that_its_name_begins_with() {
        let clusters: Vec<&str> = beginnings("geo-101-hub-cpu").collect();
        assert_eq!(clusters, ["geo", "geo-101", "geo-101-hub"]);
        assert_eq!(beginnings("geo").count(), 0);
    }

    #[test]
    fn an_alarm_of_another_owner_is_not_claimed() {
        let site = |owner: &str, source: &str| Site {
            owner: owner.into(),
            source: source.into(),
            account: "1".into(),
            partition: "aws".into(),
        };
        let address = Address::new("geo", "alarm", "hub-status");
        let of = |site: &Site| marker::link(site, &address);
        let us = site("lyceum", "abc");
        let claim = |link: String| whose(&us, marker::parse_link(&link).unwrap());
        assert_eq!(claim(of(&us)), Claim::Ours(address.clone()));
        assert_eq!(claim(of(&site("lyceum-dev", "abc"))), Claim::Foreign);
        assert_eq!(
            claim(of(&site("lyceum", "def"))),
            Claim::OtherSource { scope: "geo".into(), source: "def".into() }
        );
    }
}
