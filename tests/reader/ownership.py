"""Whose everything is: the tags of all that is tagged when it is made.

What has a name is found by its name, so that it is noticed where its tags are
missing. The rest is found by its address: where an object lost that, whoever
asks for it by address finds none. What lies in the bucket and what stands in
Route 53 carries no tags.

The emulator's scaling groups do not tag their instances' volumes: of these the
launch template alone tells.
"""

from region import ADDRESS, CLUSTER, OWNER, PROTECT, REGION, SOURCE, tags

PROTECTED = ("file-system/main", "network-interface/hub", "elastic-ip/hub", "volume/hub")
UNNAMED = (
    "vpc subnet internet-gateway route-table security-group network-interface elastic-ip volume"
    " launch-template instance scaling-group file-system access-point"
).split()
ALARMS = ("hub-unhealthy", "hub-cpu", "storage-io")
RULES = ("spot", "terminations")


def common(owner, source, labels):
    """The tags that all objects of a scope share but for its name."""
    return {OWNER: owner, SOURCE: source, **{f"lyceum:label:{key}": value for key, value in labels.items()}}


def cluster(expect, shared):
    for address, one in named(expect, shared[OWNER]):
        carries(expect, address, one, shared)
    for kind in UNNAMED:
        own = [one for one in expect.objects(kind) if one["address"].startswith(expect.scope + "/")]
        expect.true(kind, "it carries tags", own)
        for one in own:
            carries(expect, one["address"].partition("/")[2], one, shared)
    rules(expect, shared)
    launched(expect, shared)
    for address in PROTECTED:
        protected(expect, address, expect.one(*address.split("/")))


def rules(expect, shared):
    """Each rule tells whose it is, as its group does; labels stand with the group."""
    for name in ("hub", "workers", "storage"):
        address = f"security-group/{name}"
        wanted = {OWNER: shared[OWNER], SOURCE: shared[SOURCE], ADDRESS: f"{expect.scope}/{address}"}
        for rule in expect.one(*address.split("/"))["rules"] or []:
            found = {key: rule["tags"].get(key) for key in wanted}
            expect.same(address, tags_of_a_rule=(found, wanted))


def region(expect, shared, found):
    """What serves a region: a bucket, a queue and two rules."""
    bucket, queues, rules = found
    carries(expect, "bucket/artifacts", bucket, shared)
    protected(expect, "bucket/artifacts", bucket)
    for queue in queues:
        carries(expect, "queue/events", queue, shared)
    by_name = {rule["id"].rsplit("-", 1)[-1]: rule for rule in rules}
    expect.same("event-rule", names=(sorted(by_name), sorted(RULES)))
    for name, rule in by_name.items():
        carries(expect, f"event-rule/{name}", rule, shared)


def named(expect, owner):
    """What is found by a name or path, with the address its tags have to tell."""
    path, prefix = f"/{owner}/{expect.scope}/", f"{owner}-{expect.scope}-"
    for name in ("facts", "applied", "swarm-join-token"):
        yield f"parameter/{name}", expect.one("parameter", name, id=path + name)
    # The halves of one key.
    for name in ("node-key", "node-key-private"):
        yield "signing-key/node", expect.one("parameter", name, id=path + name)
    for group in ("hub", "workers"):
        for kind in ("role", "instance-profile"):
            yield f"{kind}/{group}", expect.one(kind, group, id=prefix + group)
    for name in ALARMS:
        yield f"alarm/{name}", expect.one("alarm", name, id=prefix + name)
    namespace = expect.one("namespace", "main", name=f"{expect.scope}.{owner}.internal")
    yield "namespace/main", namespace
    service = expect.one("discovery-service", "hub", namespace=namespace["id"], name="hub")
    yield "discovery-service/hub", service


def launched(expect, shared):
    """What the templates put on instances and volumes: whose part these are."""
    for name, address in (("hub", "instance/hub"), ("workers", "scaling-group/workers")):
        content = expect.one("launch-template", name)["content"] or {}
        asked = {one["ResourceType"]: tags(one) for one in content.get("TagSpecifications", [])}
        for kind in ("instance", "volume"):
            carries(expect, address, {"tags": asked.get(kind)}, shared)


def carries(expect, address, one, shared):
    """Every tag, each with its own value."""
    wanted = {**shared, CLUSTER: expect.scope, ADDRESS: f"{expect.scope}/{address}"}
    if address.partition("/")[0] in expect.found["global"]:
        wanted[REGION] = expect.region
    found = one["tags"] or {}
    expect.same(address, **{key: (found.get(key), value) for key, value in wanted.items()})


def protected(expect, address, one):
    expect.same(address, **{PROTECT: ((one["tags"] or {}).get(PROTECT), "true")})
