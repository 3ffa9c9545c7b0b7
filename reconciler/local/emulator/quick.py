"""Work that the emulator does again and again, done once.

AWS has none of these costs, and with 30 clusters they are most of the time of a
plan. What they come to is measured by doing without: `POST /lyceum/quick/off`,
and `…/on` again. No answer depends on it. What is kept has a limit: the fields and
paths of services' models.
"""

from functools import cache

PATH = "/lyceum/quick/"


class Switch:
    """Whether the emulator is quick; it is from its start on."""

    def __init__(self):
        self.on = True

    def either(self, quick, slow):
        """A function that is `quick` or `slow`, as it is now."""
        return lambda *given, **named: (quick if self.on else slow)(*given, **named)


def quickened():
    """Makes the emulator quick, once in its life; gives the switch."""
    switch = Switch()
    tags_by_id(switch)
    own_folder_once(switch)
    methods_once(switch)
    names_checked_once(switch)
    names_of_fields_once(switch)
    places_of_changes_once(switch)
    return switch


def tags_by_id(switch):
    """The emulator looks for the tags of one EC2 object among those of all, one by
    one: a list of n objects costs n² comparisons. Here they are found by its id."""
    from moto.ec2.models.tags import TagBackend

    search = TagBackend.describe_tags

    def by_id(self, filters=None):
        ids = set((filters or {}).get("resource-id") or ())
        if not ids or any(set(one) & set("*?[\\") for one in ids):
            return search(self, filters)
        # What is searched is what these ids have; how, stays the emulator's, and what
        # was made first stays first.
        few, made = TagBackend(), ids if len(ids) == 1 else self.tags
        few.tags.update({one: self.tags[one] for one in made if one in ids and one in self.tags})
        return search(few, filters)

    TagBackend.describe_tags = switch.either(by_id, search)


def own_folder_once(switch):
    """It lists its own folder for every request, to know which services it has."""
    from moto import backends

    listed = backends.list_of_moto_modules
    known = tuple(listed())
    backends.list_of_moto_modules = switch.either(lambda: known, listed)


def methods_once(switch):
    """It looks through a service's class for every request."""
    from moto.core import responses

    look = responses.method_names_from_class
    responses.method_names_from_class = switch.either(cache(look), look)


def names_checked_once(switch):
    """Every element of every answer has its name checked, letter by letter."""
    import xmltodict

    check = xmltodict._validate_name
    xmltodict._validate_name = switch.either(cache(check), check)


def names_of_fields_once(switch):
    """The names under which an object may have a field are worked out for every
    field of every object. They follow from the object's class, the field, its shape
    and the shape this stands in. Shapes live as long as their service's model, but
    for errors': those are new each time."""
    from moto.core.errors import ErrorShape
    from moto.core.serialize import XFormedAttributePicker

    work_out, known = XFormedAttributePicker.get_possible_keys, {}

    def once(self, context):
        shape = context.shape
        within = getattr(shape, "parent", None)
        if isinstance(shape, ErrorShape) or isinstance(within, ErrorShape):
            return work_out(self, context)
        place = type(context.obj), context.key, id(shape), id(within)
        if place not in known:
            # The shapes are kept with it, so that their ids stay theirs.
            known[place] = shape, within, tuple(work_out(self, context))
        return known[place][2]

    XFormedAttributePicker.get_possible_keys = switch.either(once, work_out)


def places_of_changes_once(switch):
    """The path of every field of every object is held against each place where a
    service changes what it says. Places are added while it runs, and how one is
    changed is exchanged, but none is taken out. A picker serves one request, in one
    thread."""
    from moto.core.serialize import AttributePicker

    pick, known = AttributePicker.__call__, {}

    def once(self, context):
        every = self.response_transformers
        if not every:
            return pick(self, context)
        place = id(every), context.key_path, context.key
        # They are kept with it, so that their id stays theirs.
        _, count, ends = known.get(place, (every, 0, ()))
        if count != len(every):
            path = f"{context.key_path}.{context.key}"
            ends = tuple(end for end in every if path.endswith(end))
            known[place] = every, len(every), ends
        self.response_transformers = {end: every[end] for end in ends}
        try:
            return pick(self, context)
        finally:
            self.response_transformers = every

    AttributePicker.__call__ = switch.either(once, pick)


def switched(app, switch):
    """The WSGI application `app` with the switch."""

    def call(environ, start_response):
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PATH):
            return app(environ, start_response)
        switch.on = {"on": True, "off": False}[path[len(PATH) :]]
        start_response("200 OK", [("content-length", "0")])
        return [b""]

    return call
