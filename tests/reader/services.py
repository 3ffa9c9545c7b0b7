"""What surrounds the nodes: identity, events, alarms, names."""

from region import document, tagged


def queues(aws):
    sqs = aws.client("sqs")
    found = []
    for url in aws.all("sqs", "list_queues", "QueueUrls"):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        listed = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        found.append(
            tagged(
                {"Tags": [{"Key": key, "Value": value} for key, value in listed.items()]},
                id=url.rsplit("/", 1)[-1],
                arn=attributes["QueueArn"],
                policy=document(attributes.get("Policy", "{}")),
                retention=attributes.get("MessageRetentionPeriod"),
                encrypted=attributes.get("SqsManagedSseEnabled") == "true",
            )
        )
    return found


def event_rules(aws):
    events = aws.client("events")
    found = []
    for rule in aws.all("events", "list_rules", "Rules"):
        targets = aws.all("events", "list_targets_by_rule", "Targets", Rule=rule["Name"])
        found.append(
            tagged(
                {"Tags": events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]},
                id=rule["Name"],
                pattern=document(rule.get("EventPattern", "{}")),
                enabled=rule["State"] == "ENABLED",
                targets={target["Id"]: target["Arn"] for target in targets},
            )
        )
    return found


def alarms(aws):
    """Alarms but those that Auto Scaling makes for its own policies."""
    kept = (
        "AlarmDescription Namespace MetricName Dimensions Statistic ComparisonOperator Threshold Period"
        " EvaluationPeriods TreatMissingData AlarmActions"
    ).split()
    cloudwatch = aws.client("cloudwatch")
    found = []
    for alarm in aws.all("cloudwatch", "describe_alarms", "MetricAlarms"):
        if alarm["AlarmName"].startswith("TargetTracking-"):
            continue
        listed = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"]).get("Tags", [])
        attributes = {key: alarm.get(key) for key in kept}
        attributes["Dimensions"] = {one["Name"]: one["Value"] for one in alarm.get("Dimensions", [])}
        found.append(tagged({"Tags": listed}, id=alarm["AlarmName"], **attributes))
    return found


def namespaces(aws):
    return [
        tagged(
            discovery_tags(aws, namespace),
            id=namespace["Id"],
            description=namespace.get("Description", ""),
            name=namespace["Name"],
            type=namespace["Type"],
        )
        for namespace in aws.all("servicediscovery", "list_namespaces", "Namespaces")
    ]


def discovery_services(aws):
    discovery = aws.client("servicediscovery")
    found = []
    for service in aws.all("servicediscovery", "list_services", "Services"):
        full = discovery.get_service(Id=service["Id"])["Service"]
        registered = aws.all("servicediscovery", "list_instances", "Instances", ServiceId=service["Id"])
        found.append(
            tagged(
                discovery_tags(aws, service),
                id=service["Id"],
                name=service["Name"],
                namespace=full.get("NamespaceId", ""),
                dns=full.get("DnsConfig", {}).get("DnsRecords", []),
                instances={one["Id"]: one["Attributes"].get("AWS_INSTANCE_IPV4") for one in registered},
            )
        )
    return found


def discovery_tags(aws, item):
    """The tags of a namespace or a service, which no list has."""
    return aws.client("servicediscovery").list_tags_for_resource(ResourceARN=item["Arn"])


def roles(aws):
    iam = aws.client("iam")
    found = []
    for role in aws.all("iam", "list_roles", "Roles"):
        name = role["RoleName"]
        if role["Path"].startswith("/aws-service-role/"):
            continue
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        found.append(
            tagged(
                {"Tags": iam.list_role_tags(RoleName=name)["Tags"]},
                id=name,
                path=role["Path"],
                trust=document(role["AssumeRolePolicyDocument"]),
                policies={
                    policy: document(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
                    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
                },
                attached=sorted(policy["PolicyArn"] for policy in attached),
            )
        )
    return found


def instance_profiles(aws):
    iam = aws.client("iam")
    return [
        tagged(
            iam.get_instance_profile(InstanceProfileName=profile["InstanceProfileName"])["InstanceProfile"],
            id=profile["InstanceProfileName"],
            path=profile["Path"],
            roles=[role["RoleName"] for role in profile["Roles"]],
        )
        for profile in aws.all("iam", "list_instance_profiles", "InstanceProfiles")
    ]


def records(aws):
    """Records of public zones; Cloud Map's private zones are its own."""
    found = []
    for zone in aws.all("route53", "list_hosted_zones", "HostedZones"):
        if zone["Config"].get("PrivateZone") or zone["Name"].rstrip(".").endswith("-hz"):
            continue
        sets = aws.all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
        for record in sets:
            if record["Type"] in ("NS", "SOA"):
                continue
            values = sorted(one["Value"] for one in record.get("ResourceRecords", []))
            found.append(
                {
                    "address": "",
                    "id": f"{record['Name'].rstrip('.')} {record['Type']}",
                    "zone": zone["Name"].rstrip("."),
                    "ttl": record.get("TTL"),
                    "values": values,
                }
            )
    return found
