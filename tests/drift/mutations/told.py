"""What nodes are told: pointers, and the key they are signed with."""

import json

from .case import BLOCKED, IGNORED, Case, gone

POINTER = "geo-101/pointer/hub"
OBJECT = "clusters/geo-101/pointers/hub.json"
KEY = "geo-101/signing-key/node"
PUBLIC = "/lyceum/geo-101/node-key"
PRIVATE = f"{PUBLIC}-private"

#: What somebody took away, to be put back by the same.
taken = {}


def altered(**changes):
    """Another body beside the present metadata, whose signature is not its."""

    def mutate(account):
        answer = account.s3.get_object(Bucket=account.bucket(), Key=OBJECT)
        body = json.loads(answer["Body"].read())
        for name, change in changes.items():
            body[name] = change(body)
        text = json.dumps(body, separators=(",", ":"))
        account.s3.put_object(Bucket=account.bucket(), Key=OBJECT, Body=text, Metadata=answer["Metadata"])

    return mutate


def unsigned(account):
    """The same body without its signature."""
    answer = account.s3.get_object(Bucket=account.bucket(), Key=OBJECT)
    taken.update(body=answer["Body"].read(), metadata=answer["Metadata"])
    account.s3.put_object(Bucket=account.bucket(), Key=OBJECT, Body=taken["body"])


def signed(account):
    account.s3.put_object(Bucket=account.bucket(), Key=OBJECT, Body=taken["body"], Metadata=taken["metadata"])


def delete_private(account):
    answer = account.ssm.get_parameter(Name=PRIVATE, WithDecryption=True)
    tags = account.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=PRIVATE)["TagList"]
    taken.update(private=answer["Parameter"]["Value"], tags=tags)
    account.ssm.delete_parameter(Name=PRIVATE)


def restore_private(account):
    account.ssm.put_parameter(Name=PRIVATE, Value=taken["private"], Type="SecureString", Tags=taken["tags"])


CASES = [
    Case(POINTER, "target", "another bundle", altered(target=lambda body: {**body["target"], "bundle": "0" * 64})),
    Case(POINTER, "previous", "a roll-out begun", altered(previous=lambda body: body["target"])),
    Case(
        POINTER,
        "wave",
        "an instance let ahead",
        altered(previous=lambda body: body["target"], wave=lambda body: ["i-1"]),
    ),
    Case(POINTER, "cluster", "of another cluster", altered(cluster=lambda body: "stats-200")),
    Case(POINTER, "group", "of another group", altered(group=lambda body: "workers")),
    Case(POINTER, "public_key", "signed with another key", altered(publicKey=lambda body: "A" * 43 + "=")),
    # The list of the bucket does not tell; nodes refuse it and report it.
    Case(POINTER, "signed", "its signature removed", unsigned, expect=IGNORED, undo=signed),
    gone(
        POINTER,
        "deleted",
        lambda account: account.s3.delete_object(Bucket=account.bucket(), Key=OBJECT),
    ),
    Case(KEY, "public_half", "deleted", lambda account: account.ssm.delete_parameter(Name=PUBLIC)),
    Case(
        KEY,
        "private_half",
        "deleted",
        delete_private,
        expect=BLOCKED,
        action="replace",
        undo=restore_private,
    ),
]
