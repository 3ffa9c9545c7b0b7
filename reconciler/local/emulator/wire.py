"""What newer SDKs say on the wire and the emulator does not understand.

CloudWatch is spoken in CBOR; the emulator knows its JSON. S3's answer to
GetBucketVersioning has another root element than AWS's. Both are translated
before and after the emulator, nothing else is touched.
"""

import io
import json
from datetime import datetime, timezone

import botocore.session
import cbor2

PATH = "/service/GraniteServiceVersion20100801/operation/"
TARGET = "GraniteServiceVersion20100801."


def translated(app):
    """The WSGI application `app`, understanding both."""
    model = botocore.session.get_session().get_service_model("cloudwatch")

    def call(environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith(PATH):
            return cloudwatch(app, environ, start_response, model.operation_model(path[len(PATH):]))
        if "versioning" in environ.get("QUERY_STRING", "") and environ["REQUEST_METHOD"] == "GET":
            return versioning(app, environ, start_response)
        return app(environ, start_response)

    return call


def cloudwatch(app, environ, start_response, operation):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    asked = cbor2.loads(environ["wsgi.input"].read(size)) if size else {}
    body = json.dumps(asked, default=seconds).encode()
    inner = dict(
        environ,
        PATH_INFO="/",
        RAW_URI="/",
        REQUEST_URI="/",
        CONTENT_TYPE="application/x-amz-json-1.0",
        CONTENT_LENGTH=str(len(body)),
        HTTP_X_AMZ_TARGET=TARGET + operation.name,
    )
    inner.pop("HTTP_SMITHY_PROTOCOL", None)
    inner["wsgi.input"] = io.BytesIO(body)
    status, headers, answer = run(app, inner)
    found = json.loads(answer) if answer.strip() else {}
    shape = operation.output_shape if status.startswith("2") else None
    return reply(start_response, status, "application/cbor", cbor2.dumps(typed(found, shape)))


def versioning(app, environ, start_response):
    status, headers, answer = run(app, environ)
    answer = answer.replace(b"GetBucketVersioningResponse", b"VersioningConfiguration")
    return reply(start_response, status, headers.get("content-type", "application/xml"), answer)


def run(app, environ):
    """Status, headers in lower case and body of what the application answers."""
    kept = {}

    def start(status, headers, exc_info=None):
        kept["status"], kept["headers"] = status, headers

    chunks = app(environ, start)
    try:
        body = b"".join(chunks)
    finally:
        getattr(chunks, "close", lambda: None)()
    return kept["status"], {key.lower(): value for key, value in kept["headers"]}, body


def reply(start_response, status, kind, body):
    headers = [("content-type", kind), ("content-length", str(len(body)))]
    if kind == "application/cbor":
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    start_response(status, headers)
    return [body]


def typed(value, shape):
    """The value as CBOR tells kinds of numbers apart and JSON does not."""
    if value is None or shape is None:
        return value
    if shape.type_name == "structure":
        members = shape.members
        return {key: typed(item, members.get(key)) for key, item in value.items() if item is not None}
    if shape.type_name == "list":
        return [typed(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: typed(item, shape.value) for key, item in value.items()}
    if shape.type_name in ("double", "float"):
        return float(value)
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name == "timestamp":
        return cbor2.CBORTag(1, moment(value))
    return value


def moment(value):
    """Seconds since 1970 of a number or an ISO 8601 text."""
    if isinstance(value, (int, float)):
        return float(value)
    parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()


def seconds(value):
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} has no place in JSON")
