"""Starts the AWS emulator on a port the system chooses, and ends with its parent.

The parent holds the other end of standard input: when it goes, however it
goes, the pipe closes and the emulator ends, so that none is left behind.
The port is announced on standard output (`listen.py`).
"""

import os
import sys
import threading
from datetime import datetime


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def allow_dated_images() -> None:
    """The emulator reads the images' dates in place, once for every region, and
    fails at the second: what is a date by then must stay one."""
    from moto.ec2.models import amis

    parse = amis.parse_timestamp
    amis.parse_timestamp = lambda value: value if isinstance(value, datetime) else parse(value)


def let_records_come_back():
    """The emulator refuses a record that was made before in the same words, though
    it is gone by now, and takes one that is there in others. AWS goes by what is
    there."""
    from moto.route53.exceptions import ResourceRecordAlreadyExists
    from moto.route53.models import Route53Backend

    change = Route53Backend.change_resource_record_sets

    def by_what_is_there(self, zoneid, change_list):
        zone = self.get_hosted_zone(zoneid)
        there = {(one.name.rstrip("."), one.type) for one in zone.rrsets}
        for one in change_list:
            name, kind = one["ResourceRecordSet"]["Name"].rstrip("."), one["ResourceRecordSet"]["Type"]
            if one["Action"] == "CREATE" and (name, kind) in there:
                raise ResourceRecordAlreadyExists(name=f"{name}.", _type=kind)
            while one["Action"] == "CREATE" and one in zone.rr_changes:
                zone.rr_changes.remove(one)
        return change(self, zoneid, change_list)

    Route53Backend.change_resource_record_sets = by_what_is_there


def let_roles_be_gone():
    """The emulator breaks when a role is taken out of a profile that it is not in, as
    after a lost answer. AWS says so."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend

    remove = IAMBackend.remove_role_from_instance_profile

    def in_words(self, profile_name, role_name):
        try:
            return remove(self, profile_name, role_name)
        except ValueError as error:
            message = f"Role {role_name} in Instance Profile {profile_name} cannot be found."
            raise NotFoundException(message) from error

    IAMBackend.remove_role_from_instance_profile = in_words


def let_versions_launch():
    """Of a template's later versions the emulator keeps user data as it came, and
    breaks when a group launches one."""
    from moto.ec2.models.launch_templates import LaunchTemplate, parse_user_data

    create = LaunchTemplate.create_version

    def as_the_first(self, data, description):
        said = data.get("UserData")
        if isinstance(said, str | bytes):
            data = {**data, "UserData": parse_user_data(said)}
        return create(self, data, description)

    LaunchTemplate.create_version = as_the_first


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    allow_dated_images()
    let_records_come_back()
    let_roles_be_gone()
    let_versions_launch()
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from cloud import with_cloud
    from listen import listen
    from quick import quickened, switched
    from wire import translated

    switch = quickened()
    emulator = DomainDispatcherApplication(create_backend_app)
    listen(with_cloud(switched(translated(emulator), switch)))
