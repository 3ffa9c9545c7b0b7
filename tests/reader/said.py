"""Prints what the emulator says to the same questions, byte by byte but for the
request's id: lists, errors, and answers that the question before might change.

    said.py --endpoint URL
"""

import argparse
import re

import boto3
from botocore.exceptions import ClientError

REQUEST = re.compile(rb"<(requestId|RequestId)>[^<]*</\1>")


def client(service, endpoint):
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1",
                        aws_access_key_id="test", aws_secret_access_key="test")


def said(endpoint):
    """A line for each question."""
    lines = []

    def hear(response_dict, operation_model, **_):
        body = REQUEST.sub(b"", response_dict["body"])
        lines.append(f"{operation_model.name} {response_dict['status_code']} {body!r}")

    def heard(service):
        made = client(service, endpoint)
        made.meta.events.register("before-parse", hear)
        return made

    ec2, iam, s3, sqs, ssm = map(heard, ("ec2", "iam", "s3", "sqs", "ssm"))
    autoscaling, cloudwatch, efs = map(heard, ("autoscaling", "cloudwatch", "efs"))
    discovery, events, route53, sts = map(heard, ("servicediscovery", "events", "route53", "sts"))
    vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]]
    ec2.describe_instances()
    ec2.describe_volumes()
    ec2.describe_subnets()
    ec2.describe_security_groups()
    ec2.describe_network_interfaces()
    ec2.describe_launch_templates()
    ec2.describe_tags()
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": vpcs[::-1]}])
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": ["vpc-*"]}])
    ours = {"Name": "key", "Values": ["lyceum:*"]}
    ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": vpcs}, ours])
    ec2.describe_launch_template_versions(Versions=["$Latest"])
    ec2.describe_route_tables()
    ec2.describe_internet_gateways()
    ec2.describe_addresses()
    ec2.describe_security_group_rules()
    ec2.describe_vpc_attribute(VpcId=vpcs[0], Attribute="enableDnsSupport")
    autoscaling.describe_auto_scaling_groups()
    autoscaling.describe_policies()
    autoscaling.describe_scheduled_actions()
    cloudwatch.describe_alarms()
    discovery.list_namespaces()
    discovery.list_services()
    efs.describe_access_points()
    events.list_rules()
    route53.list_hosted_zones()
    for bucket in s3.list_buckets()["Buckets"]:
        s3.list_objects_v2(Bucket=bucket["Name"])
        s3.get_bucket_tagging(Bucket=bucket["Name"])
        s3.get_bucket_policy(Bucket=bucket["Name"])
        s3.get_bucket_encryption(Bucket=bucket["Name"])
    sts.get_caller_identity()
    iam.list_roles()
    iam.list_instance_profiles()
    iam.get_account_authorization_details()
    sqs.list_queues()
    ssm.describe_parameters()
    for _ in range(2):
        refused(lambda: ec2.describe_instances(InstanceIds=["i-00000000000000000"]))
        refused(lambda: iam.get_role(RoleName="nobody"))
        refused(lambda: ssm.get_parameter(Name="/nothing"))
        refused(lambda: sqs.get_queue_url(QueueName="nowhere"))
        refused(lambda: s3.get_bucket_policy(Bucket="nothing-of-this-name"))
        refused(lambda: route53.get_hosted_zone(Id="ZNOTHING"))
    # It keeps whether the key was asked for, for all of EC2.
    for asked in (True, False, True):
        ec2.describe_key_pairs(IncludePublicKey=asked)
    return lines


def refused(ask):
    try:
        ask()
    except ClientError:
        return
    raise SystemExit("the emulator refuses nothing")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    endpoint = parser.parse_args().endpoint
    quiet = client("ec2", endpoint)
    if not quiet.describe_key_pairs()["KeyPairs"]:
        odd = [{"Key": "odd", "Value": "<a & 'b'> \"c\" \u00e9\u4e16 "}, {"Key": "empty", "Value": ""}]
        named = [{"ResourceType": "key-pair", "Tags": odd}]
        quiet.create_key_pair(KeyName="said", TagSpecifications=named)
    print("\n".join(said(endpoint)))
