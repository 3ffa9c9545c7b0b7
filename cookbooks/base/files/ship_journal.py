#!/usr/bin/env python3
"""Ships what the journal has gained to CloudWatch Logs.

Run every minute. It remembers how far it came only after CloudWatch has taken
the events, so that nothing is lost when it is away, and what was not taken is
shipped by the next run, as far back as the journal goes. Credentials are the
instance's own; curl signs, and gets them through standard input, where no
process list shows them.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request

SETTINGS = "/etc/lyceum/ship-journal.json"
#: Addresses other than AWS's own, as every AWS program reads them.
ENVIRONMENT = "/etc/lyceum/environment"
CURSOR = "/var/lib/lyceum/ship-journal.cursor"
#: The days for which this node last had the group kept.
RETENTION = "/var/lib/lyceum/ship-journal.retention"
METADATA = "http://169.254.169.254/latest/"

#: Limits of PutLogEvents, a little below.
MOST_BYTES = 1_000_000
MOST_EVENTS = 10_000
#: An event counts so many bytes more than its message.
EVENT_BYTES = 26
LONGEST_MESSAGE = 200_000
#: A batch may span a day.
LONGEST_SPAN = 23 * 3600 * 1000
#: Events of one run; the next run goes on.
MOST_LINES = 50_000
#: Seconds for a call.
CALL = 20


class Refused(Exception):
    """CloudWatch's no, by its name."""


def events(lines):
    """Journal entries, as `journalctl -o json` prints them, as events."""
    for line in lines:
        entry = json.loads(line)
        message = entry.get("MESSAGE")
        if isinstance(message, list):
            # Bytes that are no text.
            message = bytes(message).decode("utf-8", "replace")
        if message and entry.get("__REALTIME_TIMESTAMP"):
            name = entry.get("CONTAINER_NAME") or entry.get("SYSLOG_IDENTIFIER") or "kernel"
            text = f"{name}: {message}"[:LONGEST_MESSAGE]
            yield {"timestamp": int(entry["__REALTIME_TIMESTAMP"]) // 1000, "message": text}


def batches(entries):
    """Events in portions that PutLogEvents takes, each in order of time."""
    batch, size = [], 0
    for event in sorted(entries, key=lambda event: event["timestamp"]):
        weight = len(event["message"].encode()) + EVENT_BYTES
        span = event["timestamp"] - batch[0]["timestamp"] if batch else 0
        if batch and (
            size + weight > MOST_BYTES or len(batch) == MOST_EVENTS or span > LONGEST_SPAN
        ):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += weight
    if batch:
        yield batch


def ship(settings, lines, call):
    """Ships all lines; `call(action, body)` asks CloudWatch."""
    where = {"logGroupName": settings["group"], "logStreamName": settings["stream"]}
    for batch in batches(events(lines)):
        try:
            call("PutLogEvents", {**where, "logEvents": batch})
        except Refused as refused:
            if "ResourceNotFoundException" not in str(refused):
                raise
            make(settings, where, call)
            call("PutLogEvents", {**where, "logEvents": batch})


def keep(settings, call, path):
    """Has the group kept as long as the settings say, where that is news."""
    days = str(settings["retentionDays"])
    if read(path) == days:
        return
    body = {"logGroupName": settings["group"], "retentionInDays": settings["retentionDays"]}
    try:
        call("PutRetentionPolicy", body)
    except Refused as refused:
        # Made with it when there is something to ship.
        if "ResourceNotFoundException" not in str(refused):
            raise
        return
    remember(path, days)


def read(path):
    """What was remembered; nothing where that is nothing."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def make(settings, where, call):
    """Makes the group, with its retention, and the stream."""
    group = {"logGroupName": settings["group"]}
    for action, body in [
        ("CreateLogGroup", group),
        ("PutRetentionPolicy", {**group, "retentionInDays": settings["retentionDays"]}),
        ("CreateLogStream", where),
    ]:
        try:
            call(action, body)
        except Refused as refused:
            # Somebody else made it, or may alone: the next call tells.
            if "AlreadyExists" not in str(refused) and "AccessDenied" not in str(refused):
                raise


def read_journal(cursor):
    """New lines and the cursor after them."""
    # Without `--all` long messages come without their text.
    command = ["journalctl", "--no-pager", "--output=json", "--all"]
    command.append(f"--after-cursor={cursor}" if cursor else "--since=-1h")
    lines, last = [], cursor
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as journal:
        for line in journal.stdout:
            lines.append(line)
            last = json.loads(line)["__CURSOR"]
            if len(lines) >= MOST_LINES:
                journal.terminate()
                return lines, last
    if journal.returncode:
        sys.exit(f"the journal cannot be read: journalctl ended with {journal.returncode}")
    return lines, last


def metadata(path, token=None):
    """What the instance's metadata says; only with a session's token."""
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    method = "PUT"
    if token:
        headers, method = {"X-aws-ec2-metadata-token": token}, "GET"
    request = urllib.request.Request(METADATA + path, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=CALL) as answer:
        return answer.read().decode()


def credentials():
    """The instance's own."""
    token = metadata("api/token")
    role = metadata("meta-data/iam/security-credentials/", token).strip()
    return json.loads(metadata(f"meta-data/iam/security-credentials/{role}", token))


def endpoint(region, environment):
    """Where CloudWatch Logs is."""
    given = environment.get("AWS_ENDPOINT_URL_LOGS") or environment.get("AWS_ENDPOINT_URL")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return given or f"https://logs.{region}.{suffix}"


def caller(region, environment, keys):
    """A function that asks CloudWatch Logs, signed."""

    def call(action, body):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(body, file)
            file.flush()
            lines = [
                f'url = "{endpoint(region, environment)}/"',
                f'aws-sigv4 = "aws:amz:{region}:logs"',
                f'user = "{keys["AccessKeyId"]}:{keys["SecretAccessKey"]}"',
                f'header = "X-Amz-Security-Token: {keys.get("Token", "")}"',
                f'header = "X-Amz-Target: Logs_20140328.{action}"',
                'header = "Content-Type: application/x-amz-json-1.1"',
                f'data-binary = "@{file.name}"',
                'write-out = "\\n%{http_code}"',
                f"max-time = {CALL}",
                "silent",
                "show-error",
            ]
            command = ["curl", "--config", "-"]
            done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"{action}: {done.stderr.strip()}")
        answer, _, status = done.stdout.rpartition("\n")
        if status != "200":
            raise Refused(f"{action}: {status} {answer[:500]}")

    return call


def read_environment(path):
    """`NAME=value` lines, and the process's own environment above them."""
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, equals, value = line.strip().partition("=")
                if equals and not name.startswith("#"):
                    found[name] = value.strip("\"'")
    except FileNotFoundError:
        pass
    return {**found, **os.environ}


def remember(path, text):
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def main():
    with open(SETTINGS, encoding="utf-8") as file:
        settings = json.load(file)
    lines, last = read_journal(read(CURSOR))
    if not lines:
        return
    environment = read_environment(ENVIRONMENT)
    try:
        call = caller(settings["region"], environment, credentials())
        ship(settings, lines, call)
    except (OSError, Refused) as error:
        sys.exit(f"not shipped, the next run tries again: {error}")
    remember(CURSOR, last)
    try:
        keep(settings, call, RETENTION)
    except (OSError, Refused) as error:
        sys.exit(f"shipped, but for how long it is kept is not set: {error}")


if __name__ == "__main__":
    main()
