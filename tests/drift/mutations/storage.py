"""What holds data: file system, access points, bucket, parameters."""

import hashlib
from pathlib import Path

from account import anybody

from .case import IGNORED, Case, gone

SYSTEM = "geo-101/file-system/main"
POINT = "geo-101/access-point/datasets"
BUCKET = "@us-east-1/bucket/artifacts"
#: What stands for the node agent: some bytes.
AGENT = Path(__file__).parents[1] / "agent"
OBJECT = f"geo-101/object/agent-{hashlib.sha256(AGENT.read_bytes()).hexdigest()[:12]}"
FACTS = "geo-101/parameter/facts"
TOKEN = "geo-101/parameter/swarm-join-token"
ROOT_USER = {"OwnerUid": 0, "OwnerGid": 0, "Permissions": "0700"}


def lifecycle(policies):
    return lambda account: account.efs.put_lifecycle_configuration(
        FileSystemId=account.id(SYSTEM), LifecyclePolicies=policies
    )


def drop_target(account):
    targets = account.mount_targets()
    account.efs.delete_mount_target(MountTargetId=targets[account.id("geo-101/subnet/b")])


def regroup_target(account):
    targets = account.mount_targets()
    account.efs.modify_mount_target_security_groups(
        MountTargetId=targets[account.id("geo-101/subnet/a")], SecurityGroups=[account.default_group()]
    )


def delete_system(account):
    system = account.id(SYSTEM)
    points = account.efs.describe_access_points(FileSystemId=system)["AccessPoints"]
    for point in points:
        account.efs.delete_access_point(AccessPointId=point["AccessPointId"])
    for target in account.mount_targets().values():
        account.efs.delete_mount_target(MountTargetId=target)
    account.efs.delete_file_system(FileSystemId=system)


def efs_tag(address, key="Name", value="somebody's"):
    return Case(
        address,
        "tags",
        f"{key} changed",
        lambda account: account.efs.tag_resource(
            ResourceId=account.id(address), Tags=[{"Key": key, "Value": value}]
        ),
    )


def efs_untag(address, key):
    return Case(
        address,
        "tags",
        f"{key} removed",
        lambda account: account.efs.untag_resource(ResourceId=account.id(address), TagKeys=[key]),
    )


def remake_point(change):
    """A point of the same tags that is another: AWS cannot change one."""

    def mutate(account):
        point = account.object(POINT)
        root = point["RootDirectory"]
        wanted = {"Path": root["Path"], "CreationInfo": dict(root["CreationInfo"])}
        change(wanted)
        account.efs.delete_access_point(AccessPointId=point["AccessPointId"])
        account.efs.create_access_point(
            ClientToken="somebodys", Tags=point["Tags"], FileSystemId=point["FileSystemId"], RootDirectory=wanted
        )

    return mutate


def point(path, change):
    did = "made anew by somebody, otherwise"
    return Case(POINT, path, did, remake_point(change), action="replace")


def s3(operation, **arguments):
    return lambda account: getattr(account.s3, operation)(Bucket=account.bucket(), **arguments)


def encryption(algorithm):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
    return s3("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [rule]})


def expiry(days, markers=True):
    rule = {
        "ID": "somebodys",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }
    if markers:
        rule["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    return s3("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [rule]})


def bucket_tags(change):
    def mutate(account):
        name = account.bucket()
        pairs = {tag["Key"]: tag["Value"] for tag in account.s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        change(pairs)
        tags = [{"Key": key, "Value": value} for key, value in pairs.items()]
        account.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})

    return mutate


def agent(account):
    """The key of the cluster's node agent."""
    listed = account.s3.list_objects_v2(Bucket=account.bucket(), Prefix="clusters/geo-101/agents/")
    return listed["Contents"][0]["Key"]


def versions(account, key):
    listed = account.s3.list_object_versions(Bucket=account.bucket(), Prefix=key)
    return listed.get("Versions", []) + listed.get("DeleteMarkers", [])


def delete_bucket(account):
    name = account.bucket()
    for one in versions(account, ""):
        account.s3.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])
    account.s3.delete_bucket(Bucket=name)


def delete_object(account):
    account.s3.delete_object(Bucket=account.bucket(), Key=agent(account))


def overwrite_object(account):
    account.s3.put_object(Bucket=account.bucket(), Key=agent(account), Body=b"somebody's")


def alter_object(account):
    """As long as before, and one byte is another."""
    found = account.s3.get_object(Bucket=account.bucket(), Key=agent(account))
    content = bytearray(found["Body"].read())
    content[len(content) // 2] ^= 1
    account.s3.put_object(Bucket=account.bucket(), Key=agent(account), Body=bytes(content))


def put(name, value, kind="String"):
    return lambda account: account.ssm.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)


def delete(name):
    return lambda account: account.ssm.delete_parameter(Name=name)


def make_secret(account):
    """A parameter of the same name that is a secret."""
    name = "/lyceum/geo-101/facts"
    account.ssm.delete_parameter(Name=name)
    account.ssm.put_parameter(Name=name, Value="{}", Type="SecureString")


OPEN = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)

CASES = [
    Case(
        SYSTEM,
        "transition_to_ia_days",
        "shortened",
        lifecycle([{"TransitionToIA": "AFTER_7_DAYS"}]),
    ),
    Case(SYSTEM, "transition_to_ia_days", "removed", lifecycle([])),
    Case(SYSTEM, "mount_targets", "one deleted", drop_target),
    Case(SYSTEM, "mount_targets", "one in the default group", regroup_target),
    efs_tag(SYSTEM),
    efs_untag(SYSTEM, "lyceum:protect"),
    gone(
        SYSTEM,
        "deleted with all its access points",
        delete_system,
        along=(POINT, "geo-101/access-point/homes"),
    ),
    point("path", lambda root: root.update(Path="/elsewhere")),
    efs_tag(POINT),
    gone(POINT, "deleted", lambda account: account.efs.delete_access_point(AccessPointId=account.id(POINT))),
    Case(
        BUCKET, "versioning", "suspended", s3("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"})
    ),
    Case(BUCKET, "encryption", "another algorithm", encryption("aws:kms")),
    Case(BUCKET, "encryption", "removed", s3("delete_bucket_encryption")),
    Case(BUCKET, "public_access_blocked", "removed", s3("delete_public_access_block")),
    Case(
        BUCKET,
        "public_access_blocked",
        "one of four lifted",
        s3("put_public_access_block", PublicAccessBlockConfiguration={**OPEN, "BlockPublicPolicy": False}),
    ),
    Case(BUCKET, "policy", "removed", s3("delete_bucket_policy")),
    Case(BUCKET, "policy", "opened to all", s3("put_bucket_policy", Policy=anybody())),
    Case(BUCKET, "noncurrent_days", "shortened", expiry(1)),
    Case(BUCKET, "noncurrent_days", "removed", s3("delete_bucket_lifecycle")),
    Case(BUCKET, "markers_expire", "kept", expiry(30, markers=False)),
    Case(BUCKET, "tags", "renamed", bucket_tags(lambda pairs: pairs.update(Name="somebody's"))),
    Case(BUCKET, "tags", "its protection removed", bucket_tags(lambda pairs: pairs.pop("lyceum:protect"))),
    gone(
        BUCKET,
        "deleted with all it held",
        delete_bucket,
        along=("*/object/agent-*", "*/object/bundle-*", "*/pointer/*"),
        # What a cluster loses that only reports drift is not put back.
        last=True,
    ),
    Case(OBJECT, "size", "overwritten", overwrite_object),
    Case(OBJECT, "etag", "one byte altered", alter_object),
    gone(OBJECT, "deleted", delete_object),
    Case(FACTS, "value", "overwritten", put("/lyceum/geo-101/facts", '{"hub": "192.0.2.1"}')),
    Case(FACTS, "secure", "made anew as a secret", make_secret, action="replace"),
    gone(FACTS, "deleted", delete("/lyceum/geo-101/facts")),
    Case(
        TOKEN,
        "seed",
        "written by the hub",
        put("/lyceum/geo-101/swarm-join-token", "SWMTKN-1-x", "SecureString"),
        expect=IGNORED,
    ),
    gone(TOKEN, "deleted", delete("/lyceum/geo-101/swarm-join-token")),
]
