"""Responses that are sent while a function makes them: by InvokeWithResponseStream, and by function URLs."""

import base64
import http.client
import io
import json
import shutil
import socket
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from support.functions import ROLE
from support.lambdas import a_function, new_name
from support.server import RunningServer

# Sends the pieces that the event asks for; where the event has a port, it waits for leave there before the last.
BOOTSTRAP = f"""#!{sys.executable} -uIS
import base64, http.client, json, os, socket
host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
BASE = "/2018-06-01/runtime/invocation/"

while True:
    api = http.client.HTTPConnection(host, int(port))
    api.request("GET", BASE + "next")
    call = api.getresponse()
    request_id, event = call.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(call.read())
    api.close()
    asked = event.get("queryStringParameters") or event
    to = socket.create_connection((host, int(port)))
    to.sendall((f"POST {{BASE}}{{request_id}}/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
        f"Content-Type: {{asked.get('type', 'text/plain')}}\\r\\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n\\r\\n").encode())
    *first, last = [piece.encode("latin-1") for piece in asked["pieces"].split("|")]
    for piece in first:
        to.sendall(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
    if "port" in asked:
        with socket.create_connection(("127.0.0.1", int(asked["port"]))) as leave:
            leave.recv(1)
    if "fails" in asked:
        body = base64.b64encode(b'{{"errorType":"E","errorMessage":"half way"}}').decode()
        to.sendall((f"0\\r\\nLambda-Runtime-Function-Error-Type: E\\r\\n"
            f"Lambda-Runtime-Function-Error-Body: {{body}}\\r\\n\\r\\n").encode())
    else:
        last *= int(asked.get("times", 1))
        to.sendall(b"%x\\r\\n%s\\r\\n0\\r\\n\\r\\n" % (len(last), last))
    to.recv(1000)
    to.close()
"""
PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"


def _program(source: str, name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, source)
    return buffer.getvalue()


def _create(server: RunningServer, **options: Any) -> str:
    name = new_name()
    server.client("lambda").create_function(
        FunctionName=name, **{"Role": ROLE, "Handler": "index.handler", "Timeout": 30, **options}
    )
    server.client("lambda").add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    return name


@pytest.fixture(scope="module")
def streaming(server: RunningServer) -> str:
    """A function that streams what it is asked for."""
    return _create(server, Runtime="provided.al2023", Code={"ZipFile": _program(BOOTSTRAP, "bootstrap")})


@pytest.fixture(scope="module")
def url(server: RunningServer, streaming: str) -> str:
    """The host of its URL."""
    created = server.client("lambda").create_function_url_config(
        FunctionName=streaming,
        AuthType="NONE",
        InvokeMode="RESPONSE_STREAM",
        Cors={"AllowOrigins": ["https://a.example"]},
    )
    return str(urlsplit(created["FunctionUrl"]).netloc)


class Leave:
    """What a function waits for before its last piece."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.port = str(listening.getsockname()[1])

    def give(self) -> None:
        asking, _ = self._listening.accept()
        asking.sendall(b"x")
        asking.close()


@pytest.fixture
def leave() -> Iterator[Leave]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        yield Leave(listening)


@contextmanager
def asking(server: RunningServer, host: str, **asked: str) -> Iterator[http.client.HTTPResponse]:
    """The answer of a function URL, its body not read yet."""
    yield from _ask(server.gateway, "/", {"Host": host}, asked)


def _ask(base: str, path: str, headers: dict[str, str], asked: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
    address = urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request("GET", f"{path}?{urlencode(asked)}", headers=headers)
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def test_an_event_is_sent_while_the_function_makes_the_next(
    server: RunningServer, streaming: str, leave: Leave
) -> None:
    answer = server.client("lambda").invoke_with_response_stream(
        FunctionName=streaming, Payload=json.dumps({"pieces": "one|two", "port": leave.port}), LogType="Tail"
    )
    events = iter(answer["EventStream"])

    first = next(events)
    leave.give()
    second, end = events

    assert answer["ExecutedVersion"] == "$LATEST"
    assert [each["PayloadChunk"]["Payload"] for each in (first, second)] == [b"one", b"two"]
    assert b"END RequestId" in base64.b64decode(end["InvokeComplete"]["LogResult"])
    assert "ErrorCode" not in end["InvokeComplete"]


def test_a_stream_that_fails_on_its_way_ends_with_the_error(server: RunningServer, streaming: str) -> None:
    answer = server.client("lambda").invoke_with_response_stream(
        FunctionName=streaming, Payload=json.dumps({"pieces": "one|two", "fails": "yes"})
    )

    chunk, end = answer["EventStream"]

    assert chunk["PayloadChunk"]["Payload"] == b"one"
    assert end["InvokeComplete"]["ErrorCode"] == "Unhandled"
    assert json.loads(end["InvokeComplete"]["ErrorDetails"]) == {"errorType": "E", "errorMessage": "half way"}


def test_a_url_s_answer_is_sent_while_the_function_makes_it(server: RunningServer, url: str, leave: Leave) -> None:
    with asking(server, url, pieces="one|two", port=leave.port, type="text/x-own") as answer:
        first = answer.read(3)
        leave.give()

        assert (answer.status, first, answer.read()) == (200, b"one", b"two")
        assert answer.headers["Content-Type"] == "text/x-own"
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.headers["x-amzn-RequestId"]


def test_the_control_listener_streams_too(server: RunningServer, url: str, leave: Leave) -> None:
    asked = {"pieces": "one|two", "port": leave.port}
    path = f"/_aws/lambda-url/{url.partition('.')[0]}/"

    with contextmanager(_ask)(server.url, path, {}, asked) as answer:
        first = answer.read(3)
        leave.give()

        assert (answer.status, first, answer.read()) == (200, b"one", b"two")


def test_status_headers_and_cookies_come_before_the_body(server: RunningServer, url: str) -> None:
    said = {"statusCode": 201, "headers": {"X-Own": "a"}, "cookies": ["a=1", "b=2"]}
    # The prelude in two pieces, its end in the midst of one.
    text = json.dumps(said)
    pieces = f"{text[:10]}|{text[10:]}\0\0\0|\0\0\0\0\0bo|dy"

    with asking(server, url, pieces=pieces, type=PRELUDE_TYPE) as answer:
        assert (answer.status, answer.read()) == (201, b"body")
        assert answer.headers["X-Own"] == "a"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_cors_headers_are_added_to_a_streamed_answer(server: RunningServer, url: str) -> None:
    headers = {"Host": url, "Origin": "https://a.example"}

    with contextmanager(_ask)(server.gateway, "/", headers, {"pieces": "one"}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"


@pytest.mark.parametrize(
    "pieces",
    ["no json\0\0\0\0\0\0\0\0body", '["no object"]\0\0\0\0\0\0\0\0', '{"statusCode": 7}\0\0\0\0\0\0\0\0', "{}"],
)
def test_a_prelude_that_is_none_is_a_502(server: RunningServer, url: str, pieces: str) -> None:
    with asking(server, url, pieces=pieces, type=PRELUDE_TYPE) as answer:
        assert (answer.status, answer.read()) == (502, b"Internal Server Error")


def test_a_body_that_breaks_off_is_not_ended(server: RunningServer, url: str) -> None:
    with asking(server, url, pieces="one|two", fails="yes") as answer:
        with pytest.raises(http.client.IncompleteRead) as cut:
            answer.read()

        assert (answer.status, cut.value.partial) == (200, b"one")


def test_a_body_of_a_hundred_megabytes_passes(server: RunningServer, url: str) -> None:
    size = 0
    with asking(server, url, pieces="x" * 100, times="1000000") as answer:
        while piece := answer.read(1 << 20):
            size += len(piece)

    assert size == 100_000_000


def test_a_client_that_leaves_does_not_stop_the_function(server: RunningServer, url: str, leave: Leave) -> None:
    with asking(server, url, pieces="one|two", port=leave.port) as answer:
        answer.read(3)

    leave.give()  # accepted: the function is still there

    with asking(server, url, pieces="again") as answer:
        assert answer.read() == b"again"


def test_a_function_that_answers_at_once_is_one_event_and_a_whole_answer(server: RunningServer) -> None:
    name = a_function(server, "def handle(event, context):\n    return 'all at once'\n")

    chunk, _ = server.client("lambda").invoke_with_response_stream(FunctionName=name)["EventStream"]

    assert chunk["PayloadChunk"]["Payload"] == b'"all at once"'


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH")
def test_node_s_streamify_response(server: RunningServer, leave: Leave) -> None:
    source = """
    const net = require("node:net");
    exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
        stream = awslambda.HttpResponseStream.from(stream, {statusCode: 202, headers: {"Content-Type": "text/html"}});
        stream.write("one");
        const port = Number(event.queryStringParameters.port);
        await new Promise((then) => net.connect(port, "127.0.0.1").on("data", then));
        stream.end("two");
    });
    """
    name = _create(server, Runtime="nodejs20.x", Code={"ZipFile": _program(source, "index.js")}, MemorySize=256)
    created = server.client("lambda").create_function_url_config(
        FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )

    with asking(server, urlsplit(created["FunctionUrl"]).netloc, port=leave.port) as answer:
        first = answer.read(3)
        leave.give()

        assert (answer.status, answer.headers["Content-Type"], first) == (202, "text/html", b"one")
        assert answer.read() == b"two"
