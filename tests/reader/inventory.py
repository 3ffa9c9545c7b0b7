"""Prints everything in the emulator as JSON in which two runs can be compared:
ids are replaced by the names their tags give them, times are left out.

    inventory.py --endpoint URL --regions us-east-1,us-west-2 [--owner lyceum]

With an owner, what carries another owner's tag or none is left out, where the
kind has tags.
"""

import argparse
import json
import re

import cloud
from region import OWNER

ID = re.compile(
    r"\b(?:(?:vpc|subnet|igw|rtb|sg|sgr|eni|eipalloc|eipassoc|vol|lt|i|fs|fsap|fsmt)-[0-9a-f]{8,}"
    r"|(?:ns|srv)-[0-9a-z]{8,32})\b"
)
HASH = re.compile(r"sha256=[0-9a-f]{64}")


def named(found):
    """Ids (and public addresses) to names."""
    names, keys = {}, {}
    for kinds in found.values():
        for kind, objects in kinds.items():
            for one in objects:
                if not ID.fullmatch(one.get("id", "")):
                    continue
                name = one["address"] or one.get("name", "")
                names[one["id"]] = f"<{kind} {name}>"
                if one.get("public_ip"):
                    names[one["public_ip"]] = f"<public ip of {name}>"
        # Made by chance: no two runs have the same.
        for one in kinds.get("parameter", []):
            if one["id"].endswith("/node-key"):
                keys[one["value"]] = f"<public key {one['id']}>"
    return names, keys


def replaced(value, names, keys):
    """A value with every known id replaced, and every unknown one blotted out."""
    if isinstance(value, dict):
        return {replaced(key, names, keys): replaced(item, names, keys) for key, item in value.items()}
    if isinstance(value, list):
        items = [replaced(item, names, keys) for item in value]
        # What the reader sorted by id must be sorted by name.
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if items != value else items
    if not isinstance(value, str):
        return value
    # The hash of a text that holds ids differs as they do.
    text = HASH.sub("sha256=?", value)
    text = ID.sub(lambda match: names.get(match[0], match[0].split("-")[0] + "-?"), text)
    for known, name in keys.items():
        text = text.replace(known, name)
    for known, name in names.items():
        if known[0].isdigit() and known in text:
            text = text.replace(known, name)
    return text


def comparable(found):
    """Objects with names for ids, sorted, the pinned version as a relation."""
    newest = {
        one["id"]: str(one["newest"]) for kinds in found.values() for one in kinds.get("launch-template", [])
    }
    for kinds in found.values():
        for group in kinds.get("scaling-group", []):
            template = group.get("template") or {}
            if newest.get(template.get("LaunchTemplateId")) == template.get("Version"):
                template["Version"] = "newest"
        for one in kinds.get("launch-template", []):
            del one["newest"]
        for one in kinds.get("parameter", []):
            if one["id"].endswith("/applied"):
                one["value"] = ""  # the revision, which is the run's
        for one in kinds.get("stored", []):
            one.pop("metadata", None)  # sequence, revision and signature are the run's
    names, keys = named(found)
    result = {}
    for region, kinds in found.items():
        for kind, objects in kinds.items():
            plain = [{key: one[key] for key in one if key != "id" or not ID.fullmatch(one["id"])} for one in objects]
            result.setdefault(region, {})[kind] = sorted(
                (replaced(one, names, keys) for one in plain), key=lambda one: json.dumps(one, sort_keys=True)
            )
    return result


def owned(found, owner):
    def keep(one):
        return "tags" not in one or one["tags"].get(OWNER) == owner

    return {
        region: {kind: [one for one in objects if keep(one)] for kind, objects in kinds.items()}
        for region, kinds in found.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--regions", default="us-east-1")
    parser.add_argument("--owner")
    arguments = parser.parse_args()
    found = cloud.read(arguments.endpoint, arguments.regions.split(","))
    if arguments.owner:
        found = owned(found, arguments.owner)
    print(json.dumps(comparable(found), indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
