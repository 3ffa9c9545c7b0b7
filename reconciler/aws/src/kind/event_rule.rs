//! EventBridge rules of a region, on the default bus. Their names are ours
//! alone: they carry a digest of source and account.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::types::{Rule, RuleState, Tag, Target};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::EventRule;
use lyceum_core::observed::Object;
use lyceum_core::site::Site;
use serde_json::Value;

use crate::calls::{Call, VISIBLE, each, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::tags;

/// The region's rules; a call more for the targets of each.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let prefix = clients.site.rule_prefix();
    let listed = clients
        .calls
        .pages(
            Call::read("events", "ListRules"),
            |token| {
                clients.events.list_rules().name_prefix(&prefix).set_next_token(token).send()
            },
            |page| (page.rules.unwrap_or_default(), page.next_token),
        )
        .await?;
    let mut listing = Listing::default();
    let clients = &clients.of_item();
    for (name, read) in each(listed, |rule| read(clients, rule)).await {
        let short = name.strip_prefix(&prefix).unwrap_or(&name);
        let address = Address::new(&Site::region_scope(&clients.region), "event-rule", short);
        match read {
            Ok(found) => listing.push(address, &clients.region, found),
            Err(error) => listing.unread(&clients.region, &address, &error),
        }
    }
    Ok(listing)
}

/// Makes a rule with its tags, then its targets.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &EventRule,
) -> Result<Outputs, CloudError> {
    let all = tags::at_creation(resource);
    let tags = tags::build(&all, |key, value| Tag::builder().key(key).value(value).build())?;
    put(clients, want, Some(tags)).await?;
    let arn = until("events:DescribeRule", VISIBLE, || visible(clients, &want.name)).await?;
    let seen = targets(clients, &want.name).await?;
    write_targets(clients, &want.name, &seen, &want.targets).await?;
    Ok(Outputs::from([("id".into(), want.name.clone()), ("arn".into(), arn)]))
}

/// Writes pattern and state together, targets one by one.
pub(crate) async fn update(
    clients: &Clients,
    (_before, seen): (&Object, &EventRule),
    (_after, want): (&Resource, &EventRule),
) -> Result<Outputs, CloudError> {
    if (&seen.pattern, seen.enabled) != (&want.pattern, want.enabled) {
        put(clients, want, None).await?;
    }
    write_targets(clients, &want.name, &seen.targets, &want.targets).await?;
    Ok(Outputs::new())
}

/// Removes a rule after its targets.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &EventRule,
) -> Result<(), CloudError> {
    let seen = targets(clients, &object.id).await?;
    write_targets(clients, &object.id, &seen, &BTreeMap::new()).await?;
    clients
        .calls
        .send(Call::repeatable("events", "DeleteRule"), || {
            clients.events.delete_rule().name(&object.id).send()
        })
        .await
        .map(drop)
}

async fn read(clients: &Clients, rule: Rule) -> (String, Result<Found, CloudError>) {
    let name = rule.name.unwrap_or_default();
    let targets = targets(clients, &name).await;
    let read = targets.map(|targets| Found {
        id: name.clone(),
        tags: Default::default(),
        outputs: Outputs::from([("arn".into(), rule.arn.unwrap_or_default())]),
        body: EventRule {
            name: name.clone(),
            pattern: parse(&rule.event_pattern.unwrap_or_default()),
            enabled: rule.state == Some(RuleState::Enabled),
            targets,
        }
        .into(),
    });
    (name, read)
}

/// What is no JSON stays a text, which equals no pattern.
fn parse(pattern: &str) -> Value {
    serde_json::from_str(pattern).unwrap_or_else(|_| pattern.into())
}

async fn targets(clients: &Clients, rule: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("events", "ListTargetsByRule"),
            |token| {
                clients.events.list_targets_by_rule().rule(rule).set_next_token(token).send()
            },
            |page| (page.targets.unwrap_or_default(), page.next_token),
        )
        .await?;
    Ok(listed.into_iter().map(|target: Target| (target.id, target.arn)).collect())
}

async fn visible(clients: &Clients, name: &str) -> Result<Option<String>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("events", "DescribeRule"), || {
            clients.events.describe_rule().name(name).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.arn))
}

async fn put(
    clients: &Clients,
    want: &EventRule,
    tags: Option<Vec<Tag>>,
) -> Result<(), CloudError> {
    let state = if want.enabled { RuleState::Enabled } else { RuleState::Disabled };
    clients
        .calls
        .send(Call::repeatable("events", "PutRule"), || {
            let request = clients.events.put_rule().name(&want.name);
            let request = request.event_pattern(want.pattern.to_string()).state(state.clone());
            request.set_tags(tags.clone()).send()
        })
        .await
        .map(drop)
}

/// Takes away what is not wanted, then writes what is missing or differs.
async fn write_targets(
    clients: &Clients,
    rule: &str,
    seen: &BTreeMap<String, String>,
    want: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let extra: Vec<String> = seen.keys().filter(|id| !want.contains_key(*id)).cloned().collect();
    if !extra.is_empty() {
        let call = Call::repeatable("events", "RemoveTargets");
        let send = || {
            clients.events.remove_targets().rule(rule).set_ids(Some(extra.clone())).send()
        };
        let answer = clients.calls.send(call, send).await?;
        let failed = answer.failed_entries().first().and_then(|entry| entry.error_message());
        all_done("events:RemoveTargets", answer.failed_entry_count(), failed)?;
    }
    let missing: Result<Vec<Target>, _> = want
        .iter()
        .filter(|(id, arn)| seen.get(*id) != Some(arn))
        .map(|(id, arn)| Target::builder().id(id).arn(arn).build().map_err(incomplete))
        .collect();
    let missing = missing?;
    if !missing.is_empty() {
        let call = Call::repeatable("events", "PutTargets");
        let send = || {
            clients.events.put_targets().rule(rule).set_targets(Some(missing.clone())).send()
        };
        let answer = clients.calls.send(call, send).await?;
        let failed = answer.failed_entries().first().and_then(|entry| entry.error_message());
        all_done("events:PutTargets", answer.failed_entry_count(), failed)?;
    }
    Ok(())
}

/// A call that succeeds may have failed for some of its entries.
fn all_done(operation: &str, failed: i32, message: Option<&str>) -> Result<(), CloudError> {
    match failed {
        0 => Ok(()),
        _ => Err(CloudError::new(Class::NotYet, operation, message.unwrap_or("entries failed"))),
    }
}
