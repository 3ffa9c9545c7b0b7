"""The spawner, against a swarm in memory."""

import asyncio
import os
import sys
import tempfile
import time
import unittest
from types import SimpleNamespace
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../cookbooks/jupyterhub/files")]

import lyceum_spawner as spawner_code  # noqa: E402
from lyceum_spawner import LyceumSpawner, StartFailed, home_name, image_of, service_name  # noqa: E402
from swarm import NoAnswer, Swarm, refusal  # noqa: E402

DIGEST = "sha256:" + "a" * 64


class Spawner(LyceumSpawner):
    """The spawner without a hub: its environment and command are JupyterHub's
    own and not looked at here."""

    swarm = None

    @property
    def client(self):
        return self.swarm

    def get_env(self):
        return {"JUPYTERHUB_API_TOKEN": "token"}

    async def get_command(self):
        return ["jupyterhub-singleuser"]


class Case(unittest.TestCase):
    def setUp(self):
        self.swarm = Swarm()
        self.homes = tempfile.TemporaryDirectory()
        self.addCleanup(self.homes.cleanup)
        self.image = os.path.join(self.homes.name, ".image")
        with open(self.image, "w") as file:
            file.write(f"quay.io/a/notebook:1 {DIGEST}\n")
        for name, value in [("LOOK_EVERY", 0.01), ("SETTLE", 0.03), ("STOP_WITHIN", 0.1)]:
            patch = mock.patch.object(spawner_code, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def spawner(self, user="alice", server="", **traits):
        spawner = Spawner(
            user=SimpleNamespace(name=user, url=f"/user/{user}/"),
            hub=SimpleNamespace(),
            homes=self.homes.name,
            image_file=self.image,
            uid=os.getuid(),
            gid=os.getgid(),
            hub_label="geo-101",
            network_name="jupyter",
            use_internal_ip=True,
            port=8888,
            docker_patience=0.2,
            _mock=True,
            **traits,
        )
        spawner.swarm = self.swarm
        spawner.orm_spawner = SimpleNamespace(name=server, state={}, server=None)
        return spawner

    def start(self, spawner):
        return asyncio.run(spawner.start())

    def only(self):
        (service,) = self.swarm.made.values()
        return service

    def running(self, user="alice"):
        spawner = self.spawner(user)
        self.start(spawner)
        self.swarm.path = []
        return spawner, self.swarm.tasks_of[self.only()["ID"]]


class Start(Case):
    def test_a_server_runs_on_workers_alone_as_the_notebook_user_and_is_found_by_its_labels(self):
        spawner = self.spawner(mem_limit="2G", mem_guarantee="1G", cpu_limit=1.5, cpu_guarantee=0.1)
        address = self.start(spawner)
        spec = self.only()["Spec"]
        task, container = spec["TaskTemplate"], spec["TaskTemplate"]["ContainerSpec"]
        self.assertEqual(address, (spec["Name"], 8888))
        self.assertEqual(task["Placement"]["Constraints"], ["node.role==worker"])
        self.assertEqual(task["RestartPolicy"]["Condition"], "on-failure")
        self.assertEqual(task["RestartPolicy"]["MaxAttempts"], 3)
        self.assertEqual(spec["EndpointSpec"]["Mode"], "dnsrr")
        self.assertNotIn("Ports", spec["EndpointSpec"])
        self.assertEqual(container["Image"], f"quay.io/a/notebook@{DIGEST}")
        self.assertEqual(container["User"], f"{os.getuid()}:{os.getgid()}")
        self.assertEqual(container["CapabilityDrop"], ["ALL"])
        labels = {"lyceum.hub": "geo-101", "lyceum.user": "alice", "lyceum.server": ""}
        self.assertEqual(spec["Labels"], labels)
        self.assertEqual(container["Labels"], {"lyceum.session": "geo-101", **labels})
        self.assertEqual(
            task["Resources"],
            {
                "Limits": {"MemoryBytes": 2 << 30, "NanoCPUs": 1_500_000_000, "Pids": 1000},
                "Reservations": {"MemoryBytes": 1 << 30, "NanoCPUs": 100_000_000},
            },
        )

    def test_the_home_and_what_is_shared_are_mounted_and_nothing_else(self):
        shared = [
            {"source": "/srv/shared/datasets", "target": "/srv/datasets", "read_only": True},
            {"source": "/srv/shared/work", "target": "/srv/work", "read_only": False},
        ]
        self.start(self.spawner("a/../b", shared=shared))
        mounts = self.only()["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"]
        home = os.path.join(self.homes.name, "a%2F..%2Fb")
        self.assertEqual(
            [(one["Source"], one["Target"], one["ReadOnly"], one["Type"]) for one in mounts],
            [
                (home, "/home/jovyan", False, "bind"),
                ("/srv/shared/datasets", "/srv/datasets", True, "bind"),
                ("/srv/shared/work", "/srv/work", False, "bind"),
            ],
        )
        self.assertEqual(os.stat(home).st_mode & 0o777, 0o700)

    def test_each_start_has_a_name_of_its_own(self):
        spawner = self.spawner()
        self.start(spawner)
        first = self.only()["Spec"]["Name"]
        asyncio.run(spawner.stop())
        self.start(spawner)
        self.assertNotEqual(first, self.only()["Spec"]["Name"])

    def test_a_new_image_is_used_by_the_next_start(self):
        spawner = self.spawner()
        self.start(spawner)
        asyncio.run(spawner.stop())
        with open(self.image, "w") as file:
            file.write("quay.io/a/notebook:2 sha256:" + "b" * 64)
        self.start(spawner)
        image = self.only()["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        self.assertEqual(image, "quay.io/a/notebook@sha256:" + "b" * 64)

    def test_the_manifests_image_can_be_chosen_by_its_name(self):
        name = "quay.io/a/notebook:1"
        spawner = self.spawner(image=name, allowed_images={name: name, "R": f"quay.io/a/r@{DIGEST}"})
        spawner.user_options = {"image": name}
        for _ in range(2):
            self.start(spawner)
            image = self.only()["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
            self.assertEqual(image, f"quay.io/a/notebook@{DIGEST}")
            asyncio.run(spawner.stop())

    def test_no_server_takes_its_worker_along(self):
        self.start(self.spawner(processes=77))
        limits = self.only()["Spec"]["TaskTemplate"]["Resources"]["Limits"]
        self.assertEqual(limits["Pids"], 77)

    def test_an_image_is_chosen_from_those_allowed_and_no_other(self):
        allowed = {"R": f"quay.io/a/r@{DIGEST}"}
        spawner = self.spawner(allowed_images=allowed)
        spawner.user_options = {"image": "R"}
        self.start(spawner)
        image = self.only()["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        self.assertEqual(image, f"quay.io/a/r@{DIGEST}")
        spawner.user_options = {"image": "evil/miner:1"}
        with self.assertRaisesRegex(Exception, "not in allowed list"):
            self.start(spawner)

    def test_what_an_earlier_hub_left_behind_is_removed_and_others_servers_stay(self):
        self.start(self.spawner())
        self.start(self.spawner("bob"))
        left = [name for name in self.swarm.made if "alice" in name]
        self.start(self.spawner())
        names = [one["Spec"]["Labels"]["lyceum.user"] for one in self.swarm.made.values()]
        self.assertEqual(sorted(names), ["alice", "bob"])
        self.assertNotIn(left[0], self.swarm.made)

    def test_another_hubs_and_another_servers_services_stay(self):
        for hub, server in [("stats-200", ""), ("geo-101", "gpu")]:
            labels = {"lyceum.hub": hub, "lyceum.user": "alice", "lyceum.server": server}
            self.swarm.create_service({}, f"jupyter-{hub}-{server}", labels, {})
        self.start(self.spawner())
        self.assertIn("jupyter-stats-200-", self.swarm.made)
        self.assertIn("jupyter-geo-101-gpu", self.swarm.made)

    def test_every_state_before_running_is_waited_for(self):
        self.swarm.path = [
            "new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"
        ]  # fmt: skip
        self.start(self.spawner())
        self.assertEqual(self.only()["Spec"]["Labels"]["lyceum.user"], "alice")

    def test_a_start_that_comes_to_nothing_says_why_in_the_tasks_words(self):
        spawner = self.spawner()
        self.swarm.path = []

        async def start():
            starting = asyncio.ensure_future(spawner.start())
            while not self.swarm.made:
                await asyncio.sleep(0.005)
            error = "invalid mount config for type bind: bind source path does not exist: /srv/x"
            self.swarm.task(self.only()["ID"], "rejected", "shutdown", Err=error)
            await starting

        with self.assertRaises(StartFailed) as caught:
            asyncio.run(start())
        self.assertIn("A directory of this server is missing", caught.exception.jupyterhub_message)
        self.assertIn("/srv/x", caught.exception.jupyterhub_message)

    def test_a_failure_that_the_swarm_makes_good_is_none(self):
        spawner = self.spawner()
        self.swarm.path = []

        async def start():
            starting = asyncio.ensure_future(spawner.start())
            while not self.swarm.made:
                await asyncio.sleep(0.005)
            service = self.only()["ID"]
            self.swarm.task(service, "failed", "shutdown", Err="task: non-zero exit (1)")
            await asyncio.sleep(0.02)
            self.swarm.task(service, "ready", "ready")
            await asyncio.sleep(0.1)
            self.assertFalse(starting.done())
            self.swarm.tasks_of[service][-1]["Status"]["State"] = "running"
            return await starting

        self.assertEqual(asyncio.run(start())[1], 8888)

    def test_a_start_tells_what_it_waits_for(self):
        error = "no suitable node (insufficient resources on 2 nodes)"
        spawner = self.spawner()
        self.swarm.path = []

        async def start():
            starting = asyncio.ensure_future(spawner.start())
            while not self.swarm.made:
                await asyncio.sleep(0.005)
            task = self.swarm.task(self.only()["ID"], "pending", Err=error)
            seen = []
            async for event in spawner.progress():
                seen.append(event)
                if "free place" in event["message"]:
                    task["Status"] = {"State": "running"}
                    break
            await starting
            return seen

        seen = asyncio.run(start())
        self.assertIn("insufficient resources", seen[-1]["message"])
        self.assertTrue(all(0 < event["progress"] < 100 for event in seen))

    def test_a_service_whose_making_got_no_answer_is_found(self):
        self.swarm.fail("create_service", NoAnswer("timed out"))
        address = self.start(self.spawner())
        self.assertEqual(address[0], self.only()["Spec"]["Name"])

    def test_docker_that_refuses_is_not_asked_again(self):
        self.swarm.fail("create_service", refusal(400, "invalid reference format"))
        with self.assertRaisesRegex(StartFailed, "invalid reference format"):
            self.start(self.spawner())
        self.assertEqual(self.swarm.calls.count("create_service"), 1)


class Poll(Case):
    def poll(self, spawner):
        return asyncio.run(spawner.poll())

    def test_every_state_on_the_way_is_alive(self):
        spawner, tasks = self.running()
        for state in ["new", "pending", "assigned", "accepted", "preparing", "ready", "starting"]:
            tasks[0]["Status"]["State"] = state
            self.assertIsNone(self.poll(spawner), state)
        self.assertEqual(len(self.swarm.made), 1)

    def test_a_server_that_is_moved_to_another_node_is_alive(self):
        spawner, tasks = self.running()
        tasks[0]["DesiredState"] = "shutdown"
        self.swarm.task(self.only()["ID"], "assigned")
        self.assertIsNone(self.poll(spawner))

    def test_a_task_that_runs_on_a_dead_node_is_not_taken_for_the_server(self):
        spawner, tasks = self.running()
        tasks[0]["DesiredState"] = "shutdown"
        self.assertIsNotNone(self.poll(spawner))

    def test_a_replacement_that_comes_a_moment_later_is_alive(self):
        spawner, tasks = self.running()
        tasks[0].update(DesiredState="shutdown", Status={"State": "failed", "Err": "gone"})

        async def both():
            polling = asyncio.ensure_future(spawner.poll())
            await asyncio.sleep(0.01)
            self.swarm.task(self.only()["ID"], "new", "ready")
            return await polling

        self.assertIsNone(asyncio.run(both()))

    def test_what_the_user_shut_down_is_dead_and_leaves_nothing(self):
        spawner, tasks = self.running()
        tasks[0].update(
            DesiredState="shutdown",
            Status={"State": "complete", "ContainerStatus": {"ExitCode": 0}},
        )
        self.assertEqual(self.poll(spawner), 0)
        self.assertEqual(self.swarm.made, {})

    def test_what_failed_for_good_is_dead_with_its_code(self):
        spawner, tasks = self.running()
        status = {"State": "failed", "Err": "oom", "ContainerStatus": {"ExitCode": 137}}
        tasks[0].update(DesiredState="shutdown", Status=status)
        self.assertEqual(self.poll(spawner), 137)
        self.assertEqual(self.swarm.made, {})

    def test_a_service_that_somebody_removed_is_dead(self):
        spawner, _ = self.running()
        self.swarm.made.clear()
        self.assertEqual(self.poll(spawner), 0)

    def test_docker_that_is_away_for_a_moment_ends_no_session(self):
        spawner, _ = self.running()
        spawner.docker_patience = 10.0
        self.swarm.fail("inspect_service", NoAnswer("refused"), refusal(503, "no leader"))
        self.assertIsNone(self.poll(spawner))
        self.assertEqual(len(self.swarm.made), 1)

    def test_docker_that_stays_away_is_an_error_and_not_a_death(self):
        spawner, _ = self.running()
        spawner.docker_patience = 0.0
        self.swarm.fail("inspect_service", *[NoAnswer("refused")] * 9)
        with self.assertRaises(NoAnswer):
            self.poll(spawner)
        self.assertEqual(len(self.swarm.made), 1)


class Stop(Case):
    def test_stopping_what_is_gone_is_fine(self):
        spawner, _ = self.running()
        self.swarm.made.clear()
        asyncio.run(spawner.stop())
        self.assertEqual(spawner.object_id, "")

    def test_stopping_waits_for_the_server_to_end_but_not_for_ever(self):
        spawner, tasks = self.running()
        service = self.only()["ID"]
        real = self.swarm.remove_service

        def slow(name):
            real(name)
            self.swarm.tasks_of[service] = [{"Status": {"State": "running"}}] * 2

        self.swarm.remove_service = slow
        begun = time.monotonic()
        asyncio.run(spawner.stop())
        self.assertGreaterEqual(time.monotonic() - begun, 0.1)
        self.assertEqual(self.swarm.made, {})

    def test_a_hub_that_restarts_knows_its_server(self):
        spawner, _ = self.running()
        state = spawner.get_state()
        again = self.spawner()
        again.load_state(state)
        self.assertIsNone(asyncio.run(again.poll()))
        self.assertEqual(again.object_name, self.only()["Spec"]["Name"])


class Names(unittest.TestCase):
    def test_homes_are_plain_names_and_differ_as_users_do(self):
        users = ["alice", "Alice", "a.b", ".", "..", "a/b", "a%2Fb", "ü", "a" * 300, "a" * 301]
        users += ["alice@example.edu", "-rf", "a b", "{username}"]
        homes = [home_name(user) for user in users]
        self.assertEqual(len(set(homes)), len(users))
        for home in homes:
            self.assertNotIn("/", home)
            self.assertNotIn(home, [".", "..", ""])
            self.assertLessEqual(len(home), 255)
        self.assertEqual(home_name("alice"), "alice")
        with self.assertRaises(ValueError):
            home_name("")

    def test_services_have_names_that_dns_knows(self):
        for user in ["alice", "Ünal", "a" * 300, "-", "a_b.c@d", "123"]:
            for server in ["", "gpu box", "x" * 90]:
                name = service_name(user, server, "0123abcd")
                self.assertRegex(name, r"^jupyter-[a-z0-9]([a-z0-9-]*[a-z0-9])$")
                self.assertLessEqual(len(name), 63)
                self.assertNotIn("--", name)
        self.assertNotEqual(service_name("a.b", "", "0"), service_name("a_b", "", "0"))

    def test_an_image_is_what_was_published(self):
        self.assertEqual(image_of(f"a/b:1 {DIGEST}\n"), f"a/b@{DIGEST}")
        self.assertEqual(image_of(f"h:5000/a/b {DIGEST}"), f"h:5000/a/b@{DIGEST}")
        self.assertEqual(image_of(f"h:5000/a/b:2 {DIGEST}"), f"h:5000/a/b@{DIGEST}")
        self.assertEqual(image_of(f"a/b@{DIGEST} {DIGEST}"), f"a/b@{DIGEST}")
        self.assertEqual(image_of(f"a/b@{DIGEST}"), f"a/b@{DIGEST}")
        for wrong in ["", "a b", "a sha256:x c"]:
            with self.assertRaises(ValueError):
                image_of(wrong)

    def test_a_home_that_is_a_link_is_refused(self):
        with tempfile.TemporaryDirectory() as root:
            os.symlink("/etc", os.path.join(root, "mallory"))
            with self.assertRaisesRegex(RuntimeError, "not a directory"):
                spawner_code.make_home(root, "mallory", os.getuid(), os.getgid())


if __name__ == "__main__":
    unittest.main()
