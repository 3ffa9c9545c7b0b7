"""Removes servers that no hub knows, as a service of the hub.

A hub that dies in the middle of a start leaves a server behind whose user may
never come back: nobody would poll it, cull it or stop it, and it would keep its
memory for ever. Whatever carries this hub's label, is older than any start may
take and is in no user's state is such a one.
"""

import json
import os
import signal
import sys
import time
from urllib.request import Request, urlopen

import docker
from lyceum_spawner import HUB_LABEL, age

#: Between two sweeps, in seconds.
EVERY = 120
#: Above the time of the longest start, in seconds.
MARGIN = 120
#: Users the hub tells of in one answer.
PAGE = 200
#: Most pages that are asked for.
MOST_PAGES = 1000


def orphans(services, known, older_than, now=None):
    """Names of services that are in no user's state and older than any start."""
    return sorted(
        service["Spec"]["Name"]
        for service in services
        if service["Spec"]["Name"] not in known and age(service, now) > older_than
    )


def known_servers(ask):
    """Names of the services in the users' states; `ask(offset)` gives a page."""
    known = set()
    for page in range(MOST_PAGES):
        users = ask(page * PAGE)
        for user in users:
            for server in (user.get("servers") or {}).values():
                name = (server.get("state") or {}).get("object_name")
                if name:
                    known.add(name)
                elif not server.get("pending"):
                    # Without states everybody's server would look like one.
                    raise RuntimeError("the hub does not tell its servers' states")
        if len(users) < PAGE:
            return known
    raise RuntimeError("the hub has more users than can be listed")


def sweep(client, ask, hub, older_than):
    """One round; answers what was removed."""
    # The services first: what starts meanwhile is too young in this list.
    services = client.services(filters={"label": f"{HUB_LABEL}={hub}"})
    removed = []
    for name in orphans(services, known_servers(ask), older_than):
        client.remove_service(name)
        removed.append(name)
    return removed


def users(offset):
    """A page of the hub's users, with their servers' states."""
    url = f"{os.environ['JUPYTERHUB_API_URL']}/users?offset={offset}&limit={PAGE}"
    token = os.environ["JUPYTERHUB_API_TOKEN"]
    request = Request(url, headers={"Authorization": f"token {token}"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def main():
    hub = os.environ["LYCEUM_HUB"]
    older_than = int(os.environ["LYCEUM_START_TIMEOUT"]) + MARGIN
    while True:
        time.sleep(EVERY)
        try:
            client = docker.APIClient(version="auto")
            for name in sweep(client, users, hub, older_than):
                print(f"removed {name}, which no user's state names", flush=True)
        except Exception as error:  # Whatever it is, the next round comes.
            print(f"not swept: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # The hub ends its services as a keyboard would.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
