"""What a look through the node costs the agent that runs as a service: asks it to
look at once, so many times, and prints the average as JSON, in the words of
`measure.py`.

Argument: how many times."""

import json
import os
import signal
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
REPORT = "/var/lib/lyceum/report.json"
PATIENCE = 60


def spent(pid):
    """CPU seconds of itself, and with the programs it has run."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = [int(field) for field in stat.read().rsplit(")", 1)[1].split()[11:15]]
    return sum(fields[:2]) / TICKS, sum(fields) / TICKS


def report():
    try:
        with open(REPORT) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def look(pid):
    """One look; how long it took."""
    before = report().get("started", 0)
    # A report says when it began by the second.
    while int(time.time()) <= before:
        time.sleep(0.05)
    os.kill(pid, signal.SIGHUP)
    began = time.monotonic()
    while report().get("started", 0) <= before:
        if time.monotonic() - began > PATIENCE:
            sys.exit("it does not look")
        time.sleep(0.02)
    found = report()
    outcomes = {step["outcome"]["is"] for step in found["steps"]}
    if outcomes != {"unchanged"} or not found["ready"]:
        sys.exit(f"it did something: {found}")
    return found["tookMs"] / 1000


times = int(sys.argv[1])
show = ["systemctl", "show", "--value", "--property=MainPID", "lyceum-agent"]
pid = int(subprocess.run(show, check=True, capture_output=True, text=True).stdout)
look(pid)
own, everything = spent(pid)
wall = sum(look(pid) for _ in range(times)) / times
after, everything_after = spent(pid)
with open(f"/proc/{pid}/status") as status:
    [mark] = [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
print(json.dumps({
    "wall": wall,
    "cpu": (after - own) / times,
    "cpu_all": (everything_after - everything) / times,
    "kib": mark,
    "kib_most": mark,
    "code": 0,
}))
