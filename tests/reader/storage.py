"""File systems, parameters, buckets."""

import hashlib

from region import document, mount_targets, tagged, tags


def file_systems(aws):
    efs = aws.client("efs")
    found = []
    for system in aws.all("efs", "describe_file_systems", "FileSystems"):
        identity = system["FileSystemId"]
        lifecycle = efs.describe_lifecycle_configuration(FileSystemId=identity)["LifecyclePolicies"]
        targets = [one for one in mount_targets(aws) if one["FileSystemId"] == identity]
        found.append(
            tagged(
                system,
                id=identity,
                encrypted=system["Encrypted"],
                performance=system["PerformanceMode"],
                throughput=system.get("ThroughputMode", ""),
                lifecycle={key: value for policy in lifecycle for key, value in policy.items()},
                backup=backup(efs, identity),
                mount_targets={
                    target["SubnetId"]: sorted(
                        efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])[
                            "SecurityGroups"
                        ]
                    )
                    for target in targets
                },
            )
        )
    return found


def backup(efs, identity):
    try:
        return efs.describe_backup_policy(FileSystemId=identity)["BackupPolicy"]["Status"].replace("ING", "ED")
    except efs.exceptions.PolicyNotFound:
        return "DISABLED"


def access_points(aws):
    return [
        tagged(
            point,
            id=point["AccessPointId"],
            file_system=point["FileSystemId"],
            path=point["RootDirectory"]["Path"],
            creation=point["RootDirectory"].get("CreationInfo", {}),
        )
        for point in aws.all("efs", "describe_access_points", "AccessPoints")
    ]


def parameters(aws):
    """Names, types and tags; of what is no secret, the value."""
    ssm = aws.client("ssm")
    found = []
    for parameter in aws.all("ssm", "describe_parameters", "Parameters"):
        name = parameter["Name"]
        secret = parameter["Type"] == "SecureString"
        listed = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
        value = "" if secret else ssm.get_parameter(Name=name)["Parameter"]["Value"]
        found.append(tagged({"Tags": listed}, id=name, type=parameter["Type"], value=value))
    return found


def buckets(aws):
    s3 = aws.client("s3")

    def ask(operation, key, bucket):
        try:
            return getattr(s3, operation)(Bucket=bucket).get(key)
        except s3.exceptions.ClientError:
            return None

    found = []
    for bucket in aws.all("s3", "list_buckets", "Buckets"):
        name = bucket["Name"]
        if s3.get_bucket_location(Bucket=name)["LocationConstraint"] not in (aws.region, None):
            continue
        if s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None and aws.region != "us-east-1":
            continue
        found.append(
            tagged(
                {"Tags": ask("get_bucket_tagging", "TagSet", name)},
                id=name,
                versioning=ask("get_bucket_versioning", "Status", name),
                encryption=ask("get_bucket_encryption", "ServerSideEncryptionConfiguration", name),
                public_access=ask("get_public_access_block", "PublicAccessBlockConfiguration", name),
                policy=document(ask("get_bucket_policy", "Policy", name) or "{}"),
                lifecycle=ask("get_bucket_lifecycle_configuration", "Rules", name),
                keys=sorted(item["Key"] for item in aws.all("s3", "list_objects_v2", "Contents", Bucket=name)),
            )
        )
    return found


def stored(aws):
    """What lies under the clusters' prefix; of pointers what they say."""
    s3 = aws.client("s3")
    found = []
    for bucket in buckets(aws):
        for key in bucket["keys"]:
            if not key.startswith("clusters/"):
                continue
            answer = s3.get_object(Bucket=bucket["id"], Key=key)
            content = answer["Body"].read()
            one = {"id": key, "bucket": bucket["id"], "size": len(content)}
            if "/pointers/" in key:
                one["says"], one["metadata"] = content.decode(), answer["Metadata"]
            else:
                one["sha256"] = hashlib.sha256(content).hexdigest()
            found.append(one)
    return found
