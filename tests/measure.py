"""Runs a command and prints as JSON what it cost: seconds of CPU, MiB at most."""

import json
import resource
import subprocess
import sys

if __name__ == "__main__":
    ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300)
    if ended.returncode:
        sys.exit(ended.stderr.decode(errors="replace"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}))
