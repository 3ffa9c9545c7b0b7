"""VPCs and what stands in them."""

import json

from region import ADDRESS, mount_targets, tagged, tags


def vpcs(aws):
    ec2 = aws.client("ec2")

    def attribute(vpc, request, answer):
        return ec2.describe_vpc_attribute(VpcId=vpc, Attribute=request)[answer]["Value"]

    return [
        tagged(
            vpc,
            id=vpc["VpcId"],
            cidr=vpc["CidrBlock"],
            dns_support=attribute(vpc["VpcId"], "enableDnsSupport", "EnableDnsSupport"),
            dns_host_names=attribute(vpc["VpcId"], "enableDnsHostnames", "EnableDnsHostnames"),
        )
        for vpc in aws.all("ec2", "describe_vpcs", "Vpcs")
        if not vpc["IsDefault"]
    ]


def subnets(aws):
    return [
        tagged(
            subnet,
            id=subnet["SubnetId"],
            vpc=subnet["VpcId"],
            cidr=subnet["CidrBlock"],
            zone=subnet["AvailabilityZone"],
            map_public_ip=subnet["MapPublicIpOnLaunch"],
        )
        for subnet in aws.all("ec2", "describe_subnets", "Subnets")
        if not subnet["DefaultForAz"]
    ]


def internet_gateways(aws):
    found = []
    for gateway in aws.all("ec2", "describe_internet_gateways", "InternetGateways"):
        attached = [attachment["VpcId"] for attachment in gateway["Attachments"]]
        if attached and not set(attached) & aws.own_vpcs():
            continue
        found.append(tagged(gateway, id=gateway["InternetGatewayId"], attached=sorted(attached)))
    return found


def route_tables(aws):
    found = []
    for table in aws.all("ec2", "describe_route_tables", "RouteTables"):
        main = any(association.get("Main") for association in table["Associations"])
        if main and table["VpcId"] in aws.own_vpcs() and len(table["Routes"]) == 1 and not tags(table):
            continue  # each VPC brings one along
        if table["VpcId"] not in aws.own_vpcs():
            continue
        routes = {
            route.get("DestinationCidrBlock", ""): route.get("GatewayId", "")
            for route in table["Routes"]
            if route.get("GatewayId") != "local"
        }
        subnets_served = sorted(one["SubnetId"] for one in table["Associations"] if one.get("SubnetId"))
        found.append(tagged(table, id=table["RouteTableId"], vpc=table["VpcId"], routes=routes, subnets=subnets_served))
    return found


def security_groups(aws):
    rules = aws.all("ec2", "describe_security_group_rules", "SecurityGroupRules")
    return [
        tagged(
            group,
            id=group["GroupId"],
            vpc=group["VpcId"],
            name=group["GroupName"],
            description=group["Description"],
            rules=sorted(
                (firewall_rule(rule) for rule in rules if rule["GroupId"] == group["GroupId"]),
                key=lambda rule: json.dumps(rule, sort_keys=True),
            ),
        )
        for group in aws.all("ec2", "describe_security_groups", "SecurityGroups")
        if group["GroupName"] != "default" and group["VpcId"] in aws.own_vpcs()
    ]


def firewall_rule(rule):
    peer = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("ReferencedGroupInfo", {}).get("GroupId", "")
    return {
        "direction": "egress" if rule["IsEgress"] else "ingress",
        "protocol": rule["IpProtocol"],
        "from": rule.get("FromPort", -1),
        "to": rule.get("ToPort", -1),
        "peer": peer,
        "description": rule.get("Description", ""),
        "tags": tags(rule),
    }


def network_interfaces(aws):
    """Interfaces of their own: not those that come and go with an instance or
    a mount target. Those of terminated instances are the emulator's flaw."""
    instances = {instance["InstanceId"]: instance for instance in aws.live_instances()}
    targets = {target["NetworkInterfaceId"] for target in mount_targets(aws)}
    found = []
    for interface in aws.all("ec2", "describe_network_interfaces", "NetworkInterfaces"):
        attached = interface.get("Attachment", {}).get("InstanceId", "")
        own = ADDRESS in tags(interface, "TagSet")
        if interface["VpcId"] not in aws.own_vpcs() or interface["NetworkInterfaceId"] in targets:
            continue
        if attached and not own:
            continue
        found.append(
            tagged(
                interface,
                id=interface["NetworkInterfaceId"],
                subnet=interface["SubnetId"],
                private_ip=interface["PrivateIpAddress"],
                security_groups=sorted(group["GroupId"] for group in interface["Groups"]),
                description=interface.get("Description", ""),
                attached=attached if attached in instances else "",
            )
        )
    return found


def elastic_ips(aws):
    return [
        tagged(
            address,
            id=address["AllocationId"],
            public_ip=address["PublicIp"],
            interface=address.get("NetworkInterfaceId", ""),
        )
        for address in aws.all("ec2", "describe_addresses", "Addresses")
    ]
