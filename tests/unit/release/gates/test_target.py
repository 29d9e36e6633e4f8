"""URLs and the requests made of them."""

import pytest

from headgate.release.failures import Refused
from headgate.release.gates.context import GateContext, url_of
from headgate.release.gates.target import request_bytes, target_of


@pytest.mark.parametrize(
    ("url", "head"),
    [
        pytest.param("http://h/a?b=c#d", "GET /a?b=c HTTP/1.1\r\nHost: h\r\n", id="a fragment is not sent"),
        pytest.param("http://h:8080", "GET / HTTP/1.1\r\nHost: h:8080\r\n", id="a port is"),
        pytest.param("https://h:443/", "GET / HTTP/1.1\r\nHost: h\r\n", id="but for the scheme's own"),
        pytest.param("http://[::1]:81/", "GET / HTTP/1.1\r\nHost: [::1]:81\r\n", id="IPv6 stands in brackets"),
        pytest.param("http://h/a b/ü%2F", "GET /a%20b/%C3%BC%2F HTTP/1.1\r\n", id="escapes stay, others are added"),
        pytest.param("http://h/?q=a b", "GET /?q=a%20b HTTP/1.1\r\n", id="in queries too"),
        pytest.param(
            "http://bücher.example/", "GET / HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n", id="names are IDNA"
        ),
    ],
)
def test_a_request_begins_so(url: str, head: str) -> None:
    assert request_bytes("GET", target_of(url), {}).startswith(head.encode())


def test_what_headers_name_takes_the_place_of_a_default() -> None:
    request = request_bytes("POST", target_of("http://h/"), {"host": "abc.execute-api.localhost"}, b"hi")

    assert request.count(b"ost: ") == 1
    assert request.endswith(b"host: abc.execute-api.localhost\r\nContent-Length: 2\r\n\r\nhi")


def test_credentials_of_a_url_are_sent_and_not_shown() -> None:
    target = target_of("http://me:p%40ss@h/a?token=1")

    assert b"Authorization: Basic bWU6cEBzcw==\r\n" in request_bytes("GET", target, {})
    assert target.shown == "http://h/a"


@pytest.mark.parametrize(
    "url", ["ftp://h/s3cret", "http:///s3cret", "h/s3cret", "http://h:99999/s3cret", "http://[::1/s3cret"]
)
def test_what_is_no_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(Refused) as refused:
        target_of(url)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("x", "s3cret\r\nY: 1", id="a line break in a value"),
        pytest.param("x y", "s3cret", id="a space in a name"),
        pytest.param("Content-Length", "s3cret", id="the length"),
        pytest.param("Transfer-Encoding", "s3cret", id="the coding"),
    ],
)
def test_a_header_that_would_change_the_request_is_refused(name: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        request_bytes("GET", target_of("http://h/"), {name: value})

    assert "s3cret" not in str(refused.value)


STAGE = GateContext(key="r/1/eu/1", release="r", region="eu", stage_url="http://gw/prod/", headers={"x-canary": "1"})


def test_a_path_is_below_the_stage_and_routed_to_the_canary() -> None:
    assert url_of("/health", STAGE) == ("http://gw/prod/health", {"x-canary": "1"})


def test_the_test_header_goes_nowhere_else() -> None:
    assert url_of("https://elsewhere/health", STAGE) == ("https://elsewhere/health", {})


def test_a_path_needs_the_stage_s_url() -> None:
    with pytest.raises(Refused, match="/health is a path below the stage, whose URL is not known; write a URL"):
        url_of("/health", GateContext(key="r/1/eu/1", release="r", region="eu"))
