"""What the settings become of JupyterHub's configuration, and the services and
the authenticator that come with it."""

import hashlib
import os
import re
import sys
import tempfile
import unittest
from datetime import datetime, timezone
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../cookbooks/jupyterhub/files")]

import bcrypt  # noqa: E402
import lyceum_hub  # noqa: E402
import lyceum_sweep  # noqa: E402
from jupyterhub import orm  # noqa: E402
from jupyterhub.app import JupyterHub  # noqa: E402
from lyceum_native import LyceumNative  # noqa: E402
from lyceum_spawner import LyceumSpawner  # noqa: E402
from nativeauthenticator.orm import UserInfo  # noqa: E402
from oauthenticator.github import GitHubOAuthenticator  # noqa: E402
from swarm import Swarm  # noqa: E402
from traitlets.config import Config  # noqa: E402


#: The tag of the image that a hub builds for itself, and the digest of its recipe.
RECIPE = ("5.5.4-1", "b3b310f0fc942c4736afe9e925c6aae476b9e17e16b9bff06b3b8e253dc35a32")


def settings(**auth):
    return {
        "cluster": "geo-101",
        "url": "https://notebooks.example.edu",
        "jupyter": {
            "image": "quay.io/a/notebook:1",
            "auth": {"type": "native", "admins": ["instructor"], **auth},
            "limits": {"memory": "1536M", "cpu": 0.5, "users": 40},
            "idleTimeoutMinutes": 60,
        },
        "shared": [
            {"name": "datasets", "path": "/srv/datasets", "readOnly": True},
            {"name": "work", "path": "/work", "readOnly": False},
        ],
        "attributes": {
            "announcement": "Exam on Friday",
            "concurrentStarts": 20,
            "cpuGuaranteePercent": 10,
            "defaultUrl": "/lab",
            "images": {"R": "quay.io/a/r@sha256:1"},
            "memoryGuaranteePercent": 50,
            "processes": 1000,
            "startTimeoutSeconds": 900,
        },
    }


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = folder.name
        for name in ["proxy-token", "client-secret", "trial-password", "admin-password"]:
            self.write(name, f"the {name}\n")
        self.places = SimpleNamespace(
            settings=f"{folder.name}/settings.json",
            image=f"{folder.name}/notebook-image",
            client_secret=f"{folder.name}/client-secret",
            trial_password=f"{folder.name}/trial-password",
            state=folder.name,
            homes="/srv/homes",
            code="/etc/jupyterhub",
        )

    def write(self, name, text):
        with open(os.path.join(self.state, name), "w") as file:
            file.write(text)

    def configured(self, given=None):
        c = Config()
        lyceum_hub.configure(c, given or settings(), self.places)
        return c


class Configuration(Case):
    def test_every_option_is_one_that_exists(self):
        """A misspelt option is only a warning of JupyterHub's."""
        from jupyterhub.auth import Authenticator, DummyAuthenticator
        from jupyterhub.proxy import ConfigurableHTTPProxy

        classes = {
            one.__name__: one
            for one in [
                JupyterHub, ConfigurableHTTPProxy, LyceumSpawner, Authenticator,
                GitHubOAuthenticator, LyceumNative, DummyAuthenticator,
            ]  # fmt: skip
        }
        github = dict(clientId="id", allowedOrganizations=["geo-dept"])
        for auth in [dict(type="github", **github), dict(type="native"), dict(type="dummy")]:
            c = self.configured(settings(**auth))
            for name, options in c.items():
                known = classes[name].class_traits(config=True)
                for option in options:
                    self.assertIn(option, known, f"{name}.{option}")

    def test_sessions_outlive_the_hub(self):
        c = self.configured()
        self.assertFalse(c.JupyterHub.cleanup_servers)
        self.assertFalse(c.JupyterHub.cleanup_proxy)
        self.assertFalse(c.ConfigurableHTTPProxy.should_start)
        self.assertEqual(c.JupyterHub.hub_connect_ip, "hub")
        self.assertTrue(c.JupyterHub.cookie_secret_file.startswith(self.state))
        self.assertEqual(c.JupyterHub.db_url, f"sqlite:///{self.state}/jupyterhub.sqlite")
        self.assertEqual(c.ConfigurableHTTPProxy.auth_token, "the proxy-token")

    def test_limits_and_guarantees_are_the_manifests(self):
        spawner = self.configured().LyceumSpawner
        self.assertEqual((spawner.mem_limit, spawner.cpu_limit), ("1536M", 0.5))
        self.assertEqual(spawner.mem_guarantee, 768 << 20)
        self.assertAlmostEqual(spawner.cpu_guarantee, 0.05)
        self.assertEqual(self.configured().JupyterHub.active_server_limit, 40)
        for text, amount in [("1G", 1 << 30), ("1.5G", 3 << 29), ("512", 512), ("2T", 2 << 40)]:
            self.assertEqual(lyceum_hub._bytes(text), amount)
        given = settings()
        given["attributes"].update(memoryGuaranteePercent=0, cpuGuaranteePercent=0)
        spawner = self.configured(given).LyceumSpawner
        self.assertIsNone(spawner.mem_guarantee)
        self.assertIsNone(spawner.cpu_guarantee)

    def test_shared_directories_are_mounted_as_declared(self):
        self.assertEqual(
            self.configured().LyceumSpawner.shared,
            [
                {"source": "/srv/shared/datasets", "target": "/srv/datasets", "read_only": True},
                {"source": "/srv/shared/work", "target": "/work", "read_only": False},
            ],
        )

    def test_images_are_those_named_and_no_others(self):
        spawner = self.configured().LyceumSpawner
        # The manifest's own is the first, with which a form begins.
        self.assertEqual(
            list(spawner.allowed_images.items()),
            [("quay.io/a/notebook:1", "quay.io/a/notebook:1"), ("R", "quay.io/a/r@sha256:1")],
        )
        self.assertEqual(spawner.image_file, self.places.image)
        given = settings()
        given["attributes"]["images"] = {}
        self.assertEqual(self.configured(given).LyceumSpawner.allowed_images, {})

    def test_the_hubs_own_image_counts_up_with_its_recipe(self):
        role = os.path.join(HERE, "../../cookbooks/jupyterhub/role.yaml")
        recipe = os.path.join(HERE, "../../cookbooks/jupyterhub/files/image")
        with open(role) as file:
            tags = set(re.findall(r"localhost/lyceum-hub:([\w.-]+)", file.read()))
        digest = hashlib.sha256()
        for name in sorted(os.listdir(recipe)):
            with open(os.path.join(recipe, name), "rb") as file:
                digest.update(file.read())
        # A node builds it once for each tag: another recipe needs another tag.
        self.assertEqual(tags, {RECIPE[0]})
        self.assertEqual(digest.hexdigest(), RECIPE[1], "count the tag up, and change RECIPE")

    def test_a_start_may_wait_for_a_new_worker(self):
        self.assertEqual(self.configured().LyceumSpawner.start_timeout, 900)

    def test_the_culler_never_takes_a_busy_server_for_idle(self):
        def timeout(minutes):
            given = settings()
            given["jupyter"]["idleTimeoutMinutes"] = minutes
            return self.configured(given).JupyterHub.services[0]["command"][3]

        self.assertEqual(timeout(60), "--timeout=3600")
        self.assertEqual(timeout(1), "--timeout=390")

    def test_github_admits_members_of_the_organisations_alone(self):
        auth = dict(type="github", clientId="id", allowedOrganizations=["geo-dept"])
        auth["clientSecretRef"] = "ssm:/lyceum/geo-101/oauth-client-secret"
        c = self.configured(settings(**auth))
        github = c.GitHubOAuthenticator
        self.assertEqual(github.allowed_organizations, {"geo-dept"})
        self.assertEqual(github.client_secret, "the client-secret")
        self.assertEqual(github.scope, ["read:org"])
        callback = "https://notebooks.example.edu/hub/oauth_callback"
        self.assertEqual(github.oauth_callback_url, callback)
        self.assertNotIn("allow_all", github)
        self.assertEqual(c.Authenticator.admin_users, {"instructor"})
        self.assertNotIn("ssm:", str(c))

    def test_dummy_has_one_password_from_its_file(self):
        c = self.configured(settings(type="dummy"))
        self.assertEqual(c.DummyAuthenticator.password, "the trial-password")
        self.write("trial-password", "\n")
        with self.assertRaisesRegex(ValueError, "is empty"):
            self.configured(settings(type="dummy"))


class Native(Case):
    def setUp(self):
        super().setUp()
        self.db = orm.new_session_factory("sqlite:///:memory:")()
        self.addCleanup(self.db.close)

    def authenticator(self, *admins):
        return LyceumNative(
            admin_users=set(admins),
            admin_password_file=f"{self.state}/admin-password",
            _deprecated_db_session=self.db,
            allow_all=True,
        )

    def password(self, name):
        return UserInfo.find(self.db, name).password

    def test_nobody_signs_up_as_an_administrator(self):
        native = self.authenticator("instructor")
        self.assertIsNone(native.create_user("instructor", "a long password"))
        self.assertTrue(bcrypt.checkpw(b"the admin-password", self.password("instructor")))
        self.assertTrue(UserInfo.find(self.db, "instructor").is_authorized)

    def test_a_password_of_their_own_stays(self):
        self.authenticator("instructor").change_password("instructor", "my own password")
        self.authenticator("instructor")
        self.assertTrue(bcrypt.checkpw(b"my own password", self.password("instructor")))

    def test_who_signed_up_under_a_name_before_it_was_an_administrators_is_out(self):
        native = self.authenticator()
        native.create_user("ta", "what mallory knows")
        self.assertFalse(UserInfo.find(self.db, "ta").is_authorized)
        self.authenticator("ta")
        self.assertFalse(bcrypt.checkpw(b"what mallory knows", self.password("ta")))
        self.assertTrue(UserInfo.find(self.db, "ta").is_authorized)

    def test_others_wait_for_an_administrator(self):
        native = self.authenticator("instructor")
        native.create_user("student", "a long password")
        self.assertFalse(UserInfo.find(self.db, "student").is_authorized)


class Sweep(unittest.TestCase):
    def setUp(self):
        self.swarm = Swarm()
        for name, hub, made in [
            ("jupyter-known", "geo-101", "2026-01-01T00:00:00.1Z"),
            ("jupyter-orphan", "geo-101", "2026-01-01T00:00:00.1Z"),
            ("jupyter-starting", "geo-101", datetime.now(timezone.utc).isoformat()),
            ("jupyter-elsewhere", "stats-200", "2026-01-01T00:00:00.1Z"),
        ]:
            self.swarm.path = []
            self.swarm.create_service({}, name, {"lyceum.hub": hub}, {})
            self.swarm.made[name]["CreatedAt"] = made

    def test_only_old_servers_of_this_hub_that_no_user_has_are_removed(self):
        users = [{"servers": {"": {"state": {"object_name": "jupyter-known"}}}}, {"servers": None}]
        removed = lyceum_sweep.sweep(self.swarm, lambda offset: users, "geo-101", 1020)
        self.assertEqual(removed, ["jupyter-orphan"])
        left = ["jupyter-elsewhere", "jupyter-known", "jupyter-starting"]
        self.assertEqual(sorted(self.swarm.made), left)

    def test_every_page_of_users_is_read_before_anything_is_removed(self):
        other = [{"servers": {}}] * lyceum_sweep.PAGE
        last = [{"servers": {"": {"state": {"object_name": "jupyter-orphan"}}}}]
        pages = {0: other, lyceum_sweep.PAGE: last}
        removed = lyceum_sweep.sweep(self.swarm, pages.__getitem__, "geo-101", 1020)
        self.assertEqual(removed, ["jupyter-known"])

    def test_a_hub_that_tells_no_states_costs_nobody_a_server(self):
        users = [{"servers": {"": {"pending": "spawn"}}}, {"servers": {"": {"ready": True}}}]
        with self.assertRaisesRegex(RuntimeError, "states"):
            lyceum_sweep.sweep(self.swarm, lambda offset: users, "geo-101", 1020)
        self.assertEqual(len(self.swarm.made), 4)

    def test_a_hub_that_does_not_answer_costs_nobody_a_server(self):
        def away(offset):
            raise OSError("refused")

        with self.assertRaises(OSError):
            lyceum_sweep.sweep(self.swarm, away, "geo-101", 1020)
        self.assertEqual(len(self.swarm.made), 4)


if __name__ == "__main__":
    unittest.main()
