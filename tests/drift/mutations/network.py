"""The cluster's network: VPC, subnets, ways out, groups, addresses."""

from .case import Case, gone

VPC = "geo-101/vpc/main"
GATEWAY = "geo-101/internet-gateway/main"
TABLE = "geo-101/route-table/public"
A, B = "geo-101/subnet/a", "geo-101/subnet/b"
HUB, WORKERS, STORAGE = (f"geo-101/security-group/{name}" for name in ("hub", "workers", "storage"))
INTERFACE = "geo-101/network-interface/hub"
ADDRESS = "geo-101/elastic-ip/hub"
WORLD = "0.0.0.0/0"


def tag(address, did, key, value):
    """A tag as somebody puts it on."""
    return Case(
        address,
        "tags",
        did,
        lambda account: account.ec2.create_tags(
            Resources=[account.id(address)], Tags=[{"Key": key, "Value": value}]
        ),
    )


def rename(address):
    return tag(address, "renamed", "Name", "somebody's")


def label(address):
    """As a label of the manifest would have made it."""
    return tag(address, "a label that nobody gave", "lyceum:label:colour", "red")


def unlabel(address, key):
    """A tag that is taken away."""
    return Case(
        address,
        "tags",
        f"{key} removed",
        lambda account: account.ec2.delete_tags(Resources=[account.id(address)], Tags=[{"Key": key}]),
    )


def delete_subnet(account):
    subnet = account.id(B)
    account.efs.delete_mount_target(MountTargetId=account.mount_targets()[subnet])
    leave_table(account, subnet)
    account.ec2.delete_subnet(SubnetId=subnet)


def associations(account):
    listed = account.object(TABLE)["Associations"]
    return {one["SubnetId"]: one["RouteTableAssociationId"] for one in listed if one.get("SubnetId")}


def leave_table(account, subnet):
    account.ec2.disassociate_route_table(AssociationId=associations(account)[subnet])


def move_subnet(account):
    association = associations(account)[account.id(A)]
    account.ec2.replace_route_table_association(AssociationId=association, RouteTableId=account.main_table())


def delete_table(account):
    table = account.id(TABLE)
    for association in associations(account).values():
        account.ec2.disassociate_route_table(AssociationId=association)
    account.ec2.delete_route_table(RouteTableId=table)


def detach_gateway(account):
    account.ec2.detach_internet_gateway(InternetGatewayId=account.id(GATEWAY), VpcId=account.id(VPC))


def delete_gateway(account):
    detach_gateway(account)
    account.ec2.delete_internet_gateway(InternetGatewayId=account.id(GATEWAY))


def rules(account, group, **wanted):
    """Rules of a group that have these values."""
    of = [{"Name": "group-id", "Values": [account.id(group)]}]
    listed = account.ec2.describe_security_group_rules(Filters=of)["SecurityGroupRules"]
    return [one for one in listed if all(one.get(key) == value for key, value in wanted.items())]


def revoke(group, egress=False, **wanted):
    def mutate(account):
        ids = [rule["SecurityGroupRuleId"] for rule in rules(account, group, IsEgress=egress, **wanted)]
        assert ids, f"{group} has no such rule"
        revoked = account.ec2.revoke_security_group_egress if egress else account.ec2.revoke_security_group_ingress
        revoked(GroupId=account.id(group), SecurityGroupRuleIds=ids)

    return mutate


def open_port(account):
    account.ec2.authorize_security_group_ingress(
        GroupId=account.id(HUB),
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8888, "ToPort": 8888, "IpRanges": [{"CidrIp": WORLD}]},
        ],
    )


def open_egress(account):
    account.ec2.authorize_security_group_egress(
        GroupId=account.id(STORAGE),
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": WORLD}]}],
    )


def change_rule(account):
    rule = rules(account, HUB, IsEgress=False, FromPort=443)[0]
    changed = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "198.51.100.0/24"}
    account.ec2.modify_security_group_rules(
        GroupId=account.id(HUB),
        SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": changed}],
    )


def describe_rule(account):
    account.ec2.update_security_group_rule_descriptions_ingress(
        GroupId=account.id(HUB),
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": WORLD, "Description": "somebody's"}],
            }
        ],
    )


def delete_storage_group(account):
    other = account.id(HUB)
    for target in account.mount_targets().values():
        account.efs.modify_mount_target_security_groups(MountTargetId=target, SecurityGroups=[other])
    account.ec2.delete_security_group(GroupId=account.id(STORAGE))


def regroup(account):
    account.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=account.id(INTERFACE), Groups=[account.default_group()]
    )


def delete_interface(account):
    interface = account.id(INTERFACE)
    account.ec2.terminate_instances(InstanceIds=[account.instance()["InstanceId"]])
    account.ec2.delete_network_interface(NetworkInterfaceId=interface)


def disassociate(account):
    account.ec2.disassociate_address(AssociationId=account.object(ADDRESS)["AssociationId"])


def take_address(account):
    worker = account.instance("geo-101/scaling-group/workers")
    account.ec2.associate_address(
        AllocationId=account.id(ADDRESS), InstanceId=worker["InstanceId"], AllowReassociation=True
    )


def release(account):
    disassociate(account)
    account.ec2.release_address(AllocationId=account.id(ADDRESS))


def vpc_attribute(name):
    return lambda account: account.ec2.modify_vpc_attribute(VpcId=account.id(VPC), **{name: {"Value": False}})


CASES = [
    Case(VPC, "dns_support", "switched off", vpc_attribute("EnableDnsSupport")),
    Case(VPC, "dns_host_names", "switched off", vpc_attribute("EnableDnsHostnames")),
    rename(VPC),
    unlabel(VPC, "lyceum:label:term"),
    label(VPC),
    Case(
        A,
        "map_public_ip",
        "switched off",
        lambda account: account.ec2.modify_subnet_attribute(
            SubnetId=account.id(A), MapPublicIpOnLaunch={"Value": False}
        ),
    ),
    rename(B),
    gone(B, "deleted with its mount target", delete_subnet, along=(TABLE, "geo-101/file-system/main")),
    Case(GATEWAY, "vpc", "detached", detach_gateway),
    rename(GATEWAY),
    gone(GATEWAY, "deleted", delete_gateway),
    Case(
        TABLE,
        "routes",
        "the way out removed",
        lambda account: account.ec2.delete_route(RouteTableId=account.id(TABLE), DestinationCidrBlock=WORLD),
    ),
    Case(
        TABLE,
        "routes",
        "a route added",
        lambda account: account.ec2.create_route(
            RouteTableId=account.id(TABLE), DestinationCidrBlock="192.0.2.0/24", GatewayId=account.id(GATEWAY)
        ),
    ),
    Case(
        TABLE,
        "routes",
        "the way out changed",
        lambda account: account.ec2.replace_route(
            RouteTableId=account.id(TABLE), DestinationCidrBlock=WORLD, NetworkInterfaceId=account.id(INTERFACE)
        ),
    ),
    Case(TABLE, "subnets", "a subnet taken away", lambda account: leave_table(account, account.id(B))),
    Case(TABLE, "subnets", "a subnet moved to the main table", move_subnet),
    rename(TABLE),
    gone(TABLE, "deleted", delete_table),
    Case(HUB, "rules", "HTTPS closed", revoke(HUB, FromPort=443)),
    Case(HUB, "rules", "a port opened", open_port),
    Case(HUB, "rules", "HTTPS narrowed", change_rule),
    Case(HUB, "rules", "a description changed", describe_rule),
    Case(HUB, "rules", "the way out closed", revoke(HUB, egress=True)),
    Case(STORAGE, "rules", "a way out opened", open_egress),
    Case(STORAGE, "rules", "all rules removed", revoke(STORAGE)),
    Case(WORKERS, "rules", "the swarm's ports closed", revoke(WORKERS, FromPort=7946)),
    rename(STORAGE),
    gone(STORAGE, "deleted", delete_storage_group, along=("geo-101/file-system/main",)),
    Case(INTERFACE, "security_groups", "put into the default group", regroup),
    Case(
        INTERFACE,
        "description",
        "changed",
        lambda account: account.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=account.id(INTERFACE), Description={"Value": "somebody's"}
        ),
    ),
    rename(INTERFACE),
    unlabel(INTERFACE, "lyceum:protect"),
    gone(INTERFACE, "deleted with the hub", delete_interface, along=("geo-101/instance/hub",)),
    Case(ADDRESS, "interface", "taken from the hub", disassociate),
    Case(ADDRESS, "interface", "given to a worker", take_address),
    rename(ADDRESS),
    unlabel(ADDRESS, "lyceum:protect"),
    gone(ADDRESS, "released", release),
]
