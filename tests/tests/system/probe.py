"""What boto3 sees through the fault proxy. `probe.py URL NAME` runs one probe
and fails with a traceback where AWS's behaviour is not what it should be."""

import sys
import time
from base64 import b64encode

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

KEYS = {"aws_access_key_id": "probe", "aws_secret_access_key": "probe"}


def client(service, **config):
    config.setdefault("retries", {"max_attempts": 0})
    config.setdefault("read_timeout", 10)
    return boto3.client(
        service, endpoint_url=sys.argv[1], region_name="us-east-1", config=Config(**config), **KEYS
    )


def refused(code, call, **params):
    try:
        call(**params)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{code} expected, and it was accepted")


def network(ec2, cidr="10.0.0.0/16"):
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr.replace("/16", "/24"))["Subnet"]["SubnetId"]
    return vpc, subnet


def tokens():
    ec2 = client("ec2")
    make = lambda size: ec2.create_volume(
        AvailabilityZone="us-east-1a", Size=size, ClientToken="token-1"
    )["VolumeId"]
    assert make(1) == make(1)
    refused("IdempotentParameterMismatch", make, size=2)
    template = lambda: ec2.create_launch_template(
        LaunchTemplateName="nodes", ClientToken="token-2", LaunchTemplateData={"InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    assert template() == template()
    image = ec2.describe_images()["Images"][0]["ImageId"]
    run = lambda: ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, ClientToken="token-3")[
        "Instances"
    ][0]["InstanceId"]
    assert run() == run()
    efs = client("efs")
    system = efs.create_file_system(CreationToken="fs")["FileSystemId"]
    point = efs.create_access_point(FileSystemId=system, ClientToken="ap")["AccessPointId"]
    again = refused(
        "AccessPointAlreadyExists", efs.create_access_point, FileSystemId=system, ClientToken="ap"
    )
    assert again["AccessPointId"] == point, again
    efs.delete_access_point(AccessPointId=point)
    assert efs.create_access_point(FileSystemId=system, ClientToken="ap")["AccessPointId"] != point


def dependencies():
    ec2 = client("ec2")
    vpc, subnet = network(ec2)
    group = lambda name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    one, two = group("one"), group("two")
    rule = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": one}]}]
    ec2.authorize_security_group_ingress(GroupId=two, IpPermissions=rule)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=one)
    ec2.revoke_security_group_ingress(GroupId=two, IpPermissions=rule)
    eni = ec2.create_network_interface(SubnetId=subnet, Groups=[one])["NetworkInterface"]["NetworkInterfaceId"]
    refused("DependencyViolation", ec2.delete_security_group, GroupId=one)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    association = ec2.associate_address(AllocationId=address, NetworkInterfaceId=eni)["AssociationId"]
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)
    refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1,
        NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": eni}],
    )["Instances"][0]["InstanceId"]
    refused("InvalidParameterValue", ec2.delete_network_interface, NetworkInterfaceId=eni)
    protect = lambda on: ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": on})
    protect(True)
    refused("OperationNotPermitted", ec2.terminate_instances, InstanceIds=[instance])
    protect(False)
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=address)
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_security_group(GroupId=one)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    ec2.delete_security_group(GroupId=two)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=vpc)


def existing():
    ec2, scaling, discovery = client("ec2"), client("autoscaling"), client("servicediscovery")
    vpc, subnet = network(ec2)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.create_launch_template(LaunchTemplateName="group", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"})
    group = dict(AutoScalingGroupName="g", MinSize=0, MaxSize=0, VPCZoneIdentifier=subnet,
                 LaunchTemplate={"LaunchTemplateName": "group", "Version": "1"})
    scaling.create_auto_scaling_group(**group)
    refused("AlreadyExists", scaling.create_auto_scaling_group, **group)
    discovery.create_private_dns_namespace(Name="x.internal", Vpc=vpc, CreatorRequestId="1")
    namespace = discovery.list_namespaces()["Namespaces"][0]["Id"]
    service = dict(Name="hub", NamespaceId=namespace, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}]})
    made = discovery.create_service(**service)["Service"]["Id"]
    refused("ServiceAlreadyExists", discovery.create_service, **service)
    refused("ResourceInUse", discovery.delete_namespace, Id=namespace)
    discovery.register_instance(ServiceId=made, InstanceId="hub", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.4"})
    refused("ResourceInUse", discovery.delete_service, Id=made)
    discovery.deregister_instance(ServiceId=made, InstanceId="hub")
    discovery.delete_service(Id=made)
    discovery.delete_namespace(Id=namespace)


def gone():
    iam = client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="p")
    member = dict(InstanceProfileName="p", RoleName="r")
    iam.add_role_to_instance_profile(**member)
    iam.remove_role_from_instance_profile(**member)
    refused("NoSuchEntity", iam.remove_role_from_instance_profile, **member)


def launched():
    ec2, autoscaling = client("ec2"), client("autoscaling")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    content = {"ImageId": image, "UserData": b64encode(b"#!/bin/sh\n").decode()}
    made = ec2.create_launch_template(LaunchTemplateName="later", LaunchTemplateData=content)
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=content)
    _, subnet = network(ec2, "10.9.0.0/16")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="later",
        LaunchTemplate={"LaunchTemplateId": template, "Version": "2"},
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=subnet,
    )
    groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["later"])
    assert len(groups["AutoScalingGroups"][0]["Instances"]) == 1, groups


def late():
    ec2, efs, iam = client("ec2"), client("efs"), client("iam")
    ids = lambda: [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert ids() == []
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc])
    assert ids() == [vpc]
    system = efs.create_file_system(CreationToken="x")["FileSystemId"]
    seen = [bool(efs.describe_file_systems()["FileSystems"]) for _ in range(3)]
    assert seen == [False, False, True], seen
    iam.create_instance_profile(InstanceProfileName="p")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={
        "ImageId": image, "InstanceType": "t3.micro", "IamInstanceProfile": {"Name": "p"}})
    run = dict(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "nodes"})
    for _ in range(2):
        error = refused("InvalidParameterValue", ec2.run_instances, **run)
        assert "Invalid IAM Instance Profile name" in error["Error"]["Message"]
    instance = ec2.run_instances(**run)["Instances"][0]["InstanceId"]
    seen = [bool(ec2.describe_instances()["Reservations"]) for _ in range(3)]
    assert seen == [False, False, True], seen


def pages():
    ec2, iam, ssm, s3, efs = (client(name) for name in ("ec2", "iam", "ssm", "s3", "efs"))
    scaling = client("autoscaling")
    for n in range(7):
        ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")
        iam.create_role(RoleName=f"r{n}", AssumeRolePolicyDocument="{}")
        ssm.put_parameter(Name=f"/p/{n}", Value="v", Type="String")
        efs.create_file_system(CreationToken=str(n))
    s3.create_bucket(Bucket="bucket")
    for n in range(7):
        s3.put_object(Bucket="bucket", Key=str(n))

    def read(service, operation, key, **params):
        pages = list(service.get_paginator(operation).paginate(**params))
        return len(pages), sum(len(page.get(key, [])) for page in pages)

    assert read(ec2, "describe_vpcs", "Vpcs") == (4, 8)
    assert read(iam, "list_roles", "Roles") == (4, 7)
    assert read(iam, "get_account_authorization_details", "RoleDetailList") == (4, 7)
    assert read(ssm, "get_parameters_by_path", "Parameters", Path="/p") == (4, 7)
    assert read(s3, "list_objects_v2", "Contents", Bucket="bucket") == (4, 7)
    assert read(efs, "describe_file_systems", "FileSystems") == (4, 7)
    assert read(scaling, "describe_auto_scaling_groups", "AutoScalingGroups") == (1, 0)
    instances = ec2.describe_instances()["Reservations"]
    assert instances == []


def throttled():
    expected = {"ec2": ("describe_vpcs", "RequestLimitExceeded", 503),
                "iam": ("list_roles", "Throttling", 400),
                "sts": ("get_caller_identity", "Throttling", 400),
                "autoscaling": ("describe_auto_scaling_groups", "Throttling", 400),
                "ssm": ("describe_parameters", "ThrottlingException", 400),
                "events": ("list_rules", "ThrottlingException", 400),
                "sqs": ("list_queues", "ThrottlingException", 400),
                "servicediscovery": ("list_namespaces", "ThrottlingException", 400),
                "s3": ("list_buckets", "SlowDown", 503),
                "efs": ("describe_file_systems", "ThrottlingException", 429),
                "route53": ("list_hosted_zones", "Throttling", 400),
                "cloudwatch": ("describe_alarms", None, 400)}
    for service, (operation, code, status) in expected.items():
        try:
            getattr(client(service), operation)()
        except ClientError as error:
            found = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            assert found[0] == code or code is None and found[0].startswith("Throttling"), (service, found)
            assert found[1] == status, (service, found)
        else:
            raise AssertionError(f"{service} was not throttled")


def faults():
    ec2 = client("ec2")
    count = lambda: len(ec2.describe_vpcs()["Vpcs"])
    before = count()
    refused("InternalError", ec2.create_vpc, CidrBlock="10.1.0.0/16")  # 500, nothing done
    assert count() == before
    refused("InternalError", ec2.create_vpc, CidrBlock="10.1.0.0/16")  # 500, done
    assert count() == before + 1
    for done in (1, 1, 2):  # timeout before, denied, lost answer
        try:
            ec2.create_vpc(CidrBlock="10.1.0.0/16")
        except (ClientError, ConnectionError, HTTPClientError):
            pass
        else:
            raise AssertionError("an answer came")
        assert count() == before + done, (done, count())
    started = time.time()
    ec2.describe_subnets()
    assert 0.2 <= time.time() - started < 5


def unimplemented():
    autoscaling = client("autoscaling")
    try:
        autoscaling.start_instance_refresh(AutoScalingGroupName="g")
    except ResponseParserError:
        return
    raise AssertionError("implemented by now")


if __name__ == "__main__":
    globals()[sys.argv[2]]()
