"""The lines of execution logs: their order, what is only in a data trace, and that no secret is in them."""

from typing import Any

import msgspec
import orjson
import pytest

from headgate.dataplane.exchange import Exchange
from headgate.dataplane.execution_log import ExecutionLog
from headgate.dataplane.refusal import (
    BadProxyAnswer,
    ConfigurationError,
    IntegrationFailure,
    IntegrationTimeout,
    Refusal,
    Throttled,
)
from headgate.dataplane.watch import Watch
from headgate.model.call import Response
from unit.dataplane.builders import a_call, a_request

_ID = "11111111-1111-4111-a111-111111111111"
_NO_KEY = (
    "API Key  authorized because method 'GET /pets' does not require API Key. "
    "Request will not contribute to throttle or quota limits"
)
_TOKEN = "Bearer eyJhbGciOiJIUzI1NiJ9.secret-part.signature"
_KEY = "abcdefghijklmnopqrst123456"


class Events:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.times: list[int] = []

    def write(self, group: str, stream: str, timestamp_ms: int, line: str) -> None:
        self.texts.append(line)
        self.times.append(timestamp_ms)


def _watch(*, sent_body: bytes = b"ping", received_body: bytes = b"pong", status: int = 200) -> Watch:
    watch = Watch()
    watch.sending("http://backend:9000", b"POST /pets?a=1 HTTP/1.1\r\nHost: backend\r\nX-One: 1\r\n\r\n", sent_body)
    if status:
        watch.received(status, [(b"Content-Type", b"text/plain")], received_body)
    return watch


def _exchange(
    *,
    refusal: Refusal | None = None,
    watch: Watch | None = None,
    headers: list[tuple[bytes, bytes]] | None = None,
    reply_headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"hi",
    query: str = "a=1",
    reached: bool = True,
) -> Exchange:
    call = a_call(method="POST", headers=headers or [(b"Accept", b"*/*")], body=body, query=query)
    request = msgspec.structs.replace(a_request(call, path_parameters={"id": "7"}), watch=watch)
    response = Response(
        refusal.status if refusal else 200, reply_headers or [(b"X-Reply", b"yes")], b'{"message": "said"}'
    )
    return Exchange(request, response, refusal, 0.001 if reached else -1.0, 0.020 if reached else -1.0, 0.030)


def _lines(exchange: Exchange, level: str = "INFO", *, data_trace: bool = False) -> list[str]:
    """What is logged, without the prefix that each line must have."""
    events = Events()
    ExecutionLog(events, "group", "stream", level, data_trace=data_trace).write(exchange)
    assert all(text.startswith(f"({_ID}) ") for text in events.texts)
    return [text.removeprefix(f"({_ID}) ") for text in events.texts]


def test_the_way_of_a_request_at_level_info() -> None:
    assert _lines(_exchange(watch=_watch())) == [
        "Extended Request Id: extended=",
        f"Verifying Usage Plan for request: {_ID}. API Key:  API Stage: api1234567/prod",
        _NO_KEY,
        "Usage Plan check succeeded for API Key  and API Stage api1234567/prod",
        f"Starting execution for request: {_ID}",
        "HTTP Method: POST, Resource Path: /pets",
        "Sending request to http://backend:9000/pets?a=1",
        "Received response. Status: 200, Integration latency: 20 ms",
        "Successfully completed execution",
        "Method completed with status: 200",
    ]


def test_a_data_trace_has_headers_bodies_and_the_endpoint_too() -> None:
    lines = _lines(_exchange(watch=_watch()), data_trace=True)

    assert lines[6:10] == [
        "Method request path: {id=7}",
        "Method request query string: {a=1}",
        "Method request headers: {Accept=*/*}",
        "Method request body before transformations: hi",
    ]
    assert lines[10:] == [
        "Endpoint request URI: http://backend:9000/pets?a=1",
        "Endpoint request headers: {Host=backend, X-One=1}",
        "Endpoint request body after transformations: ping",
        "Sending request to http://backend:9000/pets?a=1",
        "Received response. Status: 200, Integration latency: 20 ms",
        "Endpoint response headers: {Content-Type=text/plain}",
        "Endpoint response body before transformations: pong",
        'Method response body after transformations: {"message": "said"}',
        "Method response headers: {X-Reply=yes}",
        "Successfully completed execution",
        "Method completed with status: 200",
    ]


@pytest.mark.parametrize(
    ("refusal", "first", "status"),
    [
        pytest.param(IntegrationTimeout("x"), "Execution failed due to a timeout error", 504, id="timeout"),
        pytest.param(
            ConfigurationError("no default"), "Execution failed due to configuration error: no default", 500, id="setup"
        ),
        pytest.param(
            IntegrationFailure("Network error communicating with endpoint"),
            "Execution failed due to configuration error: Network error communicating with endpoint",
            500,
            id="unreachable",
        ),
        pytest.param(
            BadProxyAnswer("Malformed Lambda proxy response: not JSON"),
            "Execution failed due to configuration error: Malformed Lambda proxy response: not JSON",
            502,
            id="malformed",
        ),
        pytest.param(
            BadProxyAnswer("Lambda execution failed with status 200 due to customer function error: boom."),
            "Lambda execution failed with status 200 due to customer function error: boom.",
            502,
            id="function error",
        ),
        pytest.param(Throttled(), "Execution failed: Too Many Requests", 429, id="throttled"),
    ],
)
def test_a_failure_at_level_error(refusal: Refusal, first: str, status: int) -> None:
    assert _lines(_exchange(refusal=refusal), "ERROR") == [
        first,
        f"Gateway response type: {refusal.response_type} with status code: {status}",
        'Gateway response body: {"message": "said"}',
        "Gateway response headers: {X-Reply=yes}",
        f"Method completed with status: {status}",
    ]


def test_a_failure_at_level_info_ends_the_lines_of_the_request() -> None:
    lines = _lines(_exchange(refusal=IntegrationTimeout(), watch=_watch(status=0)))

    assert "Sending request to http://backend:9000/pets?a=1" in lines
    assert not any(line.startswith("Received response") for line in lines)
    assert lines[-1] == "Method completed with status: 504"
    assert "Successfully completed execution" not in lines


def test_lines_have_the_time_of_what_they_tell() -> None:
    events = Events()
    ExecutionLog(events, "group", "stream", "INFO", data_trace=False).write(_exchange(watch=_watch()))

    arrived = 1_728_568_536_250
    assert events.times == [arrived] * 6 + [arrived + 1, arrived + 21, arrived + 30, arrived + 30]


_SECRET_HEADERS: list[tuple[bytes, bytes]] = [
    (b"authorization", _TOKEN.encode()),
    (b"X-API-Key", _KEY.encode()),
    (b"Cookie", b'session="quoted-session-secret"'),
]


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_no_line_has_a_secret_of_the_request(level: str) -> None:
    told: Any = (_TOKEN + " " + _KEY + ' {"cookie": "session=\\"quoted-session-secret\\""}').encode()
    exchange = _exchange(
        headers=_SECRET_HEADERS,
        body=told,
        watch=_watch(sent_body=told, received_body=told),
        refusal=ConfigurationError(f"cannot use {_TOKEN}"),
    )

    text = "\n".join(_lines(exchange, level, data_trace=True))

    assert "secret-part" not in text
    assert _KEY not in text
    assert "quoted-session-secret" not in text


def test_a_secret_is_shown_as_four_stars_and_its_end() -> None:
    lines = _lines(_exchange(headers=_SECRET_HEADERS[:2]), data_trace=True)

    assert "Method request headers: {authorization=****nature, X-API-Key=****123456}" in lines


def test_a_short_secret_is_not_shown_at_all() -> None:
    lines = _lines(_exchange(headers=[(b"x-api-key", b"hunter2")], body=b"hunter2"), data_trace=True)

    assert "Method request headers: {x-api-key=****}" in lines
    assert "Method request body before transformations: ****" in lines


def test_a_token_without_its_scheme_is_masked_too() -> None:
    bare = _TOKEN.partition(" ")[2].encode()
    lines = _lines(_exchange(headers=_SECRET_HEADERS[:1], body=b"token " + bare), data_trace=True)

    assert "Method request body before transformations: token ****nature" in lines


def test_cookies_that_a_backend_sets_are_masked() -> None:
    cookie = [(b"Set-Cookie", b"session=abcdefghijklmnopqrstuvwxyz; HttpOnly")]

    text = "\n".join(_lines(_exchange(reply_headers=cookie), data_trace=True))

    assert "abcdefghij" not in text


def test_a_cookie_s_value_is_masked_without_its_name_too() -> None:
    cookies = [(b"Cookie", b'theme=dark; session="abcdefghijklmnopqrstuvwxyz"')]

    lines = _lines(_exchange(headers=cookies, body=b"abcdefghijklmnopqrstuvwxyz"), data_trace=True)

    assert "Method request body before transformations: ****uvwxyz" in lines


def test_a_secret_of_other_bytes_than_utf_8_is_masked_in_an_event_too() -> None:
    secret = b"Bearer caf\xe9-secret-of-latin-one"
    event = orjson.dumps({"headers": {"Authorization": secret.decode("latin-1")}})

    text = "\n".join(
        _lines(_exchange(headers=[(b"Authorization", secret)], watch=_watch(sent_body=event)), data_trace=True)
    )

    assert "secret-of" not in text


def test_a_signature_in_the_query_is_masked() -> None:
    exchange = _exchange(query="X-Amz-Signature=0123456789abcdef0123456789abcdef&a=1")

    lines = _lines(exchange, data_trace=True)

    assert "Method request query string: {X-Amz-Signature=****abcdef, a=1}" in lines


def test_a_secret_longer_than_an_event_is_masked_where_the_event_is_cut() -> None:
    secret = "s" * 3000
    exchange = _exchange(headers=[(b"Cookie", secret.encode())], body=b"x" * 200 + secret.encode())

    assert "ssssssss" not in "\n".join(_lines(exchange, data_trace=True))


@pytest.mark.parametrize("body", [b"x" * 5000, "ü".encode() * 2500], ids=["ASCII", "two bytes a character"])
def test_an_event_is_cut_at_1024_bytes(body: bytes) -> None:
    events = Events()
    ExecutionLog(events, "group", "stream", "INFO", data_trace=True).write(_exchange(body=body))

    cut = [text for text in events.texts if text.endswith(" [TRUNCATED]")]
    assert len(cut) == 1
    assert 1022 <= len(cut[0].encode()) <= 1024
