"""Runs a command to its end and prints what it cost as JSON: `wall` and `cpu` in
seconds, `kib` the most memory of the process itself; `cpu_all` and `kib_most` count
the programs that it ran and waited for as well; `code` is its exit code.

Arguments: a file for its output, then the command."""

import json
import os
import subprocess
import sys
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def high_water_mark(pid):
    """In KiB; 0 once its memory is gone."""
    with open(f"/proc/{pid}/status") as status:
        marks = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    return int(marks[0]) if marks else 0


with open(sys.argv[1], "wb") as output:
    began = time.monotonic()
    child = subprocess.Popen(sys.argv[2:], stdout=output, stderr=subprocess.STDOUT)
    mark, ended = 0, threading.Event()

    def watch():
        global mark
        while not ended.wait(0.002):
            mark = max(mark, high_water_mark(child.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    # A process that ended and was not taken leave of still tells its times.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    wall = time.monotonic() - began
    ended.set()
    watcher.join()
    with open(f"/proc/{child.pid}/stat") as stat:
        own = sum(int(field) for field in stat.read().rsplit(")", 1)[1].split()[11:13]) / TICKS
    _, status, usage = os.wait4(child.pid, 0)

print(json.dumps({
    "wall": wall,
    "cpu": own,
    "cpu_all": usage.ru_utime + usage.ru_stime,
    "kib": mark,
    "kib_most": usage.ru_maxrss,
    "code": os.waitstatus_to_exitcode(status),
}))
