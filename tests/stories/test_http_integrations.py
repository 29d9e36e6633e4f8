"""HTTP_PROXY and HTTP from end to end, against a real backend; and every way a URL reaches a stage."""

import base64
import gzip
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.apis import Api
from support.backends import Backend, serving_backend
from support.clients import KeptConnection
from support.server import Answer, RunningServer, fetch, running

_LIMIT = 10_485_760  # bytes of a body, both ways


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with serving_backend() as started:
        yield started


@pytest.fixture(scope="module")
def proxy(server: RunningServer, backend: Backend) -> Api:
    """/{path+} goes to the backend as it comes; /slow/{path} has 100 ms."""
    api = Api(server)
    api.http_proxy(
        api.resource("{path+}"),
        f"{backend.url}/{{path}}",
        requestParameters={"integration.request.path.path": "method.request.path.path"},
    )
    api.http_proxy(api.resource("slow"), f"{backend.url}/hold", timeoutInMillis=100)
    api.http_proxy(api.resource("nobody"), "http://127.0.0.1:1/")
    api.deploy("prod")
    return api


def _sent(answer: Answer) -> dict[str, list[str]]:
    """The headers that the backend saw, by lower-case name."""
    seen: dict[str, list[str]] = {}
    for name, value in answer.json["headers"]:
        seen.setdefault(name.lower(), []).append(value)
    return seen


def _ask(base: str, url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """A request without the headers that urllib adds. Underscores in header names stand for dashes."""
    connection = KeptConnection(base)
    try:
        return connection.ask(
            url.removeprefix(base), method, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
    finally:
        connection.close()


def test_a_request_goes_on_as_it_came(proxy: Api, backend: Backend) -> None:
    url = proxy.url("prod", "/echo/a%20b/c;d?x=1&x=%2B&empty&y=a+b")

    answer = _ask(
        proxy.server.gateway, url, "POST", b'{"a": 1}', X_Custom="yes", Authorization="Bearer t", Accept="text/x"
    )

    assert answer.json["method"] == "POST"
    assert answer.json["target"] == "/echo/a%20b/c;d?x=1&x=%2B&empty&y=a+b"
    assert base64.b64decode(answer.json["body"]) == b'{"a": 1}'
    seen = _sent(answer)
    assert seen["host"] == [urlsplit(backend.url).netloc]
    assert seen["x-custom"] == ["yes"]
    assert seen["authorization"] == ["Bearer t"]
    assert seen["accept"] == ["text/x"]
    assert seen["content-length"] == ["8"]
    assert seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["http"]
    assert seen["x-amzn-apigateway-api-id"] == [proxy.id]
    assert seen["x-amzn-trace-id"][0].startswith("Root=1-")


def test_what_a_client_does_not_say_the_gateway_does(proxy: Api) -> None:
    seen = _sent(_ask(proxy.server.gateway, proxy.url("prod", "/echo"), Via="1.0 a", Content_MD5="x", TE="trailers"))

    assert seen["accept"] == ["application/json"]
    assert seen["user-agent"] == [f"AmazonAPIGateway_{proxy.id}"]
    assert not {"via", "content-md5", "te", "content-length", "transfer-encoding"} & set(seen)


def test_a_client_s_forwarding_headers_are_continued(proxy: Api) -> None:
    seen = _sent(
        _ask(
            proxy.server.gateway,
            proxy.url("prod", "/echo"),
            X_Forwarded_For="203.0.113.7",
            X_Amzn_Trace_Id="Root=1-67891233-abcdef012345678912345678",
        )
    )

    assert seen["x-forwarded-for"] == ["203.0.113.7, 127.0.0.1"]
    assert seen["x-amzn-trace-id"][0].startswith("Root=1-67891233-abcdef012345678912345678")


def test_a_backend_s_headers_are_passed_renamed_or_dropped(proxy: Api) -> None:
    answer = _ask(proxy.server.gateway, proxy.url("prod", "/marked"))

    headers = answer.headers
    assert (headers["x-own"], headers["etag"]) == ("kept", '"v1"')
    assert headers["x-amzn-remapped-server"].startswith("BaseHTTP")
    assert headers["x-amzn-remapped-content-length"] == "2"
    assert "GMT" in headers["x-amzn-remapped-date"]
    assert not {"via", "keep-alive", "server", "x-amzn-trace-id"} & set(headers)
    assert len(headers["x-amzn-requestid"]) == 36


@pytest.mark.parametrize("status", [200, 201, 204, 304, 404, 418, 500, 503])
def test_a_backend_s_status_is_the_client_s(proxy: Api, status: int) -> None:
    assert fetch(proxy.url("prod", f"/status/{status}")).status == status


def test_a_chunked_answer_comes_whole_and_with_its_length(proxy: Api) -> None:
    answer = fetch(proxy.url("prod", "/chunked"))

    assert answer.body == b"one, two, three"
    assert answer.headers["content-length"] == "15"
    assert "transfer-encoding" not in answer.headers


def test_a_binary_body_goes_and_comes_untouched(proxy: Api) -> None:
    body = bytes(range(256)) * 1000

    answer = fetch(proxy.url("prod", "/bytes"), "PUT", body, {"Content-Type": "application/octet-stream"})

    assert answer.body == body


def test_head_has_a_get_s_headers_and_no_body(proxy: Api) -> None:
    connection = KeptConnection(proxy.server.gateway)
    path = urlsplit(proxy.url("prod", "/big/1234")).path

    head = connection.ask(path, "HEAD")
    get = connection.ask(path)  # on the same connection: nothing of the first answer is left in it
    connection.close()

    assert (head.status, head.body) == (200, b"")
    assert get.body == b"x" * 1234


def test_a_body_of_ten_megabytes_passes_and_a_byte_more_is_413(proxy: Api, backend: Backend) -> None:
    most = fetch(proxy.url("prod", "/bytes"), "POST", b"x" * _LIMIT)
    before = backend.count("/bytes/over")
    over = fetch(proxy.url("prod", "/bytes/over"), "POST", b"x" * (_LIMIT + 1))

    assert (most.status, len(most.body)) == (200, _LIMIT)
    assert over.status == 413
    assert backend.count("/bytes/over") == before


def test_an_answer_of_ten_megabytes_passes_and_a_byte_more_is_500(proxy: Api) -> None:
    most = fetch(proxy.url("prod", f"/big/{_LIMIT}"))
    over = fetch(proxy.url("prod", f"/big/{_LIMIT + 1}"))

    assert (most.status, len(most.body)) == (200, _LIMIT)
    assert (over.status, over.body) == (500, b'{"message": "Internal server error"}')


@pytest.mark.parametrize("path", ["/close", "/cut", "/nobody"])
def test_a_backend_that_gives_no_whole_answer_is_500(proxy: Api, path: str) -> None:
    answer = fetch(proxy.url("prod", path))

    assert (answer.status, answer.body) == (500, b'{"message": "Internal server error"}')
    assert answer.headers["x-amzn-errortype"] == "InternalServerErrorException"


def test_a_backend_that_hangs_is_504_after_the_integration_s_timeout(proxy: Api) -> None:
    answer = fetch(proxy.url("prod", "/slow"))

    assert (answer.status, answer.body) == (504, b'{"message":"Endpoint request timed out"}')


def test_a_backend_that_failed_is_asked_again_by_the_next_request(proxy: Api) -> None:
    connection = KeptConnection(proxy.server.gateway)
    paths = [urlsplit(proxy.url("prod", path)).path for path in ("/close", "/status/201") * 3]

    statuses = [connection.ask(path).status for path in paths]
    connection.close()

    assert statuses == [500, 201] * 3


def test_stage_variables_stand_in_the_backend_s_address(server: RunningServer, backend: Backend) -> None:
    api = Api(server)
    api.http_proxy(
        api.root, "http://${stageVariables.backend}/echo/${stageVariables.version}?v=${stageVariables.version}"
    )
    api.deploy("prod", variables={"backend": urlsplit(backend.url).netloc, "version": "one"})

    one = fetch(api.url("prod", "/?q=1")).json["target"]
    api.patch_stage("prod", ("replace", "/variables/version", "two"))
    two = fetch(api.url("prod")).json["target"]
    api.patch_stage("prod", ("remove", "/variables/backend"))
    unset = fetch(api.url("prod")).status

    assert (one, two, unset) == ("/echo/one?v=one&q=1", "/echo/two?v=two", 500)


def test_parameters_are_mapped_to_path_query_and_headers(server: RunningServer, backend: Backend) -> None:
    api = Api(server)
    names = {"path.id": True, "querystring.q": False, "header.X-In": False}
    where = api.method(
        api.resource("{id}"),
        "GET",
        requestParameters={f"method.request.{name}": required for name, required in names.items()},
    )
    api.client.put_integration(
        **where,
        type="HTTP_PROXY",
        integrationHttpMethod="POST",
        uri=f"{backend.url}/echo/{{order}}",
        requestParameters={
            "integration.request.path.order": "method.request.path.id",
            "integration.request.querystring.out": "method.request.querystring.q",
            "integration.request.header.X-Out": "method.request.header.X-In",
            "integration.request.header.X-Static": "'fixed'",
            "integration.request.header.X-Stage": "context.stage",
        },
    )
    api.deploy("prod")

    answer = fetch(api.url("prod", "/a%2Fb?q=1%262"), headers={"X-In": "in"})

    assert answer.json["method"] == "POST"
    path, _, query = answer.json["target"].partition("?")
    assert path == "/echo/a%2Fb"
    assert "out=1%262" in query.split("&")
    seen = _sent(answer)
    assert [seen[name] for name in ("x-out", "x-static", "x-stage")] == [["in"], ["fixed"], ["prod"]]


def _http(api: Api, uri: str, responses: dict[str, str | None], **options: Any) -> None:
    """An HTTP method whose integration responses are `responses`: pattern by status."""
    where = api.method(api.root, "POST")
    for status in responses:
        api.client.put_method_response(
            **where, statusCode=status, responseParameters={"method.response.header.X-Kind": False}
        )
    api.client.put_integration(**where, type="HTTP", integrationHttpMethod="POST", uri=uri, **options)
    for status, pattern in responses.items():
        selection = {} if pattern is None else {"selectionPattern": pattern}
        api.client.put_integration_response(
            **where,
            statusCode=status,
            responseParameters={"method.response.header.X-Kind": "integration.response.header.Content-Type"},
            **selection,
        )


def test_http_sends_only_what_is_mapped_and_maps_the_answer(server: RunningServer, backend: Backend) -> None:
    api = Api(server)
    _http(api, f"{backend.url}/echo", {"202": None})
    api.deploy("prod")

    answer = fetch(
        api.url("prod", "/?q=1"), "POST", b'{"a": 1}', {"X-Custom": "no", "Content-Type": "application/json"}
    )

    assert answer.status == 202
    assert answer.headers["x-kind"] == "application/json"
    assert "x-amzn-trace-id" in answer.headers
    assert base64.b64decode(answer.json["body"]) == b'{"a": 1}'
    assert answer.json["target"] == "/echo"
    assert "x-custom" not in _sent(answer)


def test_http_picks_its_answer_by_the_backend_s_status(server: RunningServer, backend: Backend) -> None:
    api = Api(server)
    _http(api, backend.url + "/status/${stageVariables.status}", {"200": r"2\d\d", "400": "4..", "502": "503"})
    api.deploy("prod", variables={"status": "204"})

    seen = {}
    for status in ("204", "404", "503", "500"):
        api.patch_stage("prod", ("replace", "/variables/status", status))
        seen[status] = fetch(api.url("prod"), "POST", b"").status

    assert seen == {"204": 200, "404": 400, "503": 502, "500": 500}


@pytest.fixture(scope="module")
def compressing(server: RunningServer, backend: Backend) -> Api:
    """Everything from 100 bytes on is compressed."""
    api = Api(server, minimumCompressionSize=100)
    api.http_proxy(
        api.resource("{path+}"),
        f"{backend.url}/{{path}}",
        requestParameters={"integration.request.path.path": "method.request.path.path"},
    )
    api.deploy("prod")
    return api


def test_an_answer_is_compressed_from_the_minimum_on(compressing: Api) -> None:
    accept = {"Accept-Encoding": "gzip"}

    large = fetch(compressing.url("prod", "/big/100"), headers=accept)
    small = fetch(compressing.url("prod", "/big/99"), headers=accept)
    deflated = fetch(compressing.url("prod", "/big/100"), headers={"Accept-Encoding": "deflate"})
    plain = fetch(compressing.url("prod", "/big/100"), headers={"Accept-Encoding": "identity"})

    assert large.headers["content-encoding"] == "gzip"
    assert gzip.decompress(large.body) == b"x" * 100
    assert large.headers["content-length"] == str(len(large.body))
    assert small.body == b"x" * 99
    assert "content-encoding" not in small.headers
    assert zlib.decompress(deflated.body) == b"x" * 100
    assert plain.body == b"x" * 100


def test_a_compressed_request_reaches_the_backend_plain(compressing: Api) -> None:
    body = b'{"order": 1}' * 100

    answer = fetch(compressing.url("prod", "/echo"), "POST", gzip.compress(body), {"Content-Encoding": "gzip"})
    broken = fetch(compressing.url("prod", "/echo"), "POST", b"not gzip", {"Content-Encoding": "gzip"})

    assert base64.b64decode(answer.json["body"]) == body
    assert "content-encoding" not in _sent(answer)
    assert broken.status == 400


def test_a_compressed_request_that_grows_over_the_limit_is_refused(compressing: Api, backend: Backend) -> None:
    before = backend.count("/echo/bomb")
    bomb = gzip.compress(bytes(_LIMIT + 1))

    answer = fetch(compressing.url("prod", "/echo/bomb"), "POST", bomb, {"Content-Encoding": "gzip"})

    assert answer.status == 400
    assert backend.count("/echo/bomb") == before


@pytest.mark.parametrize("listener", ["gateway", "url"])
@pytest.mark.parametrize(
    ("host", "path"),
    [
        pytest.param("{id}.execute-api.localhost", "/prod/echo/x", id="host"),
        pytest.param("{id}.execute-api.localhost:8080", "/prod/echo/x", id="host and port"),
        pytest.param("{ID}.Execute-Api.LOCALHOST", "/prod/echo/x", id="a host in capitals"),
        pytest.param("{id}.execute-api.eu-west-1.amazonaws.com", "/prod/echo/x", id="AWS's own host"),
        pytest.param("{id}.execute-api.localhost", "//prod/echo/x", id="two slashes before the stage"),
        pytest.param("127.0.0.1", "/_aws/execute-api/{id}/prod/echo/x", id="path"),
        pytest.param("127.0.0.1", "/restapis/{id}/prod/_user_request_/echo/x", id="the older path"),
    ],
)
def test_a_stage_is_reached_on_both_listeners_by(proxy: Api, listener: str, host: str, path: str) -> None:
    base = getattr(proxy.server, listener)

    answer = _ask(base, path.format(id=proxy.id), Host=host.format(id=proxy.id, ID=proxy.id.upper()))

    assert answer.status == 200
    assert answer.json["target"] == "/echo/x"
    assert "x-amz-apigw-id" in answer.headers


@pytest.mark.parametrize("listener", ["gateway", "url"])
def test_an_unknown_api_or_stage_is_403_on_both_listeners(proxy: Api, listener: str) -> None:
    base = getattr(proxy.server, listener)

    api = fetch(f"{base}/_aws/execute-api/absent/prod/echo")
    stage = fetch(f"{base}/_aws/execute-api/{proxy.id}/absent/echo")
    route = fetch(f"{base}/_aws/execute-api/{proxy.id}/prod")

    assert (api.status, api.body) == (403, b'{"message":"Forbidden"}')
    assert (stage.status, stage.body) == (403, b'{"message":"Missing Authentication Token"}')
    assert (route.status, route.body) == (403, b'{"message":"Missing Authentication Token"}')


def test_the_control_port_keeps_a_stage_s_body_limit_too(proxy: Api, backend: Backend) -> None:
    url = f"{proxy.server.url}/_aws/execute-api/{proxy.id}/prod/bytes/control"

    most = fetch(url, "POST", b"x" * _LIMIT)
    over = fetch(url, "POST", b"x" * (_LIMIT + 1))

    assert (most.status, len(most.body)) == (200, _LIMIT)
    assert over.status == 413
    assert backend.count("/bytes/control") == 1


def test_head_and_204_on_the_control_port_have_no_body(proxy: Api) -> None:
    connection = KeptConnection(proxy.server.url)
    path = f"/_aws/execute-api/{proxy.id}/prod"

    head = connection.ask(f"{path}/big/1234", "HEAD")
    empty = connection.ask(f"{path}/status/204")
    get = connection.ask(f"{path}/big/12")
    connection.close()

    assert (head.status, head.body) == (200, b"")
    assert (empty.status, empty.body) == (204, b"")
    assert get.body == b"x" * 12


def test_a_disabled_default_endpoint_answers_nobody_once_deployed(server: RunningServer) -> None:
    api = Api(server)
    api.mock(api.root, body="open")
    api.deploy("prod")
    flag = {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}
    api.client.update_rest_api(restApiId=api.id, patchOperations=[flag])

    before = fetch(api.url("prod"))
    api.deploy("prod")
    after = fetch(api.url("prod"))

    assert before.body == b"open"
    assert (after.status, after.body) == (403, b'{"message":"Forbidden"}')
