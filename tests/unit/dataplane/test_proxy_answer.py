import base64
from typing import Any

import orjson
import pytest

from headgate.dataplane.proxy_answer import proxy_answer
from headgate.dataplane.refusal import BadProxyAnswer, ConfigurationError
from unit.dataplane.builders import a_call, a_request, a_variant


def _headers(answer: Any) -> list[tuple[bytes, bytes]]:
    return proxy_answer(a_request(), orjson.dumps(answer)).headers


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param({}, 200, id="an empty object"),
        pytest.param({"statusCode": 201}, 201, id="a number"),
        pytest.param({"statusCode": "202"}, 202, id="a number in quotes"),
        pytest.param({"headers": None, "body": None}, 200, id="nulls"),
    ],
)
def test_status_of_an_answer(answer: Any, status: int) -> None:
    reply = proxy_answer(a_request(), orjson.dumps(answer))

    assert (reply.status, reply.body) == (status, b"")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("a text", id="not an object"),
        pytest.param(None, id="null"),
        pytest.param([], id="a list"),
        pytest.param({"statuscode": 200}, id="an unknown key"),
        pytest.param({"statusCode": 200, "cookies": []}, id="cookies, which is of another version"),
        pytest.param({"statusCode": "abc"}, id="a status that is no number"),
        pytest.param({"statusCode": 20.5}, id="a broken status"),
        pytest.param({"statusCode": True}, id="a true status"),
        pytest.param({"statusCode": 99}, id="a status below 100"),
        pytest.param({"statusCode": 600}, id="a status above 599"),
        pytest.param({"body": {"a": 1}}, id="an object as body"),
        pytest.param({"body": 5}, id="a number as body"),
        pytest.param({"headers": []}, id="headers as a list"),
        pytest.param({"headers": {"X": ["a"]}}, id="a list as header"),
        pytest.param({"headers": {"X": {"a": 1}}}, id="an object as header"),
        pytest.param({"headers": {"X": 1}}, id="a number as header"),
        pytest.param({"headers": {"X": "a\r\nSet-Cookie: b"}}, id="a header that would split the answer"),
        pytest.param({"headers": {"X\r\nY": "a"}}, id="a header name that would"),
        pytest.param({"multiValueHeaders": {"X": "a"}}, id="a text in multiValueHeaders"),
        pytest.param({"multiValueHeaders": []}, id="multiValueHeaders as a list"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_a_502(answer: Any) -> None:
    with pytest.raises(BadProxyAnswer) as refused:
        proxy_answer(a_request(), orjson.dumps(answer))

    assert refused.value.status == 502


def test_the_content_type_is_json_unless_the_function_says_another() -> None:
    assert _headers({}) == [(b"Content-Type", b"application/json")]
    assert _headers({"headers": {"content-type": "text/html"}}) == [(b"content-type", b"text/html")]


def test_multi_values_come_first_and_give_the_name_its_case() -> None:
    headers = _headers({"headers": {"x-a": "3"}, "multiValueHeaders": {"X-A": ["1", "2"]}})

    assert headers[:3] == [(b"X-A", b"1"), (b"X-A", b"2"), (b"X-A", b"3")]


def test_a_true_header_is_the_word() -> None:
    assert (b"X", b"true") in _headers({"headers": {"X": True}})


def test_headers_that_are_the_connection_s_own_are_renamed() -> None:
    headers = _headers({"headers": {"Date": "today", "Server": "mine", "Content-Length": "3", "Connection": "x"}})

    assert {name for name, _ in headers} == {
        b"x-amzn-Remapped-Date",
        b"x-amzn-Remapped-Server",
        b"x-amzn-Remapped-Content-Length",
        b"x-amzn-Remapped-Connection",
        b"Content-Type",
    }


_PNG = base64.b64encode(b"\x89PNG").decode()


@pytest.mark.parametrize(
    ("accept", "binary", "body"),
    [
        pytest.param(b"image/png", {"image/png"}, b"\x89PNG", id="an accepted binary type is decoded"),
        pytest.param(b"image/png", {"image/*"}, b"\x89PNG", id="a configured wildcard matches"),
        pytest.param(b"image/*", {"image/png"}, _PNG.encode(), id="a wildcard in Accept does not"),
        pytest.param(b"text/html,image/png", {"image/png"}, _PNG.encode(), id="only the first Accept entry counts"),
        pytest.param(b"text/html", {"image/png"}, _PNG.encode(), id="without a match the text goes out as it is"),
        pytest.param(b"", {"*/*"}, b"\x89PNG", id="every type is binary"),
    ],
)
def test_a_base64_body(accept: bytes, binary: set[str], body: bytes) -> None:
    request = a_request(a_call(headers=[(b"Accept", accept)]), variant=a_variant(binary=frozenset(binary)))

    reply = proxy_answer(request, orjson.dumps({"body": _PNG, "isBase64Encoded": True}))

    assert reply.body == body


def test_a_body_that_is_not_base64_is_a_500() -> None:
    request = a_request(variant=a_variant(binary=frozenset({"*/*"})))

    with pytest.raises(ConfigurationError):
        proxy_answer(request, b'{"body": "not base64!", "isBase64Encoded": true}')
