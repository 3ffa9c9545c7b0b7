"""The small programs of the roles, with stand-ins for what they call."""

import os
import subprocess
import tempfile
import textwrap
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROLES = os.path.join(HERE, "../../cookbooks")


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        os.mkdir(f"{self.root}/bin")
        self.env = {"PATH": f"{self.root}/bin:{os.environ['PATH']}", "ROOT": self.root}

    def stand_in(self, name, text):
        path = f"{self.root}/bin/{name}"
        with open(path, "w") as file:
            file.write("#!/bin/bash\n" + textwrap.dedent(text))
        os.chmod(path, 0o755)

    def write(self, path, text):
        path = f"{self.root}/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_program(self, *argv):
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=60)


class Certificate(Case):
    def setUp(self):
        super().setUp()
        self.env["LYCEUM_CERTIFICATE_CONF"] = f"{self.root}/certificate.conf"
        self.stand_in("systemctl", 'echo "$*" >> "$ROOT/systemctl"; exit 0\n')
        self.settings()

    def settings(self, kind="self-signed", domain="", certificate="", key="", server="https://acme.example/directory"):
        self.write(
            "certificate.conf",
            f"kind={kind}\nstate={self.root}/state\ndomain={domain}\naddress=203.0.113.7\n"
            f"private=10.20.0.10\ncertificate={certificate}\nkey={key}\n"
            f"server={server}\nemail=\nchallenges={self.root}/challenges\n",
        )
        os.makedirs(f"{self.root}/state", exist_ok=True)

    def certificate(self, verb):
        return self.run_program("bash", f"{ROLES}/nginx/files/certificate", verb)

    def holds(self, verb):
        return self.certificate(verb).returncode == 0

    def current(self):
        return os.path.realpath(f"{self.root}/state/current/fullchain.pem")

    def converge(self):
        """What the role does, step by step."""
        for guard, verb in [("self-signed", "self-sign"), ("chosen", "choose")]:
            if not self.holds(guard):
                done = self.certificate(verb)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(self.holds(guard), f"{guard} after {verb}")

    def test_one_of_its_own_names_all_addresses_and_is_made_once(self):
        self.converge()
        text = self.run_program("openssl", "x509", "-in", self.current(), "-noout", "-text").stdout
        for name in ["DNS:localhost", "IP Address:203.0.113.7", "IP Address:10.20.0.10"]:
            self.assertIn(name, text)
        before = os.stat(self.current()).st_ino
        self.converge()
        self.assertEqual(os.stat(self.current()).st_ino, before)
        self.assertEqual(os.stat(f"{self.root}/state/current/key.pem").st_mode & 0o077, 0)
        self.assertTrue(self.holds("lasts"))

    def test_another_name_means_another_certificate(self):
        self.converge()
        self.settings(domain="notebooks.example.edu")
        self.assertFalse(self.holds("self-signed"))
        self.converge()
        text = self.run_program("openssl", "x509", "-in", self.current(), "-noout", "-text").stdout
        self.assertIn("DNS:notebooks.example.edu", text)

    def test_one_that_ends_soon_is_made_anew(self):
        self.converge()
        own = f"{self.root}/state/self-signed"
        short = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        short += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "3", "-subj", "/CN=x"]
        self.run_program(*short, "-keyout", f"{own}/key.pem", "-out", f"{own}/fullchain.pem")
        self.assertFalse(self.holds("lasts"))
        self.assertEqual(self.certificate("renew").returncode, 0)
        self.assertTrue(self.holds("lasts"))

    def test_given_files_are_used_and_missing_ones_are_named(self):
        self.settings(kind="path", certificate="/nowhere/a.pem", key="/nowhere/a.key")
        self.assertFalse(self.holds("chosen"))
        done = self.certificate("choose")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/a.pem", done.stderr)
        self.converge_own()
        given = f"{self.root}/state/self-signed"
        self.settings(kind="path", certificate=f"{given}/fullchain.pem", key=f"{given}/key.pem")
        self.converge()
        self.assertEqual(os.readlink(f"{self.root}/state/current"), f"{self.root}/state/given")

    def converge_own(self):
        self.certificate("self-sign")

    def authority(self, ends):
        self.stand_in(
            "certbot",
            f"""
            echo "$*" >> "$ROOT/certbot"
            while [ $# -gt 0 ]; do [ "$1" = --config-dir ] && config=$2; shift; done
            if [ {ends} -eq 0 ]; then
                mkdir -p "$config/live/lyceum"
                cp "$ROOT/state/self-signed/fullchain.pem" "$config/live/lyceum/fullchain.pem"
                cp "$ROOT/state/self-signed/key.pem" "$config/live/lyceum/privkey.pem"
            else
                echo "Challenge failed for domain x: no A record"
            fi
            exit {ends}
            """,
        )

    def asked(self):
        try:
            with open(f"{self.root}/certbot") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def test_an_authoritys_takes_the_place_of_its_own(self):
        self.settings(kind="acme", domain="notebooks.example.edu")
        self.authority(0)
        self.converge()
        self.assertIn("self-signed", self.current())
        self.assertFalse(self.holds("obtained"))
        done = self.certificate("obtain")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.holds("obtained") and self.holds("chosen"))
        self.assertIn("acme/live/lyceum", self.current())
        self.assertIn("--domain notebooks.example.edu", self.asked()[0])
        self.assertIn("--webroot-path " + f"{self.root}/challenges", self.asked()[0])
        self.assertIn("reload nginx.service", open(f"{self.root}/systemctl").read())
        self.certificate("renew")
        self.assertTrue(self.asked()[1].startswith("renew "))

    def test_another_authority_is_asked_however_fresh_the_certificate_is(self):
        self.settings(kind="acme", domain="notebooks.example.edu", server="https://staging.example")
        self.authority(0)
        self.converge()
        self.certificate("obtain")
        self.settings(kind="acme", domain="notebooks.example.edu", server="https://real.example")
        self.assertFalse(self.holds("obtained"))
        self.certificate("obtain")
        self.assertIn("--force-renewal --server https://real.example", self.asked()[1])
        self.assertTrue(self.holds("obtained"))

    def test_an_authority_that_refuses_is_not_asked_again_at_once(self):
        self.settings(kind="acme", domain="notebooks.example.edu")
        self.authority(1)
        self.converge()
        done = self.certificate("obtain")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no A record", done.stderr)
        self.assertIn("does notebooks.example.edu lead here", done.stderr)
        again = self.certificate("obtain")
        self.assertEqual(again.returncode, 75)
        self.assertIn("no A record", again.stderr)
        self.assertEqual(len(self.asked()), 1)
        os.utime(f"{self.root}/state/acme-failed", (0, 0))
        self.certificate("obtain")
        self.assertEqual(len(self.asked()), 2)
        self.assertIn("self-signed", self.current())

    def test_another_domain_is_asked_for(self):
        self.settings(kind="acme", domain="notebooks.example.edu")
        self.authority(0)
        self.converge()
        self.certificate("obtain")
        self.settings(kind="acme", domain="other.example.edu")
        self.assertFalse(self.holds("obtained"))


class Prune(Case):
    """Images a..e: a is in use, b is wanted by name and digest, c by its name."""

    def setUp(self):
        super().setUp()
        for place in ["images", "kept", "seen"]:
            os.mkdir(f"{self.root}/{place}")
        for name, tags in [
            ("a", ""),
            ("b", "quay.io/n/b@sha256:bb"),
            ("c", "localhost/hub:1"),
            ("d", "quay.io/n/d@sha256:dd"),
            ("e", "x/e:1"),
        ]:
            self.write(f"images/{name}", tags + "\n" if tags else "")
        self.write("kept/worker", "quay.io/n/b:2 sha256:bb\n")
        self.write("kept/hub", "localhost/hub:1\n")
        self.stand_in(
            "docker",
            """
            case "$1 $2" in
                "ps --all") echo c1 ;;
                "inspect --format") echo sha256:a ;;
                "image ls") ls "$ROOT/images" | sed 's/^/sha256:/' ;;
                "image inspect")
                    for id in "$@"; do :; done
                    cat "$ROOT/images/${id#sha256:}" 2>/dev/null || exit 1 ;;
                "image rm")
                    for name in "$@"; do :; done
                    [ ! -e "$ROOT/images/${name#sha256:}" ] || { rm "$ROOT/images/${name#sha256:}"; exit 0; }
                    grep -l -x "$name" "$ROOT"/images/* | xargs -r rm ;;
            esac
            """,
        )
        with open(f"{ROLES}/docker/files/prune-images") as file:
            text = file.read()
        text = text.replace("/etc/lyceum/kept-images", f"{self.root}/kept")
        text = text.replace("/var/lib/lyceum/unused-images", f"{self.root}/seen")
        self.program = self.write("prune", text)

    def prune(self):
        done = self.run_program("sh", self.program, "48")
        self.assertEqual(done.returncode, 0, done.stderr)
        return "".join(sorted(os.listdir(f"{self.root}/images")))

    def test_what_is_neither_used_nor_wanted_goes_after_its_time(self):
        self.assertEqual(self.prune(), "abcde")
        self.assertEqual(sorted(os.listdir(f"{self.root}/seen")), ["d", "e"])
        self.assertEqual(self.prune(), "abcde")
        os.utime(f"{self.root}/seen/d", (0, 0))
        self.assertEqual(self.prune(), "abce")
        os.utime(f"{self.root}/seen/e", (0, 0))
        self.assertEqual(self.prune(), "abc")
        self.assertEqual(os.listdir(f"{self.root}/seen"), [])

    def test_what_is_wanted_again_begins_anew(self):
        self.prune()
        self.write("kept/more", "x/e:1\n")
        os.utime(f"{self.root}/seen/e", (0, 0))
        self.assertEqual(self.prune(), "abcde")
        self.assertFalse(os.path.exists(f"{self.root}/seen/e"))


class Settled(Case):
    def settled(self, driver, containers):
        self.stand_in("curl", f"""echo '{{"ID":"x","LoggingDriver":"{driver}","NCPU":2}}'\n""")
        self.stand_in("docker", f'printf "%s" "{containers}"\n')
        program = f"{ROLES}/docker/files/docker-settled"
        return self.run_program("sh", program, "journald").returncode == 0

    def test_docker_is_restarted_only_while_nothing_runs_in_it(self):
        self.assertTrue(self.settled("journald", ""))
        self.assertTrue(self.settled("json-file", "c1"))
        self.assertFalse(self.settled("json-file", ""))


class Here(Case):
    IMAGES = '[{"Id":"sha256:a","RepoDigests":["q/n@sha256:b1","q/h@sha256:b2"],"RepoTags":null}]'

    def here(self, told):
        self.stand_in("curl", f"echo '{self.IMAGES}'\n")
        with open(f"{ROLES}/swarm-worker/files/image-is-here") as file:
            text = file.read().replace("/etc/lyceum/kept-images/worker", f"{self.root}/kept")
        self.write("kept", told)
        done = self.run_program("sh", self.write("here", text))
        return done.returncode, done.stdout

    def test_every_image_that_a_worker_is_to_have_is_looked_for_by_its_digest(self):
        self.assertEqual(self.here("q/n:1 sha256:b1\nq/h@sha256:b2\n"), (0, ""))
        # The id of an image is no digest of a registry's, nor is half of one.
        for other in ("a", "b", "c1"):
            said = self.here(f"q/n:1 sha256:b1\nq/h@sha256:{other}\n")
            self.assertEqual(said, (1, f"not here: sha256:{other}\n"))


class Secret(Case):
    def test_a_secret_is_made_whole_and_for_root_alone(self):
        program, path = f"{ROLES}/jupyterhub/files/make-secret", f"{self.root}/state/token"
        self.assertEqual(self.run_program("sh", program, path).returncode, 0)
        self.assertRegex(open(path).read(), r"^[0-9a-f]{32}\n$")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        copy = f"{self.root}/other/token"
        self.assertEqual(self.run_program("sh", program, copy, path).returncode, 0)
        self.assertEqual(open(copy).read(), open(path).read())
        self.write("empty", "")
        self.assertNotEqual(
            self.run_program("sh", program, f"{self.root}/none", f"{self.root}/empty").returncode, 0
        )
        self.assertFalse(os.path.exists(f"{self.root}/none"))


if __name__ == "__main__":
    unittest.main()
