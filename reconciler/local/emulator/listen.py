"""The server that the emulator's application stands behind.

The one it comes with is made for developing: each request has a connection and a
thread of its own, and its headers are read as those of a mail. That was a third of
the emulator's time in a plan, and now and then an answer was lost.
"""

import logging
import re
import sys
import traceback

import waitress
from waitress.channel import HTTPChannel
from waitress.task import WSGITask
from werkzeug.exceptions import InternalServerError

# A queue that is empty keeps its thread for up to 20 s; there may be many that ask.
THREADS = 64
CONNECTIONS = 1_000
# A client may take up a connection it has not used for a while. Seconds.
IDLE = 3_600


def listen(app):
    """Serves the WSGI application `app` on a loopback port the system chooses, and
    says on standard output which."""
    # It warns of every request that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = waitress.create_server(
        as_expected(app),
        host="127.0.0.1",
        port=0,
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE,
        # More files than `select` can tell apart may be open.
        asyncore_use_poll=True,
    )
    server.channel_class = Channel
    print(f"Running on http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


class Task(WSGITask):
    """Names of headers are written `Like-This`. Clients read those of an object's
    metadata out of them, and S3 has them in lower case."""

    METADATA = re.compile(rb"^X-Amz-Meta-[^:]*", re.MULTILINE)

    def build_response_header(self):
        return self.METADATA.sub(lambda name: name[0].lower(), super().build_response_header())


class Channel(HTTPChannel):
    task_class = Task


def as_expected(app):
    """The emulator reads the path as it was sent where its own server leaves it. What
    breaks is answered in HTML, as by that, which tells it from AWS's own errors."""

    def call(environ, start_response):
        environ["RAW_URI"] = environ["REQUEST_URI"]
        try:
            return app(environ, start_response)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return InternalServerError()(environ, start_response)

    return call
