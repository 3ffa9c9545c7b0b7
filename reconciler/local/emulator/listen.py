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

# So many requests are answered at a time; one that waits for a message of a queue
# takes up to 20 s.
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

    def send_continue(self):
        super().send_continue()
        # Without a body it is complete, whatever the client expects.
        self.request.completed = self.request.body_rcv is None


def as_expected(app):
    """The emulator reads the path as it was sent where its own server leaves it. What
    breaks is answered in HTML, as by that, which tells it from AWS's own errors. Each
    request that gets here is a line of the log."""

    def call(environ, start_response):
        environ["RAW_URI"] = environ["REQUEST_URI"]

        def start(status, headers, error=None):
            # In one go: many threads write here.
            sys.stdout.write(f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']} {status}\n")
            return start_response(status, headers, error)

        try:
            return app(environ, start)
        except Exception:
            error = sys.exc_info()
            traceback.print_exception(*error)
            return InternalServerError()(environ, lambda *given: start(*given, error))

    return call
