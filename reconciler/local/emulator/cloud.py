"""What a local cloud has to know of the emulator, in one answer: its instances,
file systems, public addresses and names. And what it tells the emulator: which
instances are impaired.

The emulator keeps user data and profile where they were given: with an instance,
or with the template it was launched from. A machine sees one whichever it was.
"""

import json
import traceback

from moto.autoscaling.models import autoscaling_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.efs.models import efs_backends
from moto.iam.models import iam_backends
from moto.route53.models import route53_backends

PATH = "/lyceum/cloud"
#: `POST` with an instance's id behind it: its machine is dead.
IMPAIRED = "/lyceum/impaired/"


def with_cloud(app):
    """The WSGI application `app`, answering `GET /lyceum/cloud` and `POST
    /lyceum/impaired/<id>` as well."""

    def call(environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path != PATH and not path.startswith(IMPAIRED):
            return app(environ, start_response)
        try:
            said = cloud() if path == PATH else impaired(path[len(IMPAIRED) :])
            status, body = "200 OK", json.dumps(said)
        except Exception:
            status, body = "500 Internal Server Error", traceback.format_exc()
        headers = [("content-type", "application/json"), ("content-length", str(len(body.encode())))]
        start_response(status, headers)
        return [body.encode()]

    return call


def cloud():
    # Requests change all of these while we look: every loop goes over a copy.
    regions = [ec2_backends[DEFAULT_ACCOUNT_ID][one] for one in list(ec2_backends[DEFAULT_ACCOUNT_ID])]
    reservations = [(ec2, one) for ec2 in regions for one in list(ec2.reservations.values())]
    return {
        "instances": [instance(ec2, it) for ec2, one in reservations for it in list(one.instances)],
        "addresses": {one.public_ip: private(one) for ec2 in regions for one in list(ec2.addresses)},
        "file_systems": [it for ec2 in regions for it in file_systems(ec2.region_name)],
        "names": names(),
    }


def impaired(id):
    """A group ends an instance whose machine is dead, and launches another. One of
    no group stays as it is."""
    for groups in list(autoscaling_backends[DEFAULT_ACCOUNT_ID].values()):
        for group in list(groups.autoscaling_groups.values()):
            if any(one.instance.id == id for one in group.instance_states):
                groups.terminate_instance(id, should_decrement=False)
                return {"replaced": True}
    return {"replaced": False}


def instance(ec2, one):
    tags = {tag["key"]: tag["value"] for tag in one.get_tags()}
    said = template(ec2, tags)
    return {
        "id": one.id,
        "state": one.state,
        "type": one.instance_type,
        "image": one.image_id,
        "zone": one.placement.zone,
        "private_ip": one.private_ip or "",
        "role": role(one.iam_instance_profile or said.get("IamInstanceProfile") or {}),
        "spot": one.lifecycle == "spot",
        "tags": tags,
        "user_data": text(one.user_data or said.get("UserData")),
        "volumes": volumes(one),
    }


def template(ec2, tags):
    """What the template an instance was launched from says; empty without one."""
    found = ec2.launch_templates.get(tags.get("aws:ec2launchtemplate:id"))
    version = tags.get("aws:ec2launchtemplate:version")
    return found.get_version(int(version)).data if found and version else {}


def role(profile):
    """The name of the role in a profile."""
    for one in list(iam_backends[DEFAULT_ACCOUNT_ID]["aws"].instance_profiles.values()):
        if profile.get("Arn") == one.arn or profile.get("Name") == one.name:
            return one.roles[0].name if one.roles else ""
    return ""


def text(given):
    """User data in base64, as it always travels."""
    if isinstance(given, list):
        given = given[0] if given else ""
    return given.decode() if isinstance(given, bytes) else str(given or "")


def volumes(one):
    """Device to id and size in GiB, but for the root."""
    mapped = list(one.block_device_mapping.items())
    return {
        name: {"id": it.volume_id, "gib": int(it.size or 1)}
        for name, it in mapped
        if name != one.root_device_name
    }


def private(address):
    """The private address a public one leads to; empty where it leads nowhere."""
    if address.eni is not None:
        return address.eni.private_ip_address or ""
    return (address.instance.private_ip or "") if address.instance else ""


def file_systems(region):
    efs = efs_backends[DEFAULT_ACCOUNT_ID].get(region)
    if efs is None:
        return []
    targets, points = list(efs.mount_targets_by_id.values()), list(efs.access_points.values())
    return [
        {
            "id": id,
            "targets": [it.ip_address for it in targets if it.file_system_id == id],
            "access_points": [access_point(it) for it in points if it.file_system_id == id],
        }
        for id in list(efs.file_systems_by_id)
    ]


def access_point(one):
    root = one.root_directory or {}
    made = root.get("CreationInfo") or {}
    return {
        "id": one.access_point_id,
        "path": root.get("Path", "/"),
        "user": int(made.get("OwnerUid", 0)),
        "group": int(made.get("OwnerGid", 0)),
        "mode": str(made.get("Permissions", "755")),
    }


def names():
    """Host name to addresses, of all A records."""
    zones = list(route53_backends[DEFAULT_ACCOUNT_ID]["aws"].zones.values())
    records = [one for zone in zones for one in list(zone.rrsets) if one.type == "A"]
    return {one.name.rstrip("."): list(one.records) for one in records if one.records}
