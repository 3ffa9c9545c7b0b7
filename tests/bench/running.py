"""What a look through the node costs the agent that runs as a service: asks it to
look at once, so many times, and prints the average as JSON, in the words of
`measure.py`.

Argument: how many times."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
# Written by whoever begins a run, and locked as long as that lasts.
LOCK = "/var/lib/lyceum/lock"
PATIENCE = 20


def spent(pid):
    """CPU seconds of itself, and with the programs it has run."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = [int(field) for field in stat.read().rsplit(")", 1)[1].split()[11:15]]
    return sum(fields[:2]) / TICKS, sum(fields) / TICKS


def look(pid):
    """One look; how long it took."""
    before = os.stat(LOCK).st_mtime_ns
    os.kill(pid, signal.SIGHUP)
    asked = time.monotonic()
    while os.stat(LOCK).st_mtime_ns == before:
        if time.monotonic() - asked > PATIENCE:
            sys.exit("it does not look")
        time.sleep(0.001)
    began = time.monotonic()
    with open(LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
    return time.monotonic() - began


times = int(sys.argv[1])
show = ["systemctl", "show", "--value", "--property=MainPID", "lyceum-agent"]
pid = int(subprocess.run(show, check=True, capture_output=True, text=True).stdout)
# The first after its start is dearer.
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
