"""The account as somebody with a console sees it: clients, and the ids behind
the addresses that the program wrote into its tags."""

import base64
import json
from functools import cache

import boto3
from botocore.config import Config

ADDRESS = "lyceum:address"
REGION = "us-east-1"
#: Kind to the list it is found in, the list's key and the key of the id.
LISTS = {
    "vpc": ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    "subnet": ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    "internet-gateway": ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    "route-table": ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    "security-group": ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    "network-interface": ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    "elastic-ip": ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    "volume": ("ec2", "describe_volumes", "Volumes", "VolumeId"),
    "launch-template": ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    "file-system": ("efs", "describe_file_systems", "FileSystems", "FileSystemId"),
    "access-point": ("efs", "describe_access_points", "AccessPoints", "AccessPointId"),
}


class Account:
    """The account behind an endpoint. Nothing is remembered but the clients:
    what is asked for is looked up, since ids change when things are remade."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.client = cache(self._client)

    def _client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="lyceum",
            aws_secret_access_key="lyceum",
            config=Config(retries={"max_attempts": 0}),
        )

    def __getattr__(self, service):
        """`account.ec2`, `account.efs`, …"""
        return self.client(service)

    def object(self, address):
        """The description of the one tagged object of an address."""
        service, operation, key, _ = LISTS[address.split("/")[1]]
        listed = getattr(self.client(service), operation)()[key]
        found = [one for one in listed if address_of(one) == address]
        assert len(found) == 1, f"{address} is there {len(found)} times"
        return found[0]

    def id(self, address):
        """Its id."""
        if address.split("/")[1] == "instance":
            return self.instance(address)["InstanceId"]
        return self.object(address)[LISTS[address.split("/")[1]][3]]

    def instance(self, address="geo-101/instance/hub"):
        """The living instance of an address; of a group's the first."""
        states = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
        tag = {"Name": f"tag:{ADDRESS}", "Values": [address]}
        reservations = self.ec2.describe_instances(Filters=[states, tag])["Reservations"]
        return [one for reservation in reservations for one in reservation["Instances"]][0]

    def root_volume(self):
        """The id of the hub's root volume."""
        hub = self.instance()
        devices = {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in hub["BlockDeviceMappings"]}
        return devices[hub["RootDeviceName"]]

    def default_group(self, vpc="geo-101/vpc/main"):
        """The id of the security group that a VPC brings along."""
        of = [{"Name": "vpc-id", "Values": [self.id(vpc)]}, {"Name": "group-name", "Values": ["default"]}]
        return self.ec2.describe_security_groups(Filters=of)["SecurityGroups"][0]["GroupId"]

    def main_table(self, vpc="geo-101/vpc/main"):
        """The id of the route table that a VPC brings along."""
        of = [{"Name": "vpc-id", "Values": [self.id(vpc)]}, {"Name": "association.main", "Values": ["true"]}]
        return self.ec2.describe_route_tables(Filters=of)["RouteTables"][0]["RouteTableId"]

    def bucket(self):
        """The name of the region's bucket."""
        names = [one["Name"] for one in self.s3.list_buckets()["Buckets"]]
        return next(name for name in names if name.endswith(REGION))

    def queue(self):
        """The URL of the region's queue."""
        return self.sqs.list_queues()["QueueUrls"][0]

    def rule(self, name):
        """The full name of an event rule of the region: `spot`."""
        rules = self.events.list_rules()["Rules"]
        return next(one["Name"] for one in rules if one["Name"].endswith(f"-{name}"))

    def service(self, cluster="geo-101"):
        """The hub's service in a cluster's namespace."""
        services = self.servicediscovery.list_services()["Services"]
        return next(one for one in services if f"cluster={cluster} " in one["Description"])

    def namespace(self, cluster="geo-101"):
        """The id of a cluster's namespace."""
        listed = self.servicediscovery.list_namespaces()["Namespaces"]
        return next(one["Id"] for one in listed if one["Name"] == f"{cluster}.lyceum.internal")

    def zone(self, name="notebooks.example.edu."):
        """The id of a hosted zone."""
        zones = self.route53.list_hosted_zones()["HostedZones"]
        return next(one["Id"].rsplit("/", 1)[-1] for one in zones if one["Name"] == name)

    def mount_targets(self, address="geo-101/file-system/main"):
        """Subnet id to mount target id."""
        listed = self.efs.describe_mount_targets(FileSystemId=self.id(address))["MountTargets"]
        return {one["SubnetId"]: one["MountTargetId"] for one in listed}


def address_of(item):
    """What the address tag of something says."""
    pairs = {tag["Key"]: tag["Value"] for tag in item.get("Tags") or item.get("TagSet") or []}
    return pairs.get(ADDRESS, "")


def encoded(text):
    """As EC2 takes user data."""
    return base64.b64encode(text.encode()).decode()


def anybody(action="s3:GetObject"):
    """A policy document that lets everybody do something."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
