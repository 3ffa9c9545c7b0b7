"""Reads everything in the emulator, one function a kind, in boto3's words.

Knows nothing of the program under test but its tags. Each reader gives a list
of plain dicts, duplicates included; ids stay ids here (`names.py` turns them
into names). What the emulator brings along by itself, such as the default VPC,
is left out; what a failed run may have left behind is not.
"""

import compute
import network
import services
import storage
from region import Region

REGIONAL = {
    "vpc": network.vpcs,
    "subnet": network.subnets,
    "internet-gateway": network.internet_gateways,
    "route-table": network.route_tables,
    "security-group": network.security_groups,
    "network-interface": network.network_interfaces,
    "elastic-ip": network.elastic_ips,
    "volume": compute.volumes,
    "launch-template": compute.launch_templates,
    "instance": compute.instances,
    "scaling-group": compute.scaling_groups,
    "file-system": storage.file_systems,
    "access-point": storage.access_points,
    "parameter": storage.parameters,
    "bucket": storage.buckets,
    "stored": storage.stored,
    "queue": services.queues,
    "event-rule": services.event_rules,
    "alarm": services.alarms,
    "namespace": services.namespaces,
    "discovery-service": services.discovery_services,
}
GLOBAL = {"role": services.roles, "instance-profile": services.instance_profiles, "record": services.records}


def read(endpoint, regions):
    """Region to kind to objects; `global` for what has no region."""
    found = {}
    for region in regions:
        aws = Region(endpoint, region)
        found[region] = {kind: reader(aws) for kind, reader in REGIONAL.items()}
    aws = Region(endpoint, regions[0])
    found["global"] = {kind: reader(aws) for kind, reader in GLOBAL.items()}
    return found
