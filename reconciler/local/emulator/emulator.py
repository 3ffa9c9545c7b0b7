"""Starts the AWS emulator on a port the system chooses, and ends with its parent.

The parent holds the other end of standard input: when it goes, however it
goes, the pipe closes and the emulator ends, so that none is left behind.
The port is announced on standard output by the server itself.
"""

import os
import sys
import threading
from datetime import datetime


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def allow_dated_images() -> None:
    """The emulator reads the images' dates in place, once for every region, and
    fails at the second: what is a date by then must stay one."""
    from moto.ec2.models import amis

    parse = amis.parse_timestamp
    amis.parse_timestamp = lambda value: value if isinstance(value, datetime) else parse(value)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    allow_dated_images()
    from moto import server
    from cloud import with_cloud
    from wire import translated

    run_simple = server.run_simple
    server.run_simple = lambda host, port, app, **options: run_simple(
        host, port, with_cloud(translated(app)), **options
    )
    server.main(["-H", "127.0.0.1", "-p", "0"])
