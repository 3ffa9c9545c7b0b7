//! What belongs to a group by its name: hooks, target-tracking policies and
//! scheduled actions.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{
    CustomizedMetricSpecification, MetricDimension, MetricStatistic, MetricType,
    PredefinedMetricSpecification, ScalingPolicy, ScheduledUpdateGroupAction,
    TargetTrackingConfiguration,
};
use lyceum_core::cloud::CloudError;
use lyceum_core::kind::{Hook, Metric, ScalingGroup, ScheduledAction, TargetTracking};

use crate::calls::Call;
use crate::clients::Clients;

/// What belongs to a group, as it is read.
pub(super) struct Children {
    pub(super) hooks: BTreeMap<String, Hook>,
    pub(super) policies: BTreeMap<String, TargetTracking>,
    pub(super) schedules: BTreeMap<String, ScheduledAction>,
}

/// Every group's policies.
pub(super) async fn policies(clients: &Clients) -> Result<Vec<ScalingPolicy>, CloudError> {
    clients
        .calls
        .pages(
            Call::read("autoscaling", "DescribePolicies"),
            |token| {
                let request = clients.autoscaling.describe_policies().max_records(100);
                request.set_next_token(token).send()
            },
            |page| (page.scaling_policies.unwrap_or_default(), page.next_token),
        )
        .await
}

/// Every group's scheduled actions.
pub(super) async fn schedules(clients: &Clients) -> Result<Vec<ScheduledUpdateGroupAction>, CloudError> {
    clients
        .calls
        .pages(
            Call::read("autoscaling", "DescribeScheduledActions"),
            |token| {
                let request = clients.autoscaling.describe_scheduled_actions().max_records(100);
                request.set_next_token(token).send()
            },
            |page| (page.scheduled_update_group_actions.unwrap_or_default(), page.next_token),
        )
        .await
}

/// One group's hooks.
pub(super) async fn hooks(clients: &Clients, group: &str) -> Result<BTreeMap<String, Hook>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("autoscaling", "DescribeLifecycleHooks"), || {
            clients.autoscaling.describe_lifecycle_hooks().auto_scaling_group_name(group).send()
        })
        .await?;
    let hooks = answer.lifecycle_hooks.unwrap_or_default().into_iter().map(|hook| {
        let read = Hook {
            transition: hook.lifecycle_transition.unwrap_or_default(),
            heartbeat_seconds: hook.heartbeat_timeout.unwrap_or_default(),
            default_result: hook.default_result.unwrap_or_default(),
        };
        (hook.lifecycle_hook_name.unwrap_or_default(), read)
    });
    Ok(hooks.collect())
}

/// What belongs to one group, but for its hooks.
pub(super) fn of(
    group: Option<&str>,
    policies: &[ScalingPolicy],
    schedules: &[ScheduledUpdateGroupAction],
) -> Children {
    let policies = policies.iter().filter(|policy| policy.auto_scaling_group_name() == group);
    let schedules = schedules.iter().filter(|action| action.auto_scaling_group_name() == group);
    Children {
        hooks: BTreeMap::new(),
        policies: policies.map(read_policy).collect(),
        schedules: schedules.map(read_schedule).collect(),
    }
}

/// A policy of another type reads as one that tracks its type: nobody wants it.
fn read_policy(policy: &ScalingPolicy) -> (String, TargetTracking) {
    let tracking = policy.target_tracking_configuration();
    let predefined = tracking.and_then(|it| it.predefined_metric_specification());
    let custom = tracking.and_then(|it| it.customized_metric_specification());
    let metric = match (predefined.and_then(|it| it.predefined_metric_type()), custom) {
        (Some(metric), _) => Metric::Predefined(metric.as_str().into()),
        (None, Some(custom)) => read_custom(custom),
        (None, None) => Metric::Predefined(policy.policy_type().unwrap_or_default().into()),
    };
    let read = TargetTracking {
        metric,
        target: tracking.and_then(|it| it.target_value()).unwrap_or_default(),
        // What is not said there is so.
        enabled: policy.enabled().unwrap_or(true),
        scales_in: !tracking.and_then(|it| it.disable_scale_in()).unwrap_or(false),
    };
    (policy.policy_name().unwrap_or_default().into(), read)
}

fn read_custom(custom: &CustomizedMetricSpecification) -> Metric {
    let dimensions = custom.dimensions().iter().map(|dimension| {
        let value = dimension.value().unwrap_or_default();
        (dimension.name().unwrap_or_default().to_string(), value.to_string())
    });
    Metric::Custom {
        namespace: custom.namespace().unwrap_or_default().into(),
        name: custom.metric_name().unwrap_or_default().into(),
        dimensions: dimensions.collect(),
        statistic: custom.statistic().map(|it| it.as_str().into()).unwrap_or_default(),
    }
}

fn read_schedule(action: &ScheduledUpdateGroupAction) -> (String, ScheduledAction) {
    let read = ScheduledAction {
        recurrence: action.recurrence().unwrap_or_default().into(),
        // What is not said there means this.
        timezone: action.time_zone().unwrap_or("UTC").into(),
        min: action.min_size().unwrap_or_default(),
        max: action.max_size(),
        desired: action.desired_capacity(),
    };
    (action.scheduled_action_name().unwrap_or_default().into(), read)
}

/// Writes what differs; what is not wanted is taken away.
pub(super) async fn write(
    clients: &Clients,
    seen: &ScalingGroup,
    want: &ScalingGroup,
) -> Result<(), CloudError> {
    let group = &want.name;
    for (name, hook) in differing(&seen.hooks, &want.hooks) {
        put_hook(clients, group, name, hook).await?;
    }
    for name in extra(&seen.hooks, &want.hooks) {
        delete_hook(clients, group, name).await?;
    }
    for (name, policy) in differing(&seen.policies, &want.policies) {
        put_policy(clients, group, name, policy).await?;
    }
    for name in extra(&seen.policies, &want.policies) {
        delete_policy(clients, group, name).await?;
    }
    for (name, action) in differing(&seen.schedules, &want.schedules) {
        // What is left out of a change stays as it was.
        let more = |there: &ScheduledAction| there.max.is_some() || there.desired.is_some();
        if seen.schedules.get(name).is_some_and(more) {
            delete_schedule(clients, group, name).await?;
        }
        put_schedule(clients, group, name, action).await?;
    }
    for name in extra(&seen.schedules, &want.schedules) {
        delete_schedule(clients, group, name).await?;
    }
    Ok(())
}

fn differing<'a, T: PartialEq>(
    seen: &'a BTreeMap<String, T>,
    want: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, &'a T)> {
    want.iter().filter(|(name, value)| seen.get(*name) != Some(value))
}

fn extra<'a, T>(
    seen: &'a BTreeMap<String, T>,
    want: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = &'a String> {
    seen.keys().filter(|name| !want.contains_key(*name))
}

async fn put_hook(
    clients: &Clients,
    group: &str,
    name: &str,
    hook: &Hook,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("autoscaling", "PutLifecycleHook"), || {
            let request = clients.autoscaling.put_lifecycle_hook();
            request
                .auto_scaling_group_name(group)
                .lifecycle_hook_name(name)
                .lifecycle_transition(&hook.transition)
                .heartbeat_timeout(hook.heartbeat_seconds)
                .default_result(&hook.default_result)
                .send()
        })
        .await
        .map(drop)
}

async fn delete_hook(clients: &Clients, group: &str, name: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("autoscaling", "DeleteLifecycleHook"), || {
            let request = clients.autoscaling.delete_lifecycle_hook();
            request.auto_scaling_group_name(group).lifecycle_hook_name(name).send()
        })
        .await
        .map(drop)
}

async fn put_policy(
    clients: &Clients,
    group: &str,
    name: &str,
    policy: &TargetTracking,
) -> Result<(), CloudError> {
    let tracking = tracking(policy);
    clients
        .calls
        .send(Call::repeatable("autoscaling", "PutScalingPolicy"), || {
            let request = clients.autoscaling.put_scaling_policy();
            request
                .auto_scaling_group_name(group)
                .policy_name(name)
                .policy_type("TargetTrackingScaling")
                .enabled(policy.enabled)
                .target_tracking_configuration(tracking.clone())
                .send()
        })
        .await
        .map(drop)
}

fn tracking(policy: &TargetTracking) -> TargetTrackingConfiguration {
    let tracking = TargetTrackingConfiguration::builder()
        .target_value(policy.target)
        .disable_scale_in(!policy.scales_in);
    match &policy.metric {
        Metric::Predefined(name) => {
            let metric = MetricType::from(name.as_str());
            let predefined =
                PredefinedMetricSpecification::builder().predefined_metric_type(metric).build();
            tracking.predefined_metric_specification(predefined).build()
        }
        Metric::Custom { namespace, name, dimensions, statistic } => {
            let dimension = |(name, value): (&String, &String)| {
                MetricDimension::builder().name(name).value(value).build()
            };
            let custom = CustomizedMetricSpecification::builder()
                .namespace(namespace)
                .metric_name(name)
                .set_dimensions(Some(dimensions.iter().map(dimension).collect()))
                .statistic(MetricStatistic::from(statistic.as_str()))
                .build();
            tracking.customized_metric_specification(custom).build()
        }
    }
}

async fn delete_policy(clients: &Clients, group: &str, name: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("autoscaling", "DeletePolicy"), || {
            let request = clients.autoscaling.delete_policy();
            request.auto_scaling_group_name(group).policy_name(name).send()
        })
        .await
        .map(drop)
}

async fn put_schedule(
    clients: &Clients,
    group: &str,
    name: &str,
    action: &ScheduledAction,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("autoscaling", "PutScheduledUpdateGroupAction"), || {
            let request = clients.autoscaling.put_scheduled_update_group_action();
            request
                .auto_scaling_group_name(group)
                .scheduled_action_name(name)
                .recurrence(&action.recurrence)
                .time_zone(&action.timezone)
                .min_size(action.min)
                .send()
        })
        .await
        .map(drop)
}

async fn delete_schedule(clients: &Clients, group: &str, name: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("autoscaling", "DeleteScheduledAction"), || {
            let request = clients.autoscaling.delete_scheduled_action();
            request.auto_scaling_group_name(group).scheduled_action_name(name).send()
        })
        .await
        .map(drop)
}
