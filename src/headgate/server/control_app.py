"""The ASGI application of the control listener: health, reset, the AWS wire, and what the gateway serves."""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import orjson

from headgate import __version__
from headgate.control import code_links
from headgate.control.dispatch import Dispatcher
from headgate.dataplane.address import locate
from headgate.dataplane.function_url.published import locate_url
from headgate.model.call import BrokenOff, Call, HttpAnswer, Pieces, StreamedResponse
from headgate.server import release_pages, request_body
from headgate.server.deployment_pages import DeploymentPages
from headgate.server.http1_refusal import DEFECT, body_too_large, new_request_id, refusal_response
from headgate.server.http1_target import BadTarget, host_name
from headgate.server.http_limits import HttpLimits
from headgate.server.metrics_pages import MetricsPages
from headgate.server.release_pages import ReleasePages
from headgate.telemetry.exposition import CONTENT_TYPE
from headgate.telemetry.log_tail import LogTail
from headgate.wire.http import HttpRequest

_log = logging.getLogger("headgate.control")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES: Final = 75 * 1024 * 1024  # a zip of 50 MB in base64, with room for the rest of CreateFunction
_MAX_CALL_BYTES: Final = HttpLimits().body_bytes
_JSON: Final = (b"content-type", b"application/json")


class Server(Protocol):
    """What the running server says of itself."""

    @property
    def revision(self) -> int: ...

    @property
    def ephemeral(self) -> bool: ...

    @property
    def log_tail(self) -> LogTail: ...

    @property
    def gateway_url(self) -> str: ...

    async def reset(self) -> None:
        """Back to empty, the bridge included."""
        ...

    async def code(self, path: str, query: str) -> bytes | None:
        """The zip that a link opens; None where the link is not valid."""
        ...


class ControlApp:
    def __init__(
        self,
        dispatcher: Dispatcher,
        gateway: Callable[[Call], Awaitable[HttpAnswer]],
        server: Server,
        port: int,
        metrics: MetricsPages,
        releases: ReleasePages,
        deployments: DeploymentPages,
    ) -> None:
        self._dispatcher = dispatcher
        self._gateway = gateway
        self._server = server
        self._port = str(port)
        self._metrics = metrics
        self._releases = releases
        self._deployments = deployments

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served, not {scope['type']}")
        body = await request_body.read(scope, receive, MAX_BODY_BYTES)
        if body is None:
            await request_body.refuse(receive, send, MAX_BODY_BYTES)
            return
        path = scope["raw_path"].decode("latin-1")
        if path.startswith(code_links.PREFIX):
            await self._send_code(scope, path, send)
            return
        if path == release_pages.PREFIX or path.startswith(f"{release_pages.PREFIX}/"):
            names = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            query = scope["query_string"].decode("latin-1")
            status, answer = await self._releases.answer(scope["method"], path, query, names, body)
            await _send(send, status, [_JSON], orjson.dumps(answer))
            return
        if path.startswith("/_headgate/"):
            request = _request(scope, path, body)
            page = await self._deployments.answer(request)
            status, answer = page or await self._own_page(request.method, path, request.query)
            await _send(send, status, [_JSON], orjson.dumps(answer))
            return
        call = _call(scope, path, body, self._port)
        if call is not None and (locate(call) or locate_url(call)) is not None:
            response = await self._serve(call)
            if isinstance(response, StreamedResponse):
                await _send_pieces(send, response.status, response.headers, response.pieces)
            else:
                await _send(send, response.status, response.headers, response.body)
            return
        if path == "/metrics" and scope["method"] in {"GET", "HEAD"}:
            await _send(send, 200, [(b"content-type", CONTENT_TYPE)], await self._metrics.prometheus())
            return
        reply = await self._dispatcher.answer(_request(scope, path, body))
        headers = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in reply.headers]
        if reply.pieces is not None:
            await _send_pieces(send, reply.status, headers, reply.pieces)
        else:
            await _send(send, reply.status, headers, reply.body)

    async def _serve(self, call: Call) -> HttpAnswer:
        """A stage's answer; what the gateway's own listener sees to is seen to here."""
        if len(call.body) > _MAX_CALL_BYTES:
            return refusal_response(body_too_large(_MAX_CALL_BYTES), new_request_id())
        try:
            return await self._gateway(call)
        except Exception:
            request_id = new_request_id()
            _log.exception("request %s failed: %s %s", request_id, call.method, call.path)
            return refusal_response(DEFECT, request_id)

    async def _send_code(self, scope: Message, path: str, send: Send) -> None:
        """A zip, to whoever has the link that an operation gave."""
        if scope["method"] not in {"GET", "HEAD"}:
            await _send(send, 405, [_JSON], orjson.dumps({"message": f"{scope['method']} is not answered at {path}"}))
            return
        code = await self._server.code(path, scope["query_string"].decode("latin-1"))
        if code is None:
            message = "the link is not, or no longer, valid; GetFunction and GetLayerVersion give a new one"
            await _send(send, 403, [_JSON], orjson.dumps({"message": message}))
            return
        await _send(send, 200, [(b"content-type", b"application/zip")], code)

    async def _own_page(self, method: str, path: str, query: str) -> tuple[int, Mapping[str, object]]:
        match method, path:
            case "GET", "/_headgate/logs":
                return await self._logs(dict(parse_qsl(query)))
            case (("GET" | "HEAD"), "/_headgate/health"):
                return 200, {
                    "status": "ok",
                    "version": __version__,
                    "revision": self._server.revision,
                    "gateway": self._server.gateway_url,
                }
            case "POST", "/_headgate/reset" if self._server.ephemeral:
                await self._server.reset()
                return 200, {"status": "ok", "revision": self._server.revision}
            case "POST", "/_headgate/reset":
                return 403, {"message": "only a server started with --ephemeral can be reset; this one keeps its data"}
            case (("GET" | "HEAD"), _) if (sides := await self._metrics.sides(path, query)) is not None:
                return sides
            case (("GET" | "HEAD"), _) if (mirror := self._metrics.mirror(path)) is not None:
                return mirror
            case _, ("/_headgate/health" | "/_headgate/reset" | "/_headgate/logs"):
                return 405, {"message": f"{method} is not answered at {path}"}
            case _:
                return 404, {"message": f"{path} is not there; try GET /_headgate/health"}

    async def _logs(self, asked: Mapping[str, str]) -> tuple[int, dict[str, object]]:
        """The lines of a log group since a place in it, for `headgate dev`; see `telemetry.log_tail`."""
        group, after, wait_s = asked.get("group", ""), asked.get("after", ""), asked.get("wait_s", "0")
        if not group or not re.fullmatch(r"[0-9]{0,18}", after) or not re.fullmatch(r"[0-9]{1,2}", wait_s):
            wanted = "group=NAME, after=PLACE as the last answer had it in `next`, and wait_s=SECONDS, 99 at most"
            return 400, {"message": f"/_headgate/logs is asked with {wanted}; it was asked with {dict(asked)}"}
        found = await self._server.log_tail.follow(group, int(after) if after else None, float(wait_s))
        return 200, {"lines": list(found.lines), "next": found.next}


def _request(scope: Message, path: str, body: bytes) -> HttpRequest:
    return HttpRequest(
        method=scope["method"],
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )


def _call(scope: Message, path: str, body: bytes, port: str) -> Call | None:
    """The request as the gateway sees it, but for its header names: uvicorn gives them in lower case."""
    headers = list(scope["headers"])
    host = next((value for name, value in headers if name == b"host"), b"")
    try:
        name = host_name(host)
    except BadTarget:
        return None
    client = scope.get("client")
    return Call(
        method=scope["method"],
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        host=name,
        port=port,
        source_ip=client[0] if client else "",
        received_at=time.time(),
    )


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    has_body = status >= 200 and status not in {204, 304}
    # An answer to HEAD brings the length of the body that it does not have.
    if has_body and not any(name.lower() == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if has_body else b""})


async def _send_pieces(send: Send, status: int, headers: list[tuple[bytes, bytes]], pieces: Pieces) -> None:
    """A body as it comes. uvicorn waits for a slow client in `send`, and drops what is for one that has left."""
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while piece := await pieces.next():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except BrokenOff:
        return  # an answer that is not ended: uvicorn closes the connection, by which the client sees it
    finally:
        pieces.abandon()
