"""One notebook server per user, as a service of the swarm.

What it adds to dockerspawner's SwarmSpawner, and why:

* A name of its own for each start. Under one name the server that is being
  stopped still answers when the next one starts.
* Every state before `running` is alive. SwarmSpawner takes new, assigned,
  accepted and ready for dead, and forgets servers that a drain moves.
* What is dead, and what an earlier start left behind, is found by its labels
  and removed. A hub that died in the middle of a start knows no name.
* Docker that does not answer, or a swarm without a leader, is asked again: at
  the hub's start one failed question would end the user's session.
* Restart `on-failure`: a node's death moves the server, the user's own shutdown
  ends it. `any` would revive it, `none` would not move it.
* The user's home is made, and belongs to the user, before the server starts.
  A bind mount of what is not there is rejected for ever.
* A start says what it waits for, and ends with the task's own words.

It never touches the content of a home.
"""

import asyncio
import hashlib
import os
import re
import secrets
import stat
import time
from datetime import datetime, timezone
from urllib.parse import quote

from docker.errors import APIError
from docker.types import EndpointSpec, Mount, Placement, Resources, RestartPolicy
from docker.types import ContainerSpec, TaskTemplate
from dockerspawner import SwarmSpawner
from requests.exceptions import RequestException
from tornado import web
from traitlets import Dict, Float, Integer, List, Unicode

#: Labels by which services are found; the hub's name is the cluster's.
HUB_LABEL = "lyceum.hub"
USER_LABEL = "lyceum.user"
SERVER_LABEL = "lyceum.server"
#: On the containers, for whoever counts sessions on a node.
SESSION_LABEL = "lyceum.session"

#: What a task goes through before and while it runs.
ALIVE = frozenset(
    ["new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"]
)
#: What the swarm wants of a task that it has not given up.
WANTED = frozenset(["ready", "running"])

#: The longest name of a service, which is a DNS label.
LONGEST_NAME = 63
#: The longest name of a file.
LONGEST_FILE_NAME = 255
#: Between two looks at a starting task, in seconds.
LOOK_EVERY = 0.5
#: The swarm replaces a failed task a moment after it failed: so long, in
#: seconds, a server without any task that is alive may still come back.
SETTLE = 2.0
#: A stopped server may take so long to end before its home is given on.
STOP_WITHIN = 15.0
#: Most messages of one start that are kept.
MOST_MESSAGES = 200


def home_name(user):
    """The directory of a user: a plain file name, and another for each user."""
    name = quote(user, safe="@+")
    if not name.strip("."):
        # `.` and `..` are quoted nowhere.
        name = name.replace(".", "%2E")
    if not name:
        raise ValueError("a user without a name has no home")
    if len(name) > LONGEST_FILE_NAME:
        name = name[: LONGEST_FILE_NAME - 33] + "%" + _digest(user, 32)
    return name


def service_name(user, server, start):
    """The name of one start's service: a DNS label, unique to the start."""
    label = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-") or "user"
    if server:
        label += "-" + (re.sub(r"[^a-z0-9]+", "-", server.lower()).strip("-") or "server")
    # Names that differ only in what a label cannot hold differ here.
    tail = "-" + _digest(user + "\0" + server, 4) + "-" + start
    room = LONGEST_NAME - len("jupyter-") - len(tail)
    return "jupyter-" + label[:room].rstrip("-") + tail


def make_home(root, user, uid, gid):
    """Makes a user's home below `root`; gives it to the user where it is not."""
    path = os.path.join(root, home_name(user))
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    there = os.lstat(path)
    if not stat.S_ISDIR(there.st_mode):
        raise RuntimeError(f"{path} is not a directory")
    if there.st_uid != uid or there.st_gid != gid:
        try:
            os.chown(path, uid, gid, follow_symlinks=False)
        except PermissionError:
            # An access point gives every file its own owner and group: good, so
            # long as the owner is the user.
            if there.st_uid != uid:
                raise
    return path


def image_of(text):
    """`name@digest` from a published `name digest`, or the name as it stands."""
    parts = text.split()
    if len(parts) == 1:
        return parts[0]
    if len(parts) != 2 or not parts[1].startswith("sha256:"):
        raise ValueError(f"`{text.strip()}` names no image")
    name = parts[0].split("@")[0]
    slash = name.rfind("/")
    colon = name.rfind(":")
    # A colon before the last slash is a registry's port.
    return (name[:colon] if colon > slash else name) + "@" + parts[1]


def newest(tasks):
    """The task that was made last; none of none."""
    return max(tasks, key=lambda task: task.get("CreatedAt", ""), default=None)


def describe(status):
    """Where a starting task is, for the user."""
    state = status["State"]
    if status.get("Err"):
        return explain(status)
    if state in ("new", "pending"):
        return "Waiting for a place on a worker"
    if state in ("assigned", "accepted", "preparing"):
        return "A worker prepares the server"
    return "The server starts" if state in ALIVE else explain(status)


def explain(status):
    """Why a task waits or failed, for the user."""
    text = status.get("Err") or status.get("Message") or status.get("State", "")
    low = text.lower()
    if "no suitable node" in low:
        return f"Waiting for a free place on a worker ({text})"
    if "bind source path does not exist" in low or "invalid mount config" in low:
        return f"A directory of this server is missing on its worker ({text})"
    if "no such image" in low or "manifest unknown" in low or "pull access denied" in low:
        return f"The image of this server cannot be had ({text})"
    return text


class StartFailed(web.HTTPError):
    """A start that came to nothing, in words the user sees."""

    def __init__(self, message):
        super().__init__(500, message)
        self.jupyterhub_message = message


class LyceumSpawner(SwarmSpawner):
    """A user's notebook server on a worker."""

    hub_label = Unicode("lyceum", config=True, help="Which hub a service belongs to.")
    homes = Unicode("/srv/homes", config=True, help="Homes, on every node and in the hub.")
    home_in_server = Unicode("/home/jovyan", config=True, help="The home, as its user sees it.")
    uid = Integer(1000, config=True, help="The user that servers run as.")
    gid = Integer(100, config=True, help="Its group.")
    shared = List(
        Dict(), config=True, help="Shared directories: `source`, `target`, `read_only`."
    )
    image_file = Unicode(
        "", config=True, help="A file with the image's name and digest; read at every start."
    )
    processes = Integer(1000, config=True, help="Processes and threads of a server at most.")
    restart_attempts = Integer(3, config=True, help="Failures before a server is given up.")
    restart_window = Integer(300, config=True, help="Seconds within which failures count.")
    docker_patience = Float(
        60.0, config=True, help="Seconds for which Docker is asked again when it does not answer."
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._messages = []
        # As it is called, before a start makes a digest of it.
        self._standard_image = self.image

    # What JupyterHub calls.

    async def start(self):
        self._messages = []
        self._say("Looking for what is left of an earlier server")
        await self._remove_leftovers()
        await asyncio.to_thread(make_home, self.homes, self.user.name, self.uid, self.gid)
        if not self.user_options.get("image"):
            self.image = await asyncio.to_thread(self._current_image)
        # After the image: dockerspawner names the service anew with each.
        self.object_name = service_name(self.user.name, self.name, secrets.token_hex(4))
        self.object_id = ""
        try:
            return await super().start()
        except APIError as error:
            raise StartFailed(f"Docker refused the server: {error.explanation}") from error

    async def poll(self):
        tasks = await self._tasks()
        if self._any_alive(tasks):
            return None
        if tasks is not None:
            # Between a failure and the next task there may be none.
            await asyncio.sleep(SETTLE)
            tasks = await self._tasks()
            if self._any_alive(tasks):
                return None
        await self._remove_leftovers()
        self.object_id = ""
        if not tasks:
            return 0
        status = newest(tasks)["Status"]
        code = status.get("ContainerStatus", {}).get("ExitCode") or 0
        if status["State"] == "complete" or (code == 0 and not status.get("Err")):
            return code
        return code or explain(status) or 1

    async def stop(self, now=False):
        if self.object_name:
            await self._remove(self.object_name)
        await self._remove_leftovers()
        self.object_id = ""
        self.clear_state()

    async def progress(self):
        shown = 0
        while True:
            for message in self._messages[shown:]:
                shown += 1
                # It never gets full: only the server itself ends a start.
                yield {"progress": min(90, 5 + 10 * shown), "message": message}
            await asyncio.sleep(LOOK_EVERY)

    # What dockerspawner calls.

    async def check_allowed(self, image):
        if image == self._standard_image and image in (self._get_allowed_images() or {}):
            return await asyncio.to_thread(self._current_image)
        return await super().check_allowed(image)

    async def create_object(self):
        self._say("Asking the swarm for a place")
        resources = Resources(
            mem_limit=self.mem_limit,
            mem_reservation=self.mem_guarantee,
            cpu_limit=_nano(self.cpu_limit),
            cpu_reservation=_nano(self.cpu_guarantee),
        )
        # Docker's library for Python has no name for it.
        resources.setdefault("Limits", {})["Pids"] = self.processes
        template = TaskTemplate(
            container_spec=ContainerSpec(
                image=self.image,
                env=self.get_env(),
                args=await self.get_command(),
                mounts=self.mounts,
                user=f"{self.uid}:{self.gid}",
                # Nothing a notebook does needs a capability, and without them a
                # way out of the container is harder to find.
                cap_drop=["ALL"],
                labels={SESSION_LABEL: self.hub_label, **self._labels()},
            ),
            resources=resources,
            restart_policy=RestartPolicy(
                condition="on-failure",
                # In nanoseconds, like everything the swarm counts in time.
                delay=1_000_000_000,
                max_attempts=self.restart_attempts,
                window=self.restart_window * 1_000_000_000,
            ),
            networks=[self.network_name],
            # Never on the manager: what fills it takes the whole hub along.
            placement=Placement(constraints=["node.role==worker"]),
        )
        return await self._create(
            task_template=template,
            name=self.object_name,
            labels=self._labels(),
            # Virtual addresses cut connections that are idle for 15 minutes,
            # kernels' among them, and take two addresses of the network each.
            endpoint_spec=EndpointSpec(mode="dnsrr"),
        )

    @property
    def mounts(self):
        home = os.path.join(self.homes, home_name(self.user.name))
        mounts = [Mount(target=self.home_in_server, source=home, type="bind")]
        for one in self.shared:
            mount = Mount(
                target=one["target"],
                source=one["source"],
                type="bind",
                read_only=bool(one.get("read_only", True)),
            )
            mounts.append(mount)
        return mounts

    async def start_object(self):
        """Waits until the server's task runs; JupyterHub bounds the time."""
        without = 0.0
        while True:
            tasks = await self._tasks()
            if tasks is None:
                raise StartFailed("The server was removed while it started")
            task = newest(self._alive(tasks)) or newest(tasks)
            if task is not None:
                status = task["Status"]
                if status["State"] == "running":
                    self._say("The server runs; waiting for it to answer")
                    return
                self._say(describe(status))
            # The swarm tries again by itself; when it does no longer, the last
            # task says why.
            without = without + LOOK_EVERY if tasks and not self._alive(tasks) else 0.0
            if without > SETTLE:
                raise StartFailed(f"The server did not start: {explain(newest(tasks)['Status'])}")
            await asyncio.sleep(LOOK_EVERY)

    # Below them.

    def _say(self, message):
        if self._messages and self._messages[-1] == message:
            return
        if len(self._messages) < MOST_MESSAGES:
            self._messages.append(message)
        self.log.info("%s: %s", self._log_name, message)

    def _current_image(self):
        if not self.image_file:
            return self.image
        with open(self.image_file, encoding="utf-8") as file:
            return image_of(file.read())

    def _labels(self):
        return {
            HUB_LABEL: self.hub_label,
            USER_LABEL: self.user.name,
            SERVER_LABEL: self.name or "",
        }

    @staticmethod
    def _alive(tasks):
        return [
            task
            for task in tasks
            if task["Status"]["State"] in ALIVE and task.get("DesiredState") in WANTED
        ]

    def _any_alive(self, tasks):
        """A service without any task was made a moment ago."""
        return tasks is not None and (not tasks or bool(self._alive(tasks)))

    async def _create(self, **spec):
        """Makes the service. One whose making got no answer may be there: its
        name is of this start alone, so it is this one."""
        try:
            return await self.docker("create_service", **spec)
        except (APIError, RequestException) as error:
            if _says_no(error):
                raise
            self.log.warning("Docker did not answer (%s); looking for the service", error)
        return await self._ask("inspect_service", spec["name"])

    async def _tasks(self):
        """The tasks of the service; none where there is no such service."""
        if not self.object_name:
            return None
        try:
            service = await self._ask("inspect_service", self.object_name)
        except APIError as error:
            if error.status_code == 404:
                return None
            raise
        self.object_id = service["ID"]
        return await self._ask("tasks", filters={"service": service["ID"]})

    async def _remove_leftovers(self):
        """Services of this user's server that no start is waiting for."""
        filters = {"label": f"{USER_LABEL}={self.user.name}"}
        for service in await self._ask("services", filters=filters):
            labels = service["Spec"].get("Labels") or {}
            if all(labels.get(name) == value for name, value in self._labels().items()):
                await self._remove(service["Spec"]["Name"])

    async def _remove(self, name):
        try:
            service = await self._ask("inspect_service", name)
            await self._ask("remove_service", service["ID"])
        except APIError as error:
            if error.status_code != 404:
                raise
            return
        # Two servers on one home would write into each other's files.
        end = time.monotonic() + STOP_WITHIN
        while await self._still_runs(service["ID"]) and time.monotonic() < end:
            await asyncio.sleep(LOOK_EVERY)

    async def _still_runs(self, service_id):
        tasks = await self._ask("tasks", filters={"service": service_id})
        return any(task["Status"]["State"] in ("starting", "running") for task in tasks)

    async def _ask(self, method, *args, **kwargs):
        """Docker, asked again while it does not answer."""
        end = time.monotonic() + self.docker_patience
        while True:
            try:
                return await self.docker(method, *args, **kwargs)
            except (APIError, RequestException) as error:
                if _says_no(error) or time.monotonic() > end:
                    raise
                self.log.warning("Docker does not answer (%s); asking again", error)
            await asyncio.sleep(1.0)


def age(service, now=None):
    """Seconds since a service was made."""
    made = datetime.strptime(service["CreatedAt"][:19], "%Y-%m-%dT%H:%M:%S")
    now = now or datetime.now(timezone.utc)
    return (now - made.replace(tzinfo=timezone.utc)).total_seconds()


def _says_no(error):
    """An answer, and not one of a daemon or swarm that is not itself."""
    return isinstance(error, APIError) and (error.status_code or 500) < 500


def _digest(text, length):
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _nano(cpus):
    return int(cpus * 1e9) if cpus else None
