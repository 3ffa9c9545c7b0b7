"""One region of the account, and what all its readers share."""

import base64
import json
from urllib.parse import unquote

import boto3
from botocore.config import Config

ADDRESS, OWNER, CREATED = "lyceum:address", "lyceum:owner", "lyceum:created"
SOURCE, CLUSTER = "lyceum:source", "lyceum:cluster"
REGION, PROTECT = "lyceum:region", "lyceum:protect"
GONE = ("terminated", "shutting-down")


class Region:
    """One region of the account, each list read once."""

    def __init__(self, endpoint, region):
        self.endpoint, self.region = endpoint, region
        self._clients, self._lists = {}, {}

    def client(self, service):
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id="lyceum",
                aws_secret_access_key="lyceum",
                config=Config(retries={"max_attempts": 2}),
            )
        return self._clients[service]

    def all(self, service, operation, key, **params):
        """Every item of a list, over all its pages."""
        asked = (service, operation, key, json.dumps(params, sort_keys=True))
        if asked not in self._lists:
            client = self.client(service)
            if client.can_paginate(operation):
                pages = client.get_paginator(operation).paginate(**params)
            else:
                pages = [getattr(client, operation)(**params)]
            self._lists[asked] = [item for page in pages for item in page.get(key, [])]
        return self._lists[asked]

    def own_vpcs(self):
        return {vpc["VpcId"] for vpc in self.all("ec2", "describe_vpcs", "Vpcs") if not vpc["IsDefault"]}

    def live_instances(self):
        reservations = self.all("ec2", "describe_instances", "Reservations")
        instances = [instance for one in reservations for instance in one["Instances"]]
        return [instance for instance in instances if instance["State"]["Name"] not in GONE]


def tags(item, key="Tags"):
    """Tags as a dict, without the time of creation, which no two runs share."""
    pairs = {tag["Key"]: tag["Value"] for tag in item.get(key) or []}
    return {name: value for name, value in sorted(pairs.items()) if name != CREATED}


def tagged(item, **attributes):
    """What every tagged kind has."""
    own = tags(item, "TagSet" if "TagSet" in item else "Tags")
    return {"address": own.get(ADDRESS, ""), "tags": own, **attributes}


def document(text):
    """A policy document as JSON, however it was quoted."""
    return json.loads(unquote(text)) if isinstance(text, str) else text


def decoded(text):
    return base64.b64decode(text or "").decode("utf-8", "replace")


def mount_targets(aws):
    found = []
    for system in aws.all("efs", "describe_file_systems", "FileSystems"):
        asked = {"FileSystemId": system["FileSystemId"]}
        found += aws.all("efs", "describe_mount_targets", "MountTargets", **asked)
    return found
