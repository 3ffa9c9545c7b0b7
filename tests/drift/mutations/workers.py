"""The scaling group with its hooks, policies and schedules."""

from .case import IGNORED, Case, gone

GROUP = "geo-101/scaling-group/workers"
NAME = "lyceum-geo-101-workers"
START = "lyceum-geo-101-monday-lab-start"


def described(account, name=NAME):
    return account.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]


def update(name=NAME, **changes):
    """Some of a group's settings. What is left out stays on AWS; the emulator
    would take the group's template away."""

    def mutate(account):
        kept = policy(account, name)
        account.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, MixedInstancesPolicy=kept, **changes)

    return mutate


def policy(account, name=NAME):
    """A group's policy, as it may be written again: the template is named by id
    or by name, not by both."""
    kept = described(account, name)["MixedInstancesPolicy"]
    del kept["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateName"]
    return kept


def mixed(change):
    """The group's policy with one thing changed."""

    def mutate(account):
        changed = policy(account)
        change(account, changed)
        account.autoscaling.update_auto_scaling_group(AutoScalingGroupName=NAME, MixedInstancesPolicy=changed)

    return mutate


def distribution(**changes):
    return mixed(lambda account, policy: policy["InstancesDistribution"].update(changes))


def template(account, policy):
    hub = account.id("geo-101/launch-template/hub")
    policy["LaunchTemplate"]["LaunchTemplateSpecification"] = {"LaunchTemplateId": hub, "Version": "1"}


def version(account, policy):
    policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] = "$Latest"


def types(account, policy):
    policy["LaunchTemplate"]["Overrides"] = [{"InstanceType": "m6i.large"}]


def order(account, policy):
    policy["LaunchTemplate"]["Overrides"].reverse()


def hook(name, heartbeat=300, result="CONTINUE"):
    return lambda account: account.autoscaling.put_lifecycle_hook(
        AutoScalingGroupName=NAME,
        LifecycleHookName=name,
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=heartbeat,
        DefaultResult=result,
    )


def tracking(name, target):
    return lambda account: account.autoscaling.put_scaling_policy(
        AutoScalingGroupName=NAME,
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": target,
        },
    )


def schedule(name, **changes):
    action = {"Recurrence": "0 8 * * MON", "TimeZone": "America/Denver", "MinSize": 8, **changes}
    return lambda account: account.autoscaling.put_scheduled_update_group_action(
        AutoScalingGroupName=NAME, ScheduledActionName=name, **action
    )


def tag(key, value, hand_on):
    return lambda account: account.autoscaling.create_or_update_tags(Tags=[one_tag(key, value, hand_on)])


def one_tag(key, value="", hand_on=True):
    resource = {"ResourceId": NAME, "ResourceType": "auto-scaling-group"}
    return {**resource, "Key": key, "Value": value, "PropagateAtLaunch": hand_on}


def untag(key):
    return lambda account: account.autoscaling.delete_tags(Tags=[one_tag(key)])


def capacity(count):
    return lambda account: account.autoscaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=count)


def suspend(process):
    return lambda account: account.autoscaling.suspend_processes(AutoScalingGroupName=NAME, ScalingProcesses=[process])


def one_subnet(account):
    update(VPCZoneIdentifier=account.id("geo-101/subnet/a"))(account)


def group(path, did, mutate, **more):
    return Case(GROUP, path, did, mutate, **more)


CASES = [
    group("template", "the hub's instead", mixed(template)),
    group("template_version", "the latest instead of a number", mixed(version)),
    group("instance_types", "another type", mixed(types)),
    group("instance_types", "another order", mixed(order)),
    group("on_demand_base", "raised", distribution(OnDemandBaseCapacity=2)),
    group("spot_percent", "half on demand", distribution(OnDemandPercentageAboveBaseCapacity=50)),
    group("spot_strategy", "another", distribution(SpotAllocationStrategy="lowest-price")),
    group("min", "none", update(MinSize=0)),
    group("max", "raised", update(MaxSize=50)),
    group("desired", "three", capacity(3), expect=IGNORED, undo=capacity(1)),
    group("subnets", "a zone taken away", one_subnet),
    group("health_grace_seconds", "shortened", update(HealthCheckGracePeriod=30)),
    group("suspended", "ending workers", suspend("Terminate")),
    group("hooks", "changed", hook("drain", heartbeat=30, result="ABANDON")),
    group("hooks", "added", hook("somebodys")),
    group(
        "hooks",
        "removed",
        lambda account: account.autoscaling.delete_lifecycle_hook(AutoScalingGroupName=NAME, LifecycleHookName="drain"),
    ),
    group("policies", "changed", tracking("lyceum-geo-101-cpu", 90.0)),
    group("policies", "its metric changed", tracking("lyceum-geo-101-sessions", 8.0)),
    group("policies", "added", tracking("somebodys", 70.0)),
    group(
        "policies",
        "removed",
        lambda account: account.autoscaling.delete_policy(
            AutoScalingGroupName=NAME, PolicyName="lyceum-geo-101-sessions"
        ),
    ),
    group("schedules", "its minimum changed", schedule(START, MinSize=2)),
    group("schedules", "its time changed", schedule(START, Recurrence="0 6 * * MON")),
    group("schedules", "its time zone changed", schedule(START, TimeZone="Europe/Berlin")),
    group("schedules", "added", schedule("somebodys", Recurrence="0 3 * * SUN", MinSize=0)),
    group(
        "schedules",
        "removed",
        lambda account: account.autoscaling.delete_scheduled_action(
            AutoScalingGroupName=NAME, ScheduledActionName=START
        ),
    ),
    group("instance_tags", "no longer handed on", tag("lyceum:cluster", "geo-101", False)),
    group("instance_tags", "one of ours added", tag("lyceum:label:room", "12", True)),
    group("tags", "changed", tag("lyceum:label:term", "1999-spring", True)),
    group("tags", "removed", untag("lyceum:label:term")),
    group(
        "tags",
        "a tag of somebody's",
        tag("cost-centre", "4711", True),
        expect=IGNORED,
        undo=untag("cost-centre"),
    ),
    gone(
        GROUP,
        "deleted",
        lambda account: account.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True),
    ),
]
