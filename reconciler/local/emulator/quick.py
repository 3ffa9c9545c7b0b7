"""Work that the emulator does again and again, done once.

AWS has none of these costs, and with 30 clusters they are most of the time of a
plan. What they come to is measured by doing without: `POST /lyceum/quick/off`,
and `…/on` again. No answer depends on it. What is kept is of the fields and paths of
services' models, and so has a limit.
"""

from contextlib import suppress
from functools import cache
from xml.sax import saxutils

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
    fields_by_known_names(switch)
    answers_written_plainly(switch)
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
        few, made = TagBackend(), ids if len(ids) == 1 else list(self.tags)
        few.tags.update({one: self.tags[one] for one in made if one in ids and one in self.tags})
        return search(few, {name: filters[name] for name in filters if name != "resource-id"})

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


def fields_by_known_names(switch):
    """For every field of every object the names under which it may have that are
    worked out, and its path is held against each place where a service changes what
    it says. The names follow from the object's class, the field, its shape and the
    shape this stands in. Shapes live as long as their service's model, but for
    errors': those are new each time."""
    from moto.core import serialize
    from moto.core.serialize import MISSING, AttributePickerContext, ErrorShape

    base = serialize.ResponseSerializer
    search, ordinary = base.get_value, base._serialize_type_structure
    picked = serialize.XFormedAttributePicker
    # What these do of their own with a structure they do before they come here.
    queries = serialize.EC2Serializer, serialize.QuerySerializer
    alike = *queries, serialize.JSONSerializer
    names, places, rows = {}, {}, {}

    def by_known_names(self, value, key, shape):
        picker, within = self._value_picker, getattr(shape, "parent", None)
        if type(picker) is not picked or ErrorShape in (type(shape), type(within)):
            return search(self, value, key, shape)
        place = type(value), key, id(shape), id(within)
        if place not in names:
            # The shapes are kept with it, so that their ids stay theirs.
            names[place] = shape, within, names_of(picker, value, key, shape)
        found = first(way_into(value), value, names[place][2])
        every = picker.response_transformers
        return changed(every, self.path, key, found) if every else found

    def names_of(picker, value, key, shape):
        context = AttributePickerContext(obj=value, key=key, shape=shape)
        return tuple(dict.fromkeys(picker.get_possible_keys(context)))

    def way_into(value):
        """What `get_value` does with such an object: no name is a path."""
        if type(value) is dict:
            return dict.get
        return serialize.get_value if hasattr(value, "__getitem__") else getattr

    def first(look, value, names):
        for name in names:
            found = look(value, name, MISSING)
            if found is not MISSING:
                return found
        return None

    def changed(every, path, key, found):
        # Places are added while it runs, and how one is changed is exchanged, but
        # none is taken out.
        place = id(every), len(every), *path, key
        if place not in places:
            full = f"{'.'.join(path)}.{key}"
            places[place] = every, next((end for end in every if full.endswith(end)), None)
        end = places[place][1]
        return found if end is None else every[end](found)

    def by_known_fields(self, serialized, value, shape, key):
        """A structure with its fields, and the texts among them in one go."""
        picker, within = self._value_picker, getattr(shape, "parent", None)
        known = type(self) in alike and type(picker) is picked
        if not known or ErrorShape in (type(shape), type(within)):
            return ordinary(self, serialized, value, shape, key)
        if value is None:
            return
        every = picker.response_transformers
        place = type(self), type(value), id(shape), id(every), len(every)
        if place not in rows:
            kept = shape, every
            rows[place] = kept, fields_of(self, value, shape), may_change(every, shape)
        _, fields, perhaps = rows[place]
        inside, look = {} if key else serialized, way_into(value)
        for name, member, aliases, text in fields:
            found = first(look, value, aliases)
            if name in perhaps:
                found = changed(every, self.path, name, found)
            if found is None:
                continue
            if text is None:
                self._serialize(inside, found, member, name)
            else:
                inside[text] = str(found)
        if key:
            self._default_serialize(serialized, inside, shape, key)

    def fields_of(self, value, shape):
        found = []
        for name, member in shape.members.items():
            member.parent = shape
            aliases, text = names_of(self._value_picker, value, name, member), None
            said = member.serialization
            special = said.get("xmlNamespace") or said.get("xmlAttribute")
            if type(self) in queries and member.type_name == "string" and not special:
                text = self.get_serialized_name(member, name)
            found.append((name, member, aliases, text))
        return tuple(found)

    def may_change(every, shape):
        """The fields whose path may be one of a service's places."""
        tails = ["." + end.rpartition(".")[2] if "." in end else end for end in every]
        return {name for name in shape.members if any(f".{name}".endswith(end) for end in tails)}

    base.get_value = switch.either(by_known_names, search)
    base._serialize_type_structure = switch.either(by_known_fields, ordinary)


def answers_written_plainly(switch):
    """XML is written through a parser's events, with each name checked letter by
    letter and each option looked at for each element. What an answer is made of
    needs none; what is anything else is written as ever."""
    import xmltodict

    write, good = xmltodict.unparse, set()
    plain = {"pretty": False, "short_empty_elements": True}
    escape, quoteattr = saxutils.escape, saxutils.quoteattr

    def plainly(document, full_document=True, **options):
        if options == plain and len(document) == 1:
            text = ['<?xml version="1.0" encoding="utf-8"?>\n'] if full_document else []
            with suppress(Special):
                for name, value in document.items():
                    element(name, value, text.append)
                return "".join(text)
        return write(document, full_document=full_document, **options)

    def checked(name):
        if type(name) is not str or name[:1] in ("", "@", "#"):
            raise Special
        xmltodict._validate_name(name, "element")
        good.add(name)

    def element(name, value, out):
        if name not in good:
            checked(name)
        kind = type(value)
        if kind is str:
            out(f"<{name}>{escape(value)}</{name}>" if value else f"<{name}/>")
        elif kind is dict:
            structure(name, value, out)
        elif value is None:
            out(f"<{name}/>")
        elif kind is bool:
            out(f"<{name}>{str(value).lower()}</{name}>")
        elif kind is int or kind is float:
            out(f"<{name}>{value}</{name}>")
        else:
            raise Special

    def structure(name, members, out):
        attributes, inner = "", []
        for key, value in members.items():
            if key == "@xmlns" and type(value) is str:
                attributes += f" xmlns={quoteattr(value)}"
            elif type(value) is list:
                for one in value:
                    element(key, one, inner.append)
            else:
                element(key, value, inner.append)
        out(f"<{name}{attributes}")
        out(f">{''.join(inner)}</{name}>" if inner else "/>")

    xmltodict.unparse = switch.either(plainly, write)


class Special(Exception):
    """Something that is not written plainly."""


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
