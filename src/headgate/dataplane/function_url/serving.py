"""The way of a call of a function URL: which URL, who may, the function, its answer."""

from collections.abc import Callable
from typing import Final, Protocol

import orjson

from headgate.dataplane.function_url import cors
from headgate.dataplane.function_url.answer import url_answer
from headgate.dataplane.function_url.event import url_event
from headgate.dataplane.function_url.published import FunctionUrls, PublishedUrl, locate_url
from headgate.dataplane.function_url.streamed import streamed_answer
from headgate.dataplane.ports import BackendTimeout, FunctionMissing, Functions, FunctionThrottled
from headgate.dataplane.request import Ids, forwarding
from headgate.model.call import Call, HttpAnswer, Response
from headgate.model.function_url import RESPONSE_STREAM

_TIMEOUT_S: Final = 960.0  # the longest that a function may run, and a minute to start it

Verify = Callable[[Call, str], str | None]
"""The access key with which a call is rightly signed for a region; None for any other call."""


class UrlPorts(Protocol):
    @property
    def functions(self) -> Functions: ...

    @property
    def function_urls(self) -> FunctionUrls: ...

    @property
    def verify_signature(self) -> Verify: ...


async def serve_url(call: Call, ids: Ids, ports: UrlPorts) -> HttpAnswer | None:
    """Answer a call; None when neither its host nor its path names a function URL."""
    address = locate_url(call)
    if address is None:
        return None
    found = ports.function_urls.find(address.url_id)
    if found is None:
        # The service's own words for a URL that is none.
        return _refused(ids, 403, "AccessDeniedException", {"Message": None})
    settings = found.url.cors
    if settings is not None and cors.is_preflight(call):
        return _identified(Response(200, cors.preflight_headers(settings, call), b""), ids)
    response = await _answered(call, address.path, ids, found, ports)
    if settings is not None:
        cors.put_headers(settings, call, response.headers)
    return response


async def _answered(call: Call, path: str, ids: Ids, found: PublishedUrl, ports: UrlPorts) -> HttpAnswer:
    access_key = ""
    if not found.open_to_all:
        signed_by = ports.verify_signature(call, found.url.function.region) if found.url.auth_type != "NONE" else None
        if signed_by is None:
            return _refused(ids, 403, "AccessDeniedException", {"Message": "Forbidden"})
        access_key = signed_by
    forwarded = forwarding(call)
    event = url_event(call, path, ids, found.url, forwarded, access_key)
    try:
        if found.url.invoke_mode == RESPONSE_STREAM:
            stream = await ports.functions.stream(found.url.function, event, forwarded.trace_id)
            return _answer(await streamed_answer(stream), ids)
        reply = await ports.functions.invoke(found.url.function, event, forwarded.trace_id, _TIMEOUT_S)
    except FunctionThrottled:
        throttled = {"Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."}
        return _refused(ids, 429, "TooManyRequestsException", throttled)
    except (FunctionMissing, BackendTimeout):
        return _failed(ids)
    return _answer(None if reply.failed else url_answer(reply.payload), ids)


def _answer(answer: HttpAnswer | None, ids: Ids) -> HttpAnswer:
    return _failed(ids) if answer is None else _identified(answer, ids)


def _failed(ids: Ids) -> HttpAnswer:
    """The function failed, or what it answered is no HTTP answer."""
    return _identified(Response(502, [(b"Content-Type", b"application/json")], b"Internal Server Error"), ids)


def _refused(ids: Ids, status: int, error_type: str, body: object) -> HttpAnswer:
    headers = [(b"Content-Type", b"application/json"), (b"x-amzn-ErrorType", error_type.encode())]
    return _identified(Response(status, headers, orjson.dumps(body)), ids)


def _identified(response: HttpAnswer, ids: Ids) -> HttpAnswer:
    response.headers.append((b"x-amzn-RequestId", ids.request_id.encode()))
    return response
