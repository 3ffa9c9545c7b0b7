"""Instances, what they are launched from, what scales them."""

from region import ADDRESS, CREATED, decoded, tagged, tags


def volumes(aws):
    live = {instance["InstanceId"] for instance in aws.live_instances()}
    found = []
    for volume in aws.all("ec2", "describe_volumes", "Volumes"):
        attached = {one["Device"]: one["InstanceId"] for one in volume["Attachments"]}
        if attached and not set(attached.values()) & live and ADDRESS not in tags(volume):
            continue  # the root volume of a terminated instance
        found.append(
            tagged(
                volume,
                id=volume["VolumeId"],
                # A worker is in whichever zone its group has chosen.
                zone=volume["AvailabilityZone"] if ADDRESS in tags(volume) else "",
                size_gib=volume["Size"],
                type=volume["VolumeType"],
                encrypted=volume["Encrypted"],
                attached={device: one for device, one in attached.items() if one in live},
            )
        )
    return found


def launch_templates(aws):
    found, present = [], template_tags(aws)
    for template in aws.all("ec2", "describe_launch_templates", "LaunchTemplates"):
        versions = aws.all(
            "ec2",
            "describe_launch_template_versions",
            "LaunchTemplateVersions",
            LaunchTemplateId=template["LaunchTemplateId"],
            # Of many versions the emulator lists only the first.
            Versions=["$Latest"],
        )
        [newest] = versions
        content = dict(newest["LaunchTemplateData"])
        content["UserData"] = decoded(content.get("UserData"))
        found.append(
            tagged(
                {"Tags": present.get(template["LaunchTemplateId"])},
                id=template["LaunchTemplateId"],
                name=template["LaunchTemplateName"],
                newest=newest["VersionNumber"],
                description=newest.get("VersionDescription", ""),
                content=without_times(content),
            )
        )
    return found


def template_tags(aws):
    """The tags by template: the emulator's list has them as they were at first."""
    found, kind = {}, {"Name": "resource-type", "Values": ["launch-template"]}
    for tag in aws.all("ec2", "describe_tags", "Tags", Filters=[kind]):
        found.setdefault(tag["ResourceId"], []).append(tag)
    return found


def without_times(content):
    """Template data without the tag of the time of creation."""
    for specification in content.get("TagSpecifications", []):
        kept = [tag for tag in specification["Tags"] if tag["Key"] != CREATED]
        specification["Tags"] = sorted(kept, key=lambda tag: tag["Key"])
    return content


def instances(aws):
    """Instances but those of a scaling group, which come and go."""
    ec2 = aws.client("ec2")
    found = []
    for instance in aws.live_instances():
        if tags(instance).get("aws:autoscaling:groupName"):
            continue

        def attribute(name, key, instance=instance):
            return ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute=name)[key].get("Value")

        options = instance.get("MetadataOptions", {})
        found.append(
            tagged(
                instance,
                id=instance["InstanceId"],
                state=instance["State"]["Name"].replace("pending", "running"),
                image=instance["ImageId"],
                type=instance["InstanceType"],
                subnet=instance["SubnetId"],
                profile=instance.get("IamInstanceProfile", {}).get("Arn", "").rsplit("/", 1)[-1],
                metadata_tokens=options.get("HttpTokens"),
                metadata_hop_limit=options.get("HttpPutResponseHopLimit"),
                termination_protected=attribute("disableApiTermination", "DisableApiTermination"),
                user_data=decoded(attribute("userData", "UserData")),
                interfaces=[one["NetworkInterfaceId"] for one in instance["NetworkInterfaces"]],
                root_device=instance.get("RootDeviceName", ""),
                devices={
                    device["DeviceName"]: device["Ebs"]["VolumeId"]
                    for device in instance.get("BlockDeviceMappings", [])
                },
            )
        )
    return found


def scaling_groups(aws):
    scaling = aws.client("autoscaling")
    found = []
    for group in aws.all("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
        name = group["AutoScalingGroupName"]
        mixed = group.get("MixedInstancesPolicy", {})
        hooks = scaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
        policies = aws.all("autoscaling", "describe_policies", "ScalingPolicies", AutoScalingGroupName=name)
        actions = aws.all(
            "autoscaling", "describe_scheduled_actions", "ScheduledUpdateGroupActions", AutoScalingGroupName=name
        )
        found.append(
            tagged(
                group,
                id=name,
                propagated=sorted(tag["Key"] for tag in group["Tags"] if tag["PropagateAtLaunch"]),
                min=group["MinSize"],
                max=group["MaxSize"],
                desired=group["DesiredCapacity"],
                members=len([one for one in group["Instances"]]),
                subnets=sorted(group["VPCZoneIdentifier"].split(",")),
                template=mixed.get("LaunchTemplate", {}).get("LaunchTemplateSpecification", group.get("LaunchTemplate")),
                overrides=[one["InstanceType"] for one in mixed.get("LaunchTemplate", {}).get("Overrides", [])],
                distribution=mixed.get("InstancesDistribution", {}),
                health_grace=group.get("HealthCheckGracePeriod"),
                capacity_rebalance=group.get("CapacityRebalance", False),
                hooks={
                    hook["LifecycleHookName"]: {
                        "transition": hook["LifecycleTransition"],
                        "heartbeat": hook["HeartbeatTimeout"],
                        "default": hook["DefaultResult"],
                    }
                    for hook in hooks
                },
                policies={
                    policy["PolicyName"]: {
                        "type": policy["PolicyType"],
                        "tracking": policy.get("TargetTrackingConfiguration", {}),
                    }
                    for policy in policies
                },
                schedules={
                    action["ScheduledActionName"]: {
                        "recurrence": action.get("Recurrence", ""),
                        "timezone": action.get("TimeZone", ""),
                        "min": action.get("MinSize"),
                        "max": action.get("MaxSize"),
                        "desired": action.get("DesiredCapacity"),
                    }
                    for action in actions
                },
            )
        )
    return found
