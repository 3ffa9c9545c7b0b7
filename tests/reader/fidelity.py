"""Holds what is in the emulator against what the manifests ask for: every
resource and attribute of the documentation, for every cluster, read by boto3.

    fidelity.py --endpoint URL --repo DIR [--agent FILE]

The agent is the one the program carries; without one nodes start without.
Prints every failure and exits 1 where there is one. Names, tags and manifests
are its only contract with the program; it shares no code with it.
"""

import argparse
import hashlib
import ipaddress
import json
import sys
from pathlib import Path

import cloud
import manifests
import nodes
import ownership
from expect import Expectations, actions, as_list
from region import OWNER

IMAGES = {"debian-12": "debian-12-", "ubuntu-24.04": "ubuntu/images/", "amazon-linux-2023": "al2023-"}
# Nodes fetch packages and images; storage answers and begins nothing.
EVERYWHERE = {("-1", -1, -1, "0.0.0.0/0")}
# The user every notebook runs as.
NOTEBOOK_USER = 1000
# The emulator's.
ACCOUNT = "123456789012"


def network(expect, spec):
    asked = spec["network"]
    vpc = expect.one("vpc", "main")
    expect.same(
        "vpc/main",
        cidr=(vpc["cidr"], asked["cidr"]),
        dns_support=(vpc["dns_support"], True),
        dns_host_names=(vpc["dns_host_names"], True),
    )
    gateway = expect.one("internet-gateway", "main")
    expect.same("internet-gateway/main", attached=(gateway["attached"], [vpc["id"]]))
    found = [expect.one("subnet", "abcdef"[place]) for place in range(asked["zones"])]
    for place, subnet in enumerate(found):
        inside = subnet and ipaddress.ip_network(subnet["cidr"]).subnet_of(ipaddress.ip_network(asked["cidr"]))
        expect.true(f"subnet/{'abcdef'[place]}", f"it lies in {asked['cidr']}", inside)
        expect.same(
            f"subnet/{'abcdef'[place]}",
            vpc=(subnet["vpc"], vpc["id"]),
            map_public_ip=(subnet["map_public_ip"], True),
        )
    expect.same("subnet", zones=(len({subnet["zone"] for subnet in found}), asked["zones"]))
    own = [one for one in expect.objects("subnet") if one["vpc"] == vpc["id"]]
    expect.same("subnet", count=(len(own), asked["zones"]))
    table = expect.one("route-table", "public")
    expect.same(
        "route-table/public",
        vpc=(table["vpc"], vpc["id"]),
        routes=(table["routes"], {"0.0.0.0/0": gateway["id"]}),
        subnets=(table["subnets"], sorted(subnet["id"] or "" for subnet in found)),
    )
    return vpc, found


def firewall(expect, spec, vpc):
    groups = {name: expect.one("security-group", name) for name in ("hub", "workers", "storage")}
    names = {group["id"]: name for name, group in groups.items()}
    for name, group in groups.items():
        expect.same(f"security-group/{name}", vpc=(group["vpc"], vpc["id"]))

    def opened(name):
        rules = groups[name]["rules"] or []
        incoming = [rule for rule in rules if rule["direction"] == "ingress"]
        return {
            (rule["protocol"], rule["from"], rule["to"], names.get(rule["peer"], rule["peer"])) for rule in incoming
        }

    for name, rules in (("hub", EVERYWHERE), ("workers", EVERYWHERE), ("storage", set())):
        outgoing = [rule for rule in groups[name]["rules"] or [] if rule["direction"] == "egress"]
        found = {(rule["protocol"], rule["from"], rule["to"], rule["peer"]) for rule in outgoing}
        expect.same(f"security-group/{name}", outgoing=(found, rules))

    asked = spec["network"]
    admins = asked["adminCidrs"] if asked["adminKeys"] else []
    ssh = {("tcp", 22, 22, cidr) for cidr in admins}
    for name in ("hub", "workers"):
        what = f"security-group/{name}"
        expect.same(what, ssh=({rule for rule in opened(name) if rule[1] <= 22 <= rule[2]}, ssh))
        outside = {rule for rule in opened(name) if rule[3] not in names.values()} - ssh
        world = {("tcp", 80, 80, "0.0.0.0/0"), ("tcp", 443, 443, "0.0.0.0/0")} if name == "hub" else set()
        expect.same(what, open_to_others=(outside, world))
        for protocol, port in (("tcp", 7946), ("udp", 7946), ("udp", 4789)):
            peers = {rule[3] for rule in opened(name) if rule[:3] == (protocol, port, port)}
            other = "workers" if name == "hub" else "hub"
            expect.true(what, f"{protocol}/{port} is open to {other}", other in peers)
    for port in (2377, 8081):
        holds = ("tcp", port, port, "workers") in opened("hub")
        expect.true("security-group/hub", f"tcp/{port} is open to the workers", holds)
    nfs = {("tcp", 2049, 2049, "hub"), ("tcp", 2049, 2049, "workers")}
    expect.same("security-group/storage", ingress=(opened("storage"), nfs))
    return groups


def identity(expect, spec, owner, repository):
    cluster, region = expect.scope, expect.region
    for group in ("hub", "workers"):
        name, path = f"{owner}-{cluster}-{group}", f"/{owner}/{cluster}/"
        role = expect.one("role", group, id=name)
        profile = expect.one("instance-profile", group, id=name)
        expect.same(
            f"role/{group}",
            path=(role["path"], path),
            address=(role["address"], f"{cluster}/role/{group}"),
            attached=(role["attached"], []),
        )
        expect.true(f"role/{group}", "EC2 may assume it", "ec2.amazonaws.com" in json.dumps(role["trust"]))
        expect.same(f"instance-profile/{group}", path=(profile["path"], path), roles=(profile["roles"], [name]))
        published = nodes.written_parameters(repository, spec[group]["roles"])
        least_privilege(expect, role, group, (owner, published))


# What has no resource to be restricted to, in AWS's own reference.
UNRESTRICTED = ("cloudwatch:PutMetricData", "ssmmessages:", "ec2messages:", "ssm:UpdateInstanceInformation",
                "ec2:Describe", "autoscaling:Describe", "ecr:GetAuthorizationToken")


def least_privilege(expect, role, group, owner_and_published):
    what, cluster, (owner, published) = f"role/{group}", expect.scope, owner_and_published
    allowed = list(actions(role["policies"]))
    expect.true(what, "it may do something", allowed)
    reads, writes = set(), set()
    for action, resources, condition in allowed:
        expect.true(what, f"{action} names its actions one by one", not action.endswith("*"))
        if not action.startswith(UNRESTRICTED):
            expect.true(what, f"{action} is restricted to resources", "*" not in resources)
        for resource in resources:
            parameter = resource.partition(":parameter")[2]
            if action.startswith("ssm:GetParameter"):
                reads.add(parameter)
            if action.startswith("ssm:PutParameter"):
                writes.add(parameter)
            if ":parameter" in resource:
                own = parameter.startswith(f"/{owner}/{cluster}/")
                expect.true(what, f"{parameter} is a parameter of its own", own)
            if ":s3:::" in resource and "/" in resource:
                expect.true(what, f"{resource} is its own prefix", f"/clusters/{cluster}/" in resource)
            if ":s3:::" in resource:
                owner_of = condition.get("StringEquals", {}).get("aws:ResourceAccount")
                expect.same(what, **{f"account_of_{action}": (owner_of, [ACCOUNT])})
            if action == "cloudwatch:PutMetricData":
                own = {"cloudwatch:namespace": [f"Lyceum/{owner}/{cluster}"]}
                expect.same(what, metrics=(condition.get("StringEquals"), own))
            if action == "s3:ListBucket":
                expect.true(what, "it lists its own prefix only", f"clusters/{cluster}/" in json.dumps(condition))
            if ":autoscaling:" in resource:
                own = resource.endswith(f"/{owner}-{cluster}-workers")
                expect.true(what, f"{resource} is its own group", own)
    token = f"/{owner}/{cluster}/swarm-join-token"
    expect.true(what, "it reads the swarm's join token", token in reads)
    wanted = {f"/{owner}/{cluster}/{name}" for name in published} | ({token} if group == "hub" else set())
    expect.same(what, writes_parameters=(writes, wanted))
    expect.true(what, "it reads parameters by name alone", all("*" not in name for name in reads))


def storage(expect, spec, subnets, groups):
    asked = spec["storage"]
    system = expect.one("file-system", "main")
    lifecycle = f"AFTER_{asked['transitionToIADays']}_DAYS" if asked["transitionToIADays"] else None
    # The emulator has no backup policies that can be put: what is set when the
    # file system is made is all there is.
    expect.same(
        "file-system/main",
        encrypted=(system["encrypted"], True),
        lifecycle=((system["lifecycle"] or {}).get("TransitionToIA"), lifecycle),
        backup=(system["backup"], "ENABLED" if asked["backup"] else "DISABLED"),
        mount_targets=(
            system["mount_targets"],
            {subnet["id"]: [groups["storage"]["id"]] for subnet in subnets},
        ),
    )
    points = {"homes": ("/homes", "0755")}
    for shared in asked["shared"]:
        mode = "0755" if shared.get("readOnly", True) else "0775"
        points[shared["name"]] = (f"/shared/{shared['name']}", mode)
    for name, (path, mode) in points.items():
        point = expect.one("access-point", name)
        creation = point["creation"] or {}
        expect.same(
            f"access-point/{name}",
            file_system=(point["file_system"], system["id"]),
            path=(point["path"], path),
            uid=(creation.get("OwnerUid"), NOTEBOOK_USER),
            gid=(creation.get("OwnerGid"), NOTEBOOK_USER),
            mode=(creation.get("Permissions"), mode),
        )
    own = [one for one in expect.objects("access-point") if one["file_system"] == system["id"]]
    expect.same("access-point", count=(len(own), len(points)))


def names(expect, spec, owner, zones):
    cluster = expect.scope
    path = f"/{owner}/{cluster}/"
    for name, kind in (("facts", "String"), ("applied", "String"), ("swarm-join-token", "SecureString")):
        parameter = expect.one("parameter", name, id=path + name)
        expect.same(f"parameter/{name}", type=(parameter["type"], kind))
    namespace = expect.one("namespace", "main", name=f"{cluster}.{owner}.internal")
    expect.same("namespace/main", type=(namespace["type"], "DNS_PRIVATE"))
    service = expect.one("discovery-service", "hub", namespace=namespace["id"], name="hub")
    interface = expect.one("network-interface", "hub")
    registered = list((service["instances"] or {}).values())
    expect.same("discovery-service/hub", addresses=(registered, [interface["private_ip"]]))
    address = expect.one("elastic-ip", "hub")
    domain = spec.get("domain")
    if domain:
        record = expect.one("record", "hub", id=f"{domain} A")
        expect.same("record/hub", values=(record["values"], [address["public_ip"]]))
        above = (zone for zone in zones if domain == zone or domain.endswith(f".{zone}"))
        longest = max(above, key=len, default=None)
        expect.same("record/hub", zone=(record["zone"], longest))


def template_content(expect, name, template, volume_gib):
    """What both templates have; gives the content for more."""
    content = template["content"] or {}
    what = f"launch-template/{name}"
    options = content.get("MetadataOptions", {})
    volumes = [one.get("Ebs", {}) for one in content.get("BlockDeviceMappings", [])]
    expect.same(
        what,
        metadata_tokens=(options.get("HttpTokens"), "required"),
        hop_limit=(options.get("HttpPutResponseHopLimit"), 1),
        volumes=(
            [(one.get("VolumeSize"), one.get("VolumeType"), one.get("Encrypted")) for one in volumes],
            [(volume_gib, "gp3", True)],
        ),
    )
    expect.true(what, "its user data starts a script", content.get("UserData", "").startswith("#!"))
    expect.true(what, "its user data names the cluster", expect.scope in content.get("UserData", ""))
    return content


def profile_name(content):
    profile = content.get("IamInstanceProfile", {})
    return profile.get("Name") or profile.get("Arn", "").rsplit("/", 1)[-1]


def image(expect, what, identity, spec, images):
    """The image is of the cluster's system, and the newest of it."""
    prefix = IMAGES[spec["os"]]
    ours = [one for one in images if one["Name"].startswith(prefix)]
    newest = max(ours, key=lambda one: one["CreationDate"])["ImageId"]
    expect.same(what, image=(identity, spec.get("image", newest)))


def hub(expect, spec, subnets, groups, owner, images):
    asked = spec["hub"]
    name = f"{owner}-{expect.scope}-hub"
    content = template_content(expect, "hub", expect.one("launch-template", "hub"), asked["volumeGiB"])
    expect.same(
        "launch-template/hub",
        type=(content.get("InstanceType"), asked["instanceType"]),
        profile=(profile_name(content), name),
    )
    image(expect, "launch-template/hub", content.get("ImageId"), spec, images)
    instance = expect.one("instance", "hub")
    interface = expect.one("network-interface", "hub")
    volume = expect.one("volume", "hub")
    expect.same(
        "instance/hub",
        state=(instance["state"], "running"),
        type=(instance["type"], asked["instanceType"]),
        profile=(instance["profile"], name),
        metadata_tokens=(instance["metadata_tokens"], "required"),
        hop_limit=(instance["metadata_hop_limit"], 1),
        interfaces=(instance["interfaces"], [interface["id"]]),
    )
    image(expect, "instance/hub", instance["image"], spec, images)
    expect.same(
        "network-interface/hub",
        subnet=(interface["subnet"], subnets[0]["id"]),
        security_groups=(interface["security_groups"], [groups["hub"]["id"]]),
    )
    expect.same("elastic-ip/hub", interface=(expect.one("elastic-ip", "hub")["interface"], interface["id"]))
    expect.same(
        "volume/hub",
        size=(volume["size_gib"], asked["dataVolumeGiB"]),
        type=(volume["type"], "gp3"),
        encrypted=(volume["encrypted"], True),
        zone=(volume["zone"], subnets[0]["zone"]),
        attached=(list((volume["attached"] or {}).values()), [instance["id"]]),
    )
    root = (instance["devices"] or {}).get(instance["root_device"])
    found = next((one for one in expect.objects("volume") if one["id"] == root), {})
    expect.same(
        "instance/hub",
        root_encrypted=(found.get("encrypted"), True),
        root_size=(found.get("size_gib"), asked["volumeGiB"]),
        root_type=(found.get("type"), "gp3"),
        root_address=(found.get("address"), instance["address"]),
    )


def workers(expect, spec, subnets, groups, owner, images):
    asked, name = spec["workers"], f"{owner}-{expect.scope}-workers"
    template = expect.one("launch-template", "workers")
    content = template_content(expect, "workers", template, asked["volumeGiB"])
    security = content.get("SecurityGroupIds") or [
        group for one in content.get("NetworkInterfaces", []) for group in one.get("Groups", [])
    ]
    expect.same(
        "launch-template/workers",
        profile=(profile_name(content), name),
        security_groups=(security, [groups["workers"]["id"]]),
    )
    image(expect, "launch-template/workers", content.get("ImageId"), spec, images)
    group = expect.one("scaling-group", "workers")
    distribution, pinned = group["distribution"] or {}, group["template"] or {}
    minima = {asked["min"], *(one["min"] for one in asked["scaling"]["schedules"])}
    # Which of them depends on the hour.
    expect.true("scaling-group/workers", f"its minimum is one of {minima}", group["min"] in minima)
    # Where a group begins; nothing in the emulator scales one.
    begins = group["desired"] in minima and group["desired"] >= group["min"]
    expect.true("scaling-group/workers", f"it begins with one of {minima} and its minimum", begins)
    # What of them is on demand and what spot, the emulator rounds down both.
    missing = group["desired"] - group["members"]
    expect.true("scaling-group/workers", f"it has its members, {missing} are missing", missing in (0, 1))
    expect.same(
        "scaling-group/workers",
        name=(group["id"], name),
        max=(group["max"], asked["max"]),
        subnets=(group["subnets"], sorted(subnet["id"] or "" for subnet in subnets)),
        overrides=(group["overrides"], asked["instanceTypes"]),
        on_demand_base=(distribution.get("OnDemandBaseCapacity"), asked["purchase"]["onDemandBase"]),
        on_demand_percent=(
            distribution.get("OnDemandPercentageAboveBaseCapacity"),
            100 - asked["purchase"]["spotPercent"],
        ),
        spot_strategy=(distribution.get("SpotAllocationStrategy"), "price-capacity-optimized"),
        capacity_rebalance=(group["capacity_rebalance"], asked["purchase"]["spotPercent"] > 0),
        template=(pinned.get("LaunchTemplateId"), template["id"]),
        version=(pinned.get("Version"), str(template["newest"])),
    )
    expect.true("scaling-group/workers", "it tags its instances", OWNER in (group["propagated"] or []))
    hooks = list((group["hooks"] or {}).values())
    hook = {"transition": "autoscaling:EC2_INSTANCE_TERMINATING", "heartbeat": 300, "default": "CONTINUE"}
    expect.same("scaling-group/workers", hooks=(hooks, [hook]))
    scaling(expect, group, asked, owner)


def scaling(expect, group, asked, owner):
    what = "scaling-group/workers"
    tracking = [policy["tracking"] for policy in (group["policies"] or {}).values()]
    cpu = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": asked["scaling"]["cpuPercent"],
        "DisableScaleIn": False,
    }
    # As the nodes publish it.
    sessions = {
        "CustomizedMetricSpecification": {
            "Namespace": f"Lyceum/{owner}/{expect.scope}",
            "MetricName": "SessionsPerNode",
            "Dimensions": [{"Name": "Cluster", "Value": expect.scope}],
            "Statistic": "Average",
        },
        "TargetValue": asked["scaling"]["sessionsPerNode"],
        "DisableScaleIn": False,
    }
    in_order = sorted(tracking, key=lambda one: "CustomizedMetricSpecification" in one)
    expect.same(what, tracking=(in_order, [cpu, sessions]))
    schedules = asked["scaling"]["schedules"]
    wanted = sorted(
        [(one["start"], one.get("timezone", "UTC"), one["min"]) for one in schedules]
        + [(one["end"], one.get("timezone", "UTC"), asked["min"]) for one in schedules]
    )
    found = sorted((one["recurrence"], one["timezone"], one["min"]) for one in (group["schedules"] or {}).values())
    expect.same(what, schedules=(found, wanted))


# Dimension, metric with its statistic, threshold, seconds of a period, periods.
ALARMS = {
    "hub-unhealthy": ("InstanceId", ("StatusCheckFailed", "Maximum"), 1, 60, 3),
    "hub-cpu": ("InstanceId", ("CPUUtilization", "Average"), 90, 300, 3),
    "storage-io": ("FileSystemId", ("PercentIOLimit", "Maximum"), 95, 300, 3),
}


def alarms(expect, spec):
    targets = {"InstanceId": expect.one("instance", "hub")["id"], "FileSystemId": expect.one("file-system", "main")["id"]}
    topic = spec["alerts"].get("topicArn")
    for name, (dimension, metric, threshold, period, periods) in ALARMS.items():
        matching = [one for one in expect.objects("alarm") if one["id"].endswith(f"-{expect.scope}-{name}")]
        expect.same(f"alarm/{name}", count=(len(matching), 1))
        for alarm in matching:
            expect.same(
                f"alarm/{name}",
                metric=((alarm["MetricName"], alarm["Statistic"]), metric),
                comparison=(alarm["ComparisonOperator"], "GreaterThanOrEqualToThreshold"),
                threshold=(alarm["Threshold"], threshold),
                period=(alarm["Period"], period),
                periods=(alarm["EvaluationPeriods"], periods),
                missing_data=(alarm["TreatMissingData"], "notBreaching"),
                dimension=(alarm["Dimensions"], {dimension: targets[dimension]}),
                actions=(alarm["AlarmActions"] or [], [topic] if topic else []),
            )


def shared(expect, owner, tags):
    """What serves all clusters of a region."""
    bucket = expect.one("bucket", "artifacts")
    rules = bucket["encryption"] and bucket["encryption"]["Rules"]
    algorithm = rules and rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    statements = as_list((bucket["policy"] or {}).get("Statement", []))
    expect.same(
        "bucket/artifacts",
        versioning=(bucket["versioning"], "Enabled"),
        encryption=(algorithm, "AES256"),
        public_access=(set((bucket["public_access"] or {}).values()), {True}),
        policy=([plain(one) for one in statements], [only_tls(bucket)]),
        noncurrent_days=(noncurrent_days(bucket), [30]),
        markers_expire=(markers_expire(bucket), True),
    )
    queues = [one for one in expect.objects("queue") if one["id"].startswith(owner + "-")]
    rules = [one for one in expect.objects("event-rule") if one["id"].startswith(owner + "-")]
    expect.same("queue/events", count=(len(queues), 1))
    expect.same("event-rule", count=(len(rules), 2))
    ownership.region(expect, tags, (bucket, queues, rules))
    for rule in rules:
        targets = [[one for one in rule["targets"].values()], [queue["arn"] for queue in queues]]
        expect.same(f"event-rule/{rule['id']}", enabled=(rule["enabled"], True), targets=tuple(targets))
    details = json.dumps([rule["pattern"] for rule in rules])
    for event in ("Spot Instance Interruption Warning", "Instance-terminate Lifecycle Action"):
        expect.true("event-rule", f"some rule fires at '{event}'", event in details)
    for queue in queues:
        expect.same("queue/events", retention=(queue["retention"], "3600"), encrypted=(queue["encrypted"], True))
        expect.true("queue/events", "EventBridge may send", "events.amazonaws.com" in json.dumps(queue["policy"]))


def only_tls(bucket):
    """Nobody may do anything, with the bucket or what is in it, without TLS."""
    arn = f"arn:aws:s3:::{bucket['id']}"
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:*"],
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": ["false"]}},
    }


def plain(statement):
    """A statement in the one way of several in which IAM takes it; its name is free."""
    said = {key: value for key, value in statement.items() if key != "Sid"}
    said["Action"] = [one.lower() for one in as_list(statement.get("Action", []))]
    said["Resource"] = sorted(as_list(statement.get("Resource", [])))
    conditions = statement.get("Condition", {}).items()
    said["Condition"] = {
        operator: {key: as_list(value) for key, value in keys.items()} for operator, keys in conditions
    }
    return said


def noncurrent_days(bucket):
    """After how many days the rules in force remove what was overwritten."""
    rules = [rule for rule in bucket["lifecycle"] or [] if rule["Status"] == "Enabled"]
    expirations = [rule.get("NoncurrentVersionExpiration", {}) for rule in rules]
    return [one["NoncurrentDays"] for one in expirations if "NoncurrentDays" in one]


def markers_expire(bucket):
    """Whether a rule in force removes delete markers that hide nothing any more."""
    rules = [rule for rule in bucket["lifecycle"] or [] if rule["Status"] == "Enabled"]
    return any(rule.get("Expiration", {}).get("ExpiredObjectDeleteMarker") for rule in rules)


def public_zones(aws):
    """Every public zone of the account, whether or not a record of ours is in it."""
    listed = aws.all("route53", "list_hosted_zones", "HostedZones")
    return {zone["Name"].rstrip(".") for zone in listed if not zone["Config"].get("PrivateZone")}


def check(endpoint, repository, agent):
    clusters, owner = manifests.clusters(repository), manifests.owner(repository)
    regions = sorted({spec["region"] for _, spec in clusters.values()})
    found, failures, source = cloud.read(endpoint, regions), [], manifests.source(repository)
    zones = public_zones(cloud.Region(endpoint, regions[0]))
    for region in regions:
        expect = Expectations(found, region, f"@{region}", failures)
        shared(expect, owner, ownership.common(owner, source, {}))
    for cluster, (labels, spec) in clusters.items():
        expect = Expectations(found, spec["region"], cluster, failures)
        images = cloud.Region(endpoint, spec["region"]).all("ec2", "describe_images", "Images")
        vpc, subnets = network(expect, spec)
        groups = firewall(expect, spec, vpc)
        identity(expect, spec, owner, repository)
        nodes.check(expect, spec, owner, repository, cloud.Region(endpoint, spec["region"]))
        nodes.agent(expect, agent)
        storage(expect, spec, subnets, groups)
        names(expect, spec, owner, zones)
        hub(expect, spec, subnets, groups, owner, images)
        workers(expect, spec, subnets, groups, owner, images)
        alarms(expect, spec)
        ownership.cluster(expect, ownership.common(owner, source, labels))
    return len(clusters), failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--repo", required=True)
    parser.add_argument("--agent", type=Path)
    arguments = parser.parse_args()
    agent = arguments.agent and hashlib.sha256(arguments.agent.read_bytes()).hexdigest()
    count, failures = check(arguments.endpoint, arguments.repo, agent)
    print("\n".join(failures) or f"{count} clusters are as their manifests say")
    sys.exit(1 if failures or not count else 0)


if __name__ == "__main__":
    main()
