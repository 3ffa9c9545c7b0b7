"""What this hub is, from the settings that the role writes.

`configure` sets JupyterHub's configuration and touches nothing else; secrets
come from files that only root can read and are in no setting.
"""

import json
import os
import sys
from types import SimpleNamespace

#: Where things are in the hub's container; the role mounts them there.
PLACES = SimpleNamespace(
    settings="/etc/jupyterhub/settings.json",
    image="/etc/jupyterhub/notebook-image",
    extra="/etc/jupyterhub/extra.py",
    code="/etc/jupyterhub",
    client_secret="/etc/jupyterhub/secrets/client-secret",
    trial_password="/etc/jupyterhub/secrets/trial-password",
    state="/srv/jupyterhub",
    homes="/srv/homes",
)
#: The overlay network of hub, proxy and servers, as the role makes it.
NETWORK = "jupyter"
#: Where the shared directories are on every node.
SHARED = "/srv/shared"
#: A server that pings every 30 seconds and whose activity is looked at every
#: 5 minutes looks idle for so long, in seconds, without being so.
LEAST_IDLE = 30 + 300 + 60
#: Within so many seconds routes that a restarted proxy has lost come back.
ROUTES_EVERY = 60
#: Within so many seconds a server of an earlier hub must answer, or it is taken
#: for dead: longer than the swarm takes to move it to another node.
ANSWER_WITHIN = 120


def configure(c, settings, places=PLACES):
    """Sets everything of `c` that the settings say."""
    _hub(c, settings, places)
    _spawner(c, settings, places)
    _authenticator(c, settings, places)
    _services(c, settings, places)


def load(path):
    """The settings from their file."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def secret(path):
    """A secret from its file; an empty one is a mistake."""
    with open(path, encoding="utf-8") as file:
        value = file.read().strip()
    if not value:
        raise ValueError(f"{path} is empty")
    return value


def _hub(c, settings, places):
    hub = c.JupyterHub
    hub.bind_url = "http://:8000"
    # The hub listens on its overlay network alone: nothing of it is published.
    hub.hub_ip = "0.0.0.0"
    hub.hub_port = 8081
    # The service's name, not a container's: that changes with every restart.
    hub.hub_connect_ip = "hub"
    # Sessions outlive the hub: servers stay, the proxy is a service of its own,
    # and what the hub must remember is on the data volume.
    hub.cleanup_servers = False
    hub.cleanup_proxy = False
    hub.db_url = f"sqlite:///{places.state}/jupyterhub.sqlite"
    hub.cookie_secret_file = f"{places.state}/cookie-secret"
    hub.last_activity_interval = ROUTES_EVERY
    hub.active_server_limit = settings["jupyter"]["limits"]["users"]
    hub.concurrent_spawn_limit = settings["attributes"]["concurrentStarts"]
    hub.tornado_settings = {"slow_spawn_timeout": 5}
    hub.allow_named_servers = False
    hub.template_vars = {"announcement": settings["attributes"]["announcement"]}
    proxy = c.ConfigurableHTTPProxy
    proxy.should_start = False
    proxy.api_url = "http://proxy:8001"
    proxy.auth_token = secret(f"{places.state}/proxy-token")


def _spawner(c, settings, places):
    from lyceum_spawner import LyceumSpawner

    attributes, limits = settings["attributes"], settings["jupyter"]["limits"]
    c.JupyterHub.spawner_class = LyceumSpawner
    spawner = c.LyceumSpawner
    spawner.hub_label = settings["cluster"]
    spawner.homes = places.homes
    spawner.shared = [
        {
            "source": f"{SHARED}/{one['name']}",
            "target": one["path"],
            "read_only": one.get("readOnly", True),
        }
        for one in settings["shared"]
    ]
    image = settings["jupyter"]["image"]
    spawner.image = image
    spawner.image_file = places.image
    # Names users may choose from, and no other (GHSA-hfgr-h3vc-p6c2). Where there
    # is no choice there is no form. The first is what a form begins with.
    images = attributes["images"]
    spawner.allowed_images = {image: image, **images} if images else {}
    spawner.cmd = ["jupyterhub-singleuser"]
    spawner.default_url = attributes["defaultUrl"]
    spawner.network_name = NETWORK
    spawner.use_internal_ip = True
    spawner.port = 8888
    spawner.pull_policy = "skip"
    spawner.mem_limit = limits["memory"]
    spawner.cpu_limit = float(limits["cpu"])
    spawner.processes = attributes["processes"]
    memory = _bytes(limits["memory"]) * attributes["memoryGuaranteePercent"] // 100
    spawner.mem_guarantee = int(memory) or None
    spawner.cpu_guarantee = float(limits["cpu"]) * attributes["cpuGuaranteePercent"] / 100 or None
    # Above the time a new worker needs: until then a start waits for one.
    spawner.start_timeout = attributes["startTimeoutSeconds"]
    spawner.http_timeout = ANSWER_WITHIN
    spawner.consecutive_failure_limit = 0


def _authenticator(c, settings, places):
    auth = settings["jupyter"]["auth"]
    c.Authenticator.admin_users = set(auth.get("admins", []))
    {"github": _github, "native": _native, "dummy": _dummy}[auth["type"]](c, settings, places)


def _github(c, settings, places):
    auth = settings["jupyter"]["auth"]
    c.JupyterHub.authenticator_class = "oauthenticator.github.GitHubOAuthenticator"
    github = c.GitHubOAuthenticator
    github.client_id = auth["clientId"]
    github.client_secret = secret(places.client_secret)
    github.oauth_callback_url = settings["url"] + "/hub/oauth_callback"
    github.allowed_organizations = set(auth["allowedOrganizations"])
    # Without it GitHub tells of public memberships only.
    github.scope = ["read:org"]


def _native(c, settings, places):
    from lyceum_native import LyceumNative

    c.JupyterHub.authenticator_class = LyceumNative
    c.JupyterHub.template_paths = _templates()
    native = c.LyceumNative
    native.admin_password_file = f"{places.state}/admin-password"
    native.open_signup = False
    # Whom an administrator admits, which the authenticator itself looks after.
    native.allow_all = True
    native.check_common_password = True
    native.minimum_password_length = 10
    native.allowed_failed_logins = 10
    native.seconds_before_next_try = 60


def _dummy(c, _settings, places):
    c.JupyterHub.authenticator_class = "dummy"
    c.DummyAuthenticator.allow_all = True
    c.DummyAuthenticator.password = secret(places.trial_password)


def _templates():
    import nativeauthenticator

    return [os.path.join(os.path.dirname(nativeauthenticator.__file__), "templates")]


def _services(c, settings, places):
    idle = max(settings["jupyter"]["idleTimeoutMinutes"] * 60, LEAST_IDLE)
    culler = [sys.executable, "-m", "jupyterhub_idle_culler"]
    culler += [f"--timeout={idle}", "--cull-every=60"]
    sweeper = [sys.executable, os.path.join(places.code, "lyceum_sweep.py")]
    c.JupyterHub.services = [
        {"name": "idle-culler", "command": culler},
        {
            "name": "sweeper",
            "command": sweeper,
            "environment": {
                "LYCEUM_HUB": settings["cluster"],
                "LYCEUM_START_TIMEOUT": str(settings["attributes"]["startTimeoutSeconds"]),
            },
        },
    ]
    c.JupyterHub.load_roles = [
        {
            "name": "idle-culler",
            "services": ["idle-culler"],
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        },
        {
            "name": "sweeper",
            "services": ["sweeper"],
            "scopes": ["list:users", "read:servers", "admin:server_state"],
        },
    ]


def _bytes(text):
    """An amount of memory as the manifest writes it."""
    shift = {"K": 10, "M": 20, "G": 30, "T": 40}.get(text[-1], 0)
    return int(float(text[:-1] if shift else text) * (1 << shift))
