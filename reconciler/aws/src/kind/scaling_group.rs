//! Auto Scaling groups with their hooks, policies and scheduled actions. These
//! have no tags: they are the group's by its name, and what is not wanted there
//! is taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_autoscaling::types::{
    AutoScalingGroup, Filter, InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides,
    LaunchTemplateSpecification, MixedInstancesPolicy, Tag,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::ScalingGroup;
use lyceum_core::observed::Object;
use lyceum_core::site::{TAG_CREATED, TAG_OWNER};

use self::children::Children;
use crate::calls::{Call, VISIBLE, each, made_or_found, until};
use crate::claim::{Claim, Found, Listing, claim};
use crate::clients::Clients;
use crate::kind::instance_profile;
use crate::tags;

mod children;
mod drain;

/// How long one pass waits for a deleted group to be gone.
const GONE: Duration = Duration::from_secs(300);

/// An instance as its group sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The group's name.
    pub(crate) group: String,
    /// It is on its way out of the group.
    pub(crate) leaving: bool,
    /// It is protected from scaling in.
    pub(crate) protected: bool,
}

/// Every group of our owner that is not on its way out; a call more for the hooks of each.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let (groups, policies, schedules) =
        tokio::try_join!(groups(clients), children::policies(clients), children::schedules(clients))?;
    let mut listing = Listing::default();
    let mut ours = Vec::new();
    for group in groups {
        let tags = all_tags(&group);
        let name = group.auto_scaling_group_name().unwrap_or_default();
        let facts = ("scaling-group", name, &tags);
        if let Some(address) = listing.address(&clients.site, &clients.region, facts) {
            ours.push((address, group));
        }
    }
    let clients = &clients.of_item();
    let read_hooks = each(ours, |(address, group)| async move {
        let name = group.auto_scaling_group_name().unwrap_or_default();
        let hooks = children::hooks(clients, name).await;
        (address, group, hooks)
    });
    for (address, group, hooks) in read_hooks.await {
        match hooks {
            Ok(hooks) => {
                listing.members.extend(members(&group));
                let name = group.auto_scaling_group_name();
                let children = children::of(name, &policies, &schedules);
                let found = read(&group, Children { hooks, ..children });
                listing.push(address, &clients.region, found);
            }
            Err(error) => listing.unread(&clients.region, &address, &error),
        }
    }
    Ok(listing)
}

/// Makes a group, then its children. One of this name with our address is ours.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &ScalingGroup,
) -> Result<Outputs, CloudError> {
    let all = tags::at_creation(resource);
    let tags = tags_to_write(&want.name, &BTreeMap::new(), &BTreeMap::new(), (&all, want));
    let made = instance_profile::known("autoscaling:CreateAutoScalingGroup", || {
        make(clients, want, tags.clone())
    });
    made_or_found(made.await, ours(clients, &want.name, &resource.address)).await?;
    let group = until("autoscaling:DescribeAutoScalingGroups", VISIBLE, || {
        named(clients, &want.name)
    });
    let arn = group.await?.auto_scaling_group_arn.unwrap_or_default();
    children::write(clients, &ScalingGroup::default(), want).await?;
    Ok(Outputs::from([("id".into(), want.name.clone()), ("arn".into(), arn)]))
}

/// Writes tags, the group and its children where they differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &ScalingGroup),
    (after, want): (&Resource, &ScalingGroup),
) -> Result<Outputs, CloudError> {
    let wanted = (&after.tags, want);
    let changed = tags_to_write(&before.id, &before.tags, &seen.instance_tags, wanted);
    write_tags(clients, changed).await?;
    let labels = tags::to_remove(before, after);
    let there = seen.instance_tags.keys().chain(&labels);
    remove_tags(clients, &before.id, there, wanted).await?;
    resume(clients, &before.id, (&seen.suspended, &want.suspended)).await?;
    if differs(seen, want) {
        let write = || write(clients, want);
        instance_profile::known("autoscaling:UpdateAutoScalingGroup", write).await?;
    }
    children::write(clients, seen, want).await?;
    Ok(Outputs::new())
}

/// Lets a group's instances go, then removes it with its children and waits
/// until its name is free.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &ScalingGroup,
) -> Result<(), CloudError> {
    drain::drain(clients, &object.id).await?;
    clients
        .calls
        .send(Call::repeatable("autoscaling", "DeleteAutoScalingGroup"), || {
            let request = clients.autoscaling.delete_auto_scaling_group();
            request.auto_scaling_group_name(&object.id).send()
        })
        .await
        .map_err(gone)?;
    until("autoscaling:DescribeAutoScalingGroups", GONE, || async {
        Ok(named(clients, &object.id).await?.is_none().then_some(()))
    })
    .await
}

/// Auto Scaling has no code of its own for a group that is not there.
fn gone(mut error: CloudError) -> CloudError {
    if error.code == "ValidationError" && error.message.contains("not found") {
        error.class = Class::NotFound;
    }
    error
}

/// Lets processes go on that somebody has suspended.
async fn resume(
    clients: &Clients,
    group: &str,
    (seen, want): (&BTreeSet<String>, &BTreeSet<String>),
) -> Result<(), CloudError> {
    let stopped: Vec<String> = seen.difference(want).cloned().collect();
    if stopped.is_empty() {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("autoscaling", "ResumeProcesses"), || {
            let request = clients.autoscaling.resume_processes().auto_scaling_group_name(group);
            request.set_scaling_processes(Some(stopped.clone())).send()
        })
        .await
        .map(drop)
}

async fn groups(clients: &Clients) -> Result<Vec<AutoScalingGroup>, CloudError> {
    let owned =
        Filter::builder().name(format!("tag:{TAG_OWNER}")).values(&clients.site.owner).build();
    clients
        .calls
        .pages(
            Call::read("autoscaling", "DescribeAutoScalingGroups"),
            |token| {
                let request = clients.autoscaling.describe_auto_scaling_groups();
                request.filters(owned.clone()).max_records(100).set_next_token(token).send()
            },
            |page| (page.auto_scaling_groups.unwrap_or_default(), page.next_token),
        )
        .await
        .map(|listed| listed.into_iter().filter(|group| !going(group)).collect())
}

/// A group has a status only while it is being deleted; there is no way back.
fn going(group: &AutoScalingGroup) -> bool {
    group.status().is_some_and(|status| !status.is_empty())
}

fn members(group: &AutoScalingGroup) -> impl Iterator<Item = (String, Member)> + '_ {
    let name = group.auto_scaling_group_name().unwrap_or_default();
    group.instances().iter().filter_map(move |instance| {
        let state = instance.lifecycle_state().map(|state| state.as_str()).unwrap_or_default();
        let leaving = ["Terminating", "Terminated", "Detach"];
        let member = Member {
            group: name.into(),
            leaving: leaving.iter().any(|word| state.starts_with(word)),
            protected: instance.protected_from_scale_in().unwrap_or(false),
        };
        Some((instance.instance_id()?.to_string(), member))
    })
}

fn read(group: &AutoScalingGroup, children: Children) -> Found {
    let mixed = group.mixed_instances_policy();
    let launch = mixed.and_then(|mixed| mixed.launch_template());
    let template = launch
        .and_then(|launch| launch.launch_template_specification())
        .or(group.launch_template());
    let distribution = mixed.and_then(|mixed| mixed.instances_distribution());
    let on_demand = distribution.and_then(|it| it.on_demand_percentage_above_base_capacity());
    let types = launch.map(|launch| launch.overrides()).unwrap_or_default();
    let strategy = distribution.and_then(|it| it.spot_allocation_strategy());
    let subnets = group.vpc_zone_identifier().unwrap_or_default().split(',');
    let name = group.auto_scaling_group_name().unwrap_or_default().to_string();
    let body = ScalingGroup {
        name: name.clone(),
        template: template.and_then(|it| it.launch_template_id()).unwrap_or_default().into(),
        template_version: template.and_then(|it| it.version()).unwrap_or_default().into(),
        instance_types: types.iter().filter_map(|it| it.instance_type.clone()).collect(),
        on_demand_base: distribution.and_then(|it| it.on_demand_base_capacity()).unwrap_or(0),
        spot_percent: 100 - on_demand.unwrap_or(100),
        spot_strategy: strategy.unwrap_or_default().into(),
        min: group.min_size().unwrap_or_default(),
        max: group.max_size().unwrap_or_default(),
        desired: group.desired_capacity().unwrap_or_default(),
        subnets: subnets.filter(|id| !id.is_empty()).map(str::to_string).collect(),
        health_grace_seconds: group.health_check_grace_period().unwrap_or_default(),
        capacity_rebalance: group.capacity_rebalance().unwrap_or(false),
        suspended: suspended(group),
        hooks: children.hooks,
        policies: children.policies,
        schedules: children.schedules,
        windows: vec![],
        instance_tags: launch_tags(group),
    };
    let arn = group.auto_scaling_group_arn().unwrap_or_default().to_string();
    let outputs = Outputs::from([("arn".into(), arn)]);
    Found { id: name, tags: all_tags(group), outputs, body: body.into() }
}

fn suspended(group: &AutoScalingGroup) -> BTreeSet<String> {
    let processes = group.suspended_processes().iter();
    processes.filter_map(|process| process.process_name.clone()).collect()
}

fn all_tags(group: &AutoScalingGroup) -> BTreeMap<String, String> {
    let tags = group.tags().iter();
    tags.map(|tag| (tag.key().unwrap_or_default().into(), tag.value().unwrap_or_default().into()))
        .collect()
}

/// The tags that workers get, as far as they are ours: foreign ones are left
/// alone, and the time of creation is the group's.
fn launch_tags(group: &AutoScalingGroup) -> BTreeMap<String, String> {
    let ours = |key: &str| (key.starts_with("lyceum:") || key == "Name") && key != TAG_CREATED;
    let tags = group.tags().iter().filter(|tag| tag.propagate_at_launch() == Some(true));
    tags.filter_map(|tag| Some((tag.key()?.to_string(), tag.value().unwrap_or_default().into())))
        .filter(|(key, _): &(String, String)| ours(key))
        .collect()
}

async fn named(clients: &Clients, name: &str) -> Result<Option<AutoScalingGroup>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("autoscaling", "DescribeAutoScalingGroups"), || {
            let request = clients.autoscaling.describe_auto_scaling_groups();
            request.auto_scaling_group_names(name).send()
        })
        .await?;
    Ok(answer.auto_scaling_groups.unwrap_or_default().into_iter().next())
}

async fn ours(
    clients: &Clients,
    name: &str,
    address: &Address,
) -> Result<Option<()>, CloudError> {
    let Some(group) = named(clients, name).await? else { return Ok(None) };
    if claim(&clients.site, "scaling-group", &all_tags(&group)) != Claim::Ours(address.clone()) {
        return Ok(None);
    }
    if going(&group) {
        let message = format!("{name} is still being deleted");
        return Err(CloudError::new(Class::NotYet, "autoscaling:CreateAutoScalingGroup", message));
    }
    Ok(Some(()))
}

async fn make(
    clients: &Clients,
    want: &ScalingGroup,
    tags: Vec<Tag>,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::once("autoscaling", "CreateAutoScalingGroup"), || {
            let request = clients.autoscaling.create_auto_scaling_group();
            request
                .auto_scaling_group_name(&want.name)
                .mixed_instances_policy(mixed(want))
                .min_size(want.min)
                .max_size(want.max)
                .desired_capacity(want.desired)
                .vpc_zone_identifier(subnets(want))
                .health_check_grace_period(want.health_grace_seconds)
                .capacity_rebalance(want.capacity_rebalance)
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await
        .map(drop)
}

/// Whether the group itself differs; children, tags and what is suspended are
/// written apart.
fn differs(seen: &ScalingGroup, want: &ScalingGroup) -> bool {
    let alone = |group: &ScalingGroup| ScalingGroup {
        desired: 0,
        suspended: BTreeSet::new(),
        hooks: BTreeMap::new(),
        policies: BTreeMap::new(),
        schedules: BTreeMap::new(),
        windows: vec![],
        instance_tags: BTreeMap::new(),
        ..group.clone()
    };
    alone(seen) != alone(want)
}

/// Writes the group whole but for its capacity: that is the autoscaler's.
async fn write(clients: &Clients, want: &ScalingGroup) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("autoscaling", "UpdateAutoScalingGroup"), || {
            let request = clients.autoscaling.update_auto_scaling_group();
            request
                .auto_scaling_group_name(&want.name)
                .mixed_instances_policy(mixed(want))
                .min_size(want.min)
                .max_size(want.max)
                .vpc_zone_identifier(subnets(want))
                .health_check_grace_period(want.health_grace_seconds)
                .capacity_rebalance(want.capacity_rebalance)
                .send()
        })
        .await
        .map(drop)
}

fn subnets(want: &ScalingGroup) -> String {
    want.subnets.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

fn mixed(want: &ScalingGroup) -> MixedInstancesPolicy {
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(&want.template)
        .version(&want.template_version)
        .build();
    let types = want.instance_types.iter();
    let overrides =
        types.map(|name| LaunchTemplateOverrides::builder().instance_type(name).build()).collect();
    let distribution = InstancesDistribution::builder()
        .on_demand_allocation_strategy("prioritized")
        .on_demand_base_capacity(want.on_demand_base)
        .on_demand_percentage_above_base_capacity(100 - want.spot_percent)
        .spot_allocation_strategy(&want.spot_strategy)
        .build();
    let launch = LaunchTemplate::builder()
        .launch_template_specification(template)
        .set_overrides(Some(overrides))
        .build();
    MixedInstancesPolicy::builder()
        .launch_template(launch)
        .instances_distribution(distribution)
        .build()
}

/// The tags that are missing, differ, or are to be handed on and are not yet.
/// The workers' tags are tags of the group that it hands on.
fn tags_to_write(
    group: &str,
    seen: &BTreeMap<String, String>,
    handed_on: &BTreeMap<String, String>,
    (own, want): (&BTreeMap<String, String>, &ScalingGroup),
) -> Vec<Tag> {
    let mut all = own.clone();
    all.extend(want.instance_tags.clone());
    all.iter()
        .map(|(key, value)| (key, value, want.instance_tags.contains_key(key)))
        .filter(|(key, value, hand_on)| {
            seen.get(*key) != Some(value) || handed_on.contains_key(*key) != *hand_on
        })
        .map(|(key, value, hand_on)| {
            tag(group, key).value(value).propagate_at_launch(hand_on).build()
        })
        .collect()
}

fn tag(group: &str, key: &str) -> aws_sdk_autoscaling::types::builders::TagBuilder {
    Tag::builder().resource_type("auto-scaling-group").resource_id(group).key(key)
}

async fn write_tags(clients: &Clients, tags: Vec<Tag>) -> Result<(), CloudError> {
    if tags.is_empty() {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("autoscaling", "CreateOrUpdateTags"), || {
            clients.autoscaling.create_or_update_tags().set_tags(Some(tags.clone())).send()
        })
        .await
        .map(drop)
}

/// Takes away what workers get and nobody wants.
async fn remove_tags<'a>(
    clients: &Clients,
    group: &str,
    there: impl Iterator<Item = &'a String>,
    (own, want): (&BTreeMap<String, String>, &ScalingGroup),
) -> Result<(), CloudError> {
    let wanted = |key: &String| own.contains_key(key) || want.instance_tags.contains_key(key);
    let gone: BTreeSet<&String> = there.filter(|key| !wanted(key)).collect();
    let extra: Vec<Tag> = gone.into_iter().map(|key| tag(group, key).build()).collect();
    if extra.is_empty() {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("autoscaling", "DeleteTags"), || {
            clients.autoscaling.delete_tags().set_tags(Some(extra.clone())).send()
        })
        .await
        .map(drop)
}

