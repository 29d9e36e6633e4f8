"""The Runtime API's rules: what may be asked when, and what is made of what a runtime posts."""

import base64
import json

import pytest

from headgate.functions.environment import State
from headgate.functions.runtime_api import (
    ApiRequest,
    Ask,
    Refused,
    check,
    init_error_document,
    limit_bytes,
    next_reply,
    outcome_of,
    what_is_asked,
)
from headgate.model.invocation import Invocation

_STREAMED = {"lambda-runtime-function-response-mode": "streaming"}


def _posted(body: bytes = b"", **headers: str) -> ApiRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ApiRequest(method="POST", path="", headers=named, body=body)


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/2018-06-01/runtime/invocation/next", (Ask.NEXT, "")),
        ("POST", "/2018-06-01/runtime/invocation/id-1/response", (Ask.RESPONSE, "id-1")),
        ("POST", "/2018-06-01/runtime/invocation/id-1/error?x", (Ask.ERROR, "id-1")),
        ("POST", "/2018-06-01/runtime/init/error", (Ask.INIT_ERROR, "")),
    ],
)
def test_four_things_can_be_asked(method: str, path: str, asked: tuple[Ask, str]) -> None:
    assert what_is_asked(method, path) == asked


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/2018-06-01/runtime/invocation/next", 405),
        ("GET", "/2018-06-01/runtime/init/error", 405),
        ("GET", "/runtime/invocation/next", 404),
        ("GET", "/2018-06-01/runtime/invocation/a/b/response", 404),
        ("GET", "/", 404),
    ],
)
def test_nothing_else_can(method: str, path: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        what_is_asked(method, path)

    assert refused.value.status == status


_MAY = {
    "the first call is asked for": (Ask.NEXT, "", State.STARTING, "", False, False),
    "the next one, when the last is answered": (Ask.NEXT, "", State.SETTLING, "", False, False),
    "anew, when the connection was lost": (Ask.NEXT, "", State.IDLE, "", False, False),
    "a call is answered": (Ask.RESPONSE, "a", State.BUSY, "a", False, False),
    "a call has failed": (Ask.ERROR, "a", State.DRAINING, "a", False, False),
    "the start has failed": (Ask.INIT_ERROR, "", State.STARTING, "", False, False),
}

_MAY_NOT = {
    "the next before this one is answered": (Ask.NEXT, "", State.BUSY, "a", False, False, 403),
    "two calls at once": (Ask.NEXT, "", State.IDLE, "", True, False, 403),
    "a call after the start has failed": (Ask.NEXT, "", State.STARTING, "", False, True, 403),
    "an answer before a call": (Ask.RESPONSE, "a", State.STARTING, "", False, False, 403),
    "an answer to another call": (Ask.RESPONSE, "b", State.BUSY, "a", False, False, 400),
    "a second answer": (Ask.ERROR, "a", State.SETTLING, "", False, False, 400),
    "an answer to a call that was not delivered": (Ask.RESPONSE, "", State.BUSY, "", False, False, 400),
    "a failed start after it": (Ask.INIT_ERROR, "", State.BUSY, "a", False, False, 403),
}


@pytest.mark.parametrize("case", _MAY.values(), ids=_MAY)
def test_a_runtime_may(case: tuple[Ask, str, State, str, bool, bool]) -> None:
    ask, request_id, state, current_id, polled, failed = case

    check(ask, request_id, state, current_id=current_id, polled=polled, failed=failed)


@pytest.mark.parametrize("case", _MAY_NOT.values(), ids=_MAY_NOT)
def test_a_runtime_may_not(case: tuple[Ask, str, State, str, bool, bool, int]) -> None:
    ask, request_id, state, current_id, polled, failed, status = case

    with pytest.raises(Refused) as refused:
        check(ask, request_id, state, current_id=current_id, polled=polled, failed=failed)

    assert refused.value.status == status


def test_a_call_is_told_in_headers_and_body() -> None:
    call = Invocation(
        request_id="id-1", payload=b'{"a":1}', invoked_arn="arn:f:live", trace_id="Root=1", client_context='{"k":\n"ü"}'
    )

    head, _, body = next_reply(call, 1_700_000_000_123).partition(b"\r\n\r\n")

    assert body == b'{"a":1}'
    assert head.decode().split("\r\n") == [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "Lambda-Runtime-Aws-Request-Id: id-1",
        "Lambda-Runtime-Deadline-Ms: 1700000000123",
        "Lambda-Runtime-Invoked-Function-Arn: arn:f:live",
        "Lambda-Runtime-Trace-Id: Root=1",
        'Lambda-Runtime-Client-Context: {"k": "\\u00fc"}',
        "Content-Length: 7",
    ]


def test_a_trace_id_cannot_add_a_header() -> None:
    call = Invocation(request_id="id", payload=b"", invoked_arn="arn", trace_id="Root=1\r\nX-Evil: 1")

    assert b"\r\nX-Evil" not in next_reply(call, 0)


def test_an_error_document_is_passed_on_as_it_is() -> None:
    outcome = outcome_of(Ask.ERROR, _posted(b'{"errorType":"E","extra":[1]}'))

    assert (outcome.error, outcome.payload) == ("Unhandled", b'{"errorType":"E","extra":[1]}')


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[1]", b"\xff"])
def test_an_error_without_a_document_gets_one_with_the_header_s_type(body: bytes) -> None:
    posted = _posted(body, lambda_runtime_function_error_type="Runtime.Strange")

    for document in (outcome_of(Ask.ERROR, posted).payload, init_error_document(posted)):
        assert json.loads(document) == {
            "errorMessage": body.decode("utf-8", "replace"),
            "errorType": "Runtime.Strange",
        }


def test_a_stream_that_failed_on_its_way_is_an_error_by_its_trailers() -> None:
    posted = ApiRequest(
        method="POST",
        path="",
        body=b"half of it",
        headers={
            **_STREAMED,
            "lambda-runtime-function-error-type": "E",
            "lambda-runtime-function-error-body": base64.b64encode(b'{"errorType":"E"}').decode(),
        },
    )

    outcome = outcome_of(Ask.RESPONSE, posted)

    assert (outcome.error, outcome.payload) == ("Unhandled", b'{"errorType":"E"}')


def test_an_answer_that_is_too_large_is_an_error_that_names_the_limit() -> None:
    outcome = outcome_of(Ask.RESPONSE, ApiRequest(method="POST", path="", headers={}, too_large=True))

    assert json.loads(outcome.payload) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def test_a_streamed_answer_may_be_larger_and_one_that_is_passed_on_larger_still() -> None:
    assert limit_bytes(_STREAMED, passed_on=False) == 20 * 1024 * 1024
    assert limit_bytes(_STREAMED, passed_on=True) == 200 * 1024 * 1024
