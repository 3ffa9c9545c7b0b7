"""The words in which fidelity is asked for: find one object, compare, collect
every failure instead of stopping at the first."""


class Expectations:
    """What a scope (a cluster, a region) should have, held against what is."""

    def __init__(self, found, region, scope, failures):
        self.found, self.region, self.scope, self.failures = found, region, scope, failures

    def fail(self, what, message):
        self.failures.append(f"{self.scope}/{what}: {message}")

    def objects(self, kind):
        place = self.region if kind in self.found[self.region] else "global"
        return self.found[place][kind]

    def one(self, kind, name, /, **by):
        """The one object of an address, or, for kinds without tags, of given
        attributes. Fails and gives an empty one where there is none or several."""
        wanted = by or {"address": f"{self.scope}/{kind}/{name}"}
        matching = [
            one for one in self.objects(kind) if all(one.get(key) == value for key, value in wanted.items())
        ]
        if len(matching) != 1:
            self.fail(f"{kind}/{name}", f"{len(matching)} found by {wanted}")
            return Missing()
        return matching[0]

    def same(self, what, **pairs):
        """Each pair is (found, expected)."""
        for name, (found, expected) in pairs.items():
            if found != expected:
                self.fail(what, f"{name} is {found!r}, expected {expected!r}")

    def true(self, what, claim, holds):
        if not holds:
            self.fail(what, f"not so: {claim}")


class Missing(dict):
    """An object that is not there: every attribute is absent, at any depth, so
    that one missing object does not hide what else is wrong."""

    def __missing__(self, key):
        return None

    def __bool__(self):
        return False


def actions(policies):
    """Every action an inline policy allows, with its resources."""
    for policy in (policies or {}).values():
        for statement in as_list(policy["Statement"]):
            if statement["Effect"] == "Allow":
                for action in as_list(statement["Action"]):
                    yield action, as_list(statement["Resource"]), statement.get("Condition", {})


def as_list(value):
    return value if isinstance(value, list) else [value]
