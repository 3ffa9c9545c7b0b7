"""Somebody who works in the AWS console instead of the repository.

    outsider.py --endpoint URL [--region REGION] look CLUSTER
    outsider.py --endpoint URL [--region REGION] meddle CLUSTER MAX

`look` prints as JSON whether the hub's port 443 is open to the world, how many
workers there may be, and how many objects carry the cluster's tag. `meddle`
closes the port, sets another maximum, and prints when that was done, in seconds
since 1970.
"""

import argparse
import json
import time

import boto3
from botocore.config import Config


class Account:
    """One region, as one cluster's tags show it."""

    def __init__(self, endpoint, region, cluster):
        self.cluster = cluster
        limits = Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=20)
        options = dict(endpoint_url=endpoint, region_name=region, config=limits)
        self.ec2 = boto3.client("ec2", **options)
        self.groups = boto3.client("autoscaling", **options)

    def open_rules(self):
        """The ids of the rules that open the hub's port 443 to the world."""
        tag = {"Name": "tag:lyceum:address", "Values": [f"{self.cluster}/security-group/hub"]}
        ids = [group["GroupId"] for group in self.ec2.describe_security_groups(Filters=[tag])["SecurityGroups"]]
        of_group = {"Name": "group-id", "Values": ids}
        rules = self.ec2.describe_security_group_rules(Filters=[of_group])["SecurityGroupRules"]
        return ids, [rule["SecurityGroupRuleId"] for rule in rules if opens(rule)]

    def workers(self):
        """The scaling group of the workers, or none."""
        found = self.groups.describe_auto_scaling_groups()["AutoScalingGroups"]
        wanted = {"lyceum:address": f"{self.cluster}/scaling-group/workers"}.items()
        return next((group for group in found if wanted <= {(tag["Key"], tag["Value"]) for tag in group["Tags"]}), None)

    def objects(self):
        """How many objects of EC2 carry the cluster's tag."""
        tag = [{"Name": "key", "Values": ["lyceum:cluster"]}, {"Name": "value", "Values": [self.cluster]}]
        return len(self.ec2.describe_tags(Filters=tag)["Tags"])

    def look(self):
        workers = self.workers()
        return {
            "open": bool(self.open_rules()[1]),
            "max": workers["MaxSize"] if workers else None,
            "objects": self.objects(),
        }

    def meddle(self, most):
        (group,), rules = self.open_rules()
        self.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=rules)
        name = self.workers()["AutoScalingGroupName"]
        self.groups.update_auto_scaling_group(AutoScalingGroupName=name, MaxSize=most)


def opens(rule):
    return not rule["IsEgress"] and rule["FromPort"] == 443 and rule.get("CidrIpv4") == "0.0.0.0/0"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--region", default="us-east-1")
    deeds = parser.add_subparsers(dest="deed", required=True)
    deeds.add_parser("look").add_argument("cluster")
    meddle = deeds.add_parser("meddle")
    meddle.add_argument("cluster")
    meddle.add_argument("max", type=int)
    arguments = parser.parse_args()
    account = Account(arguments.endpoint, arguments.region, arguments.cluster)
    if arguments.deed == "look":
        print(json.dumps(account.look()))
    else:
        account.meddle(arguments.max)
        print(json.dumps(time.time()))


if __name__ == "__main__":
    main()
