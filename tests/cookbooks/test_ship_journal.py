"""The shipping of the journal, against a CloudWatch Logs in memory."""

import importlib.util
import json
import os
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "../../cookbooks/base/files/ship_journal.py")
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("ship_journal", PATH)
ship = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ship)

SETTINGS = {
    "group": "/lyceum/geo-101/nodes",
    "stream": "workers/i-1",
    "region": "us-east-1",
    "retentionDays": 30,
}


def line(message, seconds=0, **fields):
    entry = {"MESSAGE": message, "__REALTIME_TIMESTAMP": str(1_700_000_000_000_000 + seconds * 10**6)}
    return json.dumps({**entry, **fields})


class Logs:
    """Groups and streams, made when they are asked for."""

    def __init__(self, there=True, refuse=()):
        self.there, self.refuse = there, refuse
        self.events, self.calls = [], []

    def __call__(self, action, body):
        self.calls.append(action)
        if action in self.refuse:
            raise ship.Refused(f"{action}: 400 AccessDeniedException")
        if action == "PutLogEvents":
            if not self.there:
                raise ship.Refused("PutLogEvents: 400 ResourceNotFoundException")
            self.events += [event["message"] for event in body["logEvents"]]
        elif action == "CreateLogStream":
            self.there = True


class Shipping(unittest.TestCase):
    def test_entries_are_named_by_their_container_or_program(self):
        lines = [
            line("started", 0, SYSLOG_IDENTIFIER="dockerd"),
            line("a cell", 1, SYSLOG_IDENTIFIER="dockerd", CONTAINER_NAME="jupyter-alice"),
            line([104, 105], 2, SYSLOG_IDENTIFIER="raw"),
            line("", 3),
        ]
        logs = Logs()
        ship.ship(SETTINGS, lines, logs)
        self.assertEqual(logs.events, ["dockerd: started", "jupyter-alice: a cell", "raw: hi"])

    def test_the_group_is_made_once_with_its_retention(self):
        logs = Logs(there=False)
        ship.ship(SETTINGS, [line("x")], logs)
        made = ["PutLogEvents", "CreateLogGroup", "PutRetentionPolicy", "CreateLogStream"]
        self.assertEqual(logs.calls, [*made, "PutLogEvents"])
        self.assertEqual(len(logs.events), 1)

    def test_a_group_that_others_made_is_used(self):
        logs = Logs(there=False, refuse=("CreateLogGroup", "PutRetentionPolicy"))
        ship.ship(SETTINGS, [line("x")], logs)
        self.assertEqual(len(logs.events), 1)

    def test_batches_keep_to_the_limits_and_to_time(self):
        entries = [{"timestamp": n % 7, "message": "m"} for n in range(25_000)]
        batches = list(ship.batches(entries))
        self.assertEqual([len(batch) for batch in batches], [10_000, 10_000, 5_000])
        times = [event["timestamp"] for batch in batches for event in batch]
        self.assertEqual(times, sorted(times))
        large = [{"timestamp": 0, "message": "ü" * 200_000} for _ in range(5)]
        self.assertEqual([len(batch) for batch in ship.batches(large)], [2, 2, 1])
        days = [{"timestamp": n * 20 * 3600 * 1000, "message": "m"} for n in range(4)]
        self.assertEqual([len(batch) for batch in ship.batches(days)], [2, 2])
        self.assertEqual(list(ship.batches([])), [])


class Endpoint(unittest.TestCase):
    def test_aws_and_stand_ins(self):
        self.assertEqual(ship.endpoint("us-east-1", {}), "https://logs.us-east-1.amazonaws.com")
        self.assertEqual(ship.endpoint("cn-north-1", {}), "https://logs.cn-north-1.amazonaws.com.cn")
        self.assertEqual(ship.endpoint("x", {"AWS_ENDPOINT_URL": "http://h:1"}), "http://h:1")


class Journal(unittest.TestCase):
    """Reading, with a stand-in for journalctl."""

    def journalctl(self, script):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = f"{folder.name}/journalctl"
        with open(program, "w") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(program, 0o755)
        patch = mock.patch.dict(os.environ, PATH=f"{folder.name}:{os.environ['PATH']}")
        patch.start()
        self.addCleanup(patch.stop)

    def test_long_messages_come_whole_and_the_cursor_is_the_last(self):
        entry = json.dumps({"MESSAGE": "x", "__CURSOR": "c1"})
        self.journalctl(f"case \"$*\" in *--all*) echo '{entry}' ;; esac")
        lines, last = ship.read_journal("c0")
        self.assertEqual((len(lines), last), (1, "c1"))

    def test_a_journal_that_cannot_be_read_is_no_empty_one(self):
        self.journalctl("exit 3")
        with self.assertRaisesRegex(SystemExit, "journalctl ended with 3"):
            ship.read_journal("")


class Program(unittest.TestCase):
    """The whole program, with a metadata service, a CloudWatch and a journal."""

    def setUp(self):
        test = self
        self.asked, self.answers = [], []

        class Service(BaseHTTPRequestHandler):
            def answer(self, text, status=200):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_PUT(self):
                self.answer("session")

            def do_GET(self):
                if self.headers["X-aws-ec2-metadata-token"] != "session":
                    return self.answer("no", 401)
                keys = {"AccessKeyId": "AKIA1", "SecretAccessKey": "s/ecr+et", "Token": "tok=="}
                self.answer("node" if self.path.endswith("/") else json.dumps(keys))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                test.asked.append((dict(self.headers), body))
                self.answer(*(test.answers.pop(0) if test.answers else ("{}", 200)))

            def log_message(self, *args):
                pass

        # The address is looked up by its number: a name would ask a resolver.
        server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        base = f"http://127.0.0.1:{server.server_port}"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cursor = f"{folder.name}/state/cursor"
        settings, environment = f"{folder.name}/settings.json", f"{folder.name}/environment"
        with open(settings, "w") as file:
            json.dump(SETTINGS, file)
        with open(environment, "w") as file:
            file.write(f"# where\nAWS_ENDPOINT_URL={base}\n")
        self.journal = ["one", "two \"quoted\" ü\n\\"]
        places = {
            "METADATA": base + "/latest/",
            "SETTINGS": settings,
            "ENVIRONMENT": environment,
            "CURSOR": self.cursor,
            "RETENTION": f"{folder.name}/state/retention",
            "read_journal": self.read_journal,
        }
        self.settings = settings
        for name, value in places.items():
            patch = mock.patch.object(ship, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def read_journal(self, cursor):
        new = self.journal[int(cursor or 0) :]
        return [line(text, n) for n, text in enumerate(new)], str(len(self.journal))

    def test_what_is_new_is_shipped_signed_and_only_once(self):
        ship.main()
        headers, body = self.asked[0]
        self.assertEqual([one["message"] for one in body["logEvents"]], [
            "kernel: one", "kernel: two \"quoted\" ü\n\\"
        ])  # fmt: skip
        self.assertEqual(body["logGroupName"], "/lyceum/geo-101/nodes")
        self.assertEqual(headers["X-Amz-Target"], "Logs_20140328.PutLogEvents")
        self.assertIn("AWS4-HMAC-SHA256 Credential=AKIA1/", headers["Authorization"])
        self.assertIn("/us-east-1/logs/aws4_request", headers["Authorization"])
        self.assertEqual(headers["X-Amz-Security-Token"], "tok==")
        asked = len(self.asked)
        ship.main()
        self.assertEqual(len(self.asked), asked)
        self.journal.append("three")
        ship.main()
        self.assertEqual(len(self.asked[-1][1]["logEvents"]), 1)

    def test_how_long_it_is_kept_follows_the_settings(self):
        def policies():
            return [body["retentionInDays"] for _, body in self.asked if "retentionInDays" in body]

        ship.main()
        self.assertEqual(policies(), [30])
        self.journal.append("three")
        ship.main()
        self.assertEqual(policies(), [30])
        with open(self.settings, "w") as file:
            json.dump({**SETTINGS, "retentionDays": 7}, file)
        self.journal.append("four")
        self.answers += [("{}", 200), ("AccessDeniedException", 400)]
        with self.assertRaisesRegex(SystemExit, "shipped, but"):
            ship.main()
        shipped = len(self.asked)
        self.journal.append("five")
        ship.main()
        # What was shipped is not shipped again, and the policy is tried again.
        self.assertEqual(len(self.asked[shipped][1]["logEvents"]), 1)
        self.assertEqual(policies(), [30, 7, 7])

    def test_what_was_not_taken_is_shipped_by_the_next_run(self):
        self.answers.append(("ServiceUnavailable", 503))
        with self.assertRaisesRegex(SystemExit, "not shipped.*503"):
            ship.main()
        self.assertFalse(os.path.exists(self.cursor))
        ship.main()
        self.assertEqual(len(self.asked[1][1]["logEvents"]), 2)


if __name__ == "__main__":
    unittest.main()
