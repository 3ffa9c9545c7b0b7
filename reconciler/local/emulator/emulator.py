"""Starts the AWS emulator on a port the system chooses, and ends with its parent.

The parent holds the other end of standard input: when it goes, however it
goes, the pipe closes and the emulator ends, so that none is left behind.
The port is announced on standard output by the server itself.
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


#: Where `tags_by_id` is switched: `POST /lyceum/tags/search` and `…/index`.
TAGS = "/lyceum/tags/"


def tags_by_id():
    """The emulator looks for the tags of one EC2 object among those of all, one
    by one: a list of n objects costs n² comparisons, which for 30 clusters is
    most of the time of a plan. AWS has no such defect, so they are found by the
    object's id here. What the defect costs is measured by switching it on again:
    the function that is given back is told whether to use the index."""
    from moto.ec2.models.tags import TagBackend

    search, use = TagBackend.describe_tags, {"index": True}

    def describe_tags(self, filters=None):
        ids = (filters or {}).get("resource-id")
        if not use["index"] or not ids or any(set(one) & set("*?[\\") for one in ids):
            return search(self, filters)
        # What is searched is what these ids have; how, stays the emulator's.
        few = TagBackend()
        few.tags.update({one: self.tags[one] for one in ids if one in self.tags})
        return search(few, filters)

    TagBackend.describe_tags = describe_tags
    return lambda on: use.update(index=on)


def switched(app, use_index):
    """The WSGI application `app` with the switch."""

    def call(environ, start_response):
        path = environ.get("PATH_INFO", "")
        if not path.startswith(TAGS):
            return app(environ, start_response)
        use_index({"search": False, "index": True}[path[len(TAGS) :]])
        start_response("200 OK", [("content-length", "0")])
        return [b""]

    return call


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    allow_dated_images()
    let_records_come_back()
    use_index = tags_by_id()
    from moto import server
    from cloud import with_cloud
    from wire import translated

    run_simple = server.run_simple
    server.run_simple = lambda host, port, app, **options: run_simple(
        host, port, with_cloud(switched(translated(app), use_index)), **options
    )
    server.main(["-H", "127.0.0.1", "-p", "0"])
