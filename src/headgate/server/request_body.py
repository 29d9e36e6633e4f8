"""A request's body at the control listener, and the refusal of one that is too large.

A connection that is closed while its client still sends is reset, and the reset takes the answer with it (RFC 9112,
9.6). So the answer goes out whole, and what still comes is read and thrown away for a while before it is closed.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_LINGER_S: Final = 30.0  # at most, until the client has sent all: nginx's lingering_time
_SILENCE_S: Final = 5.0  # of a client that sends no more: nginx's lingering_timeout


async def read(scope: Message, receive: Receive, most: int) -> bytes | None:
    """The whole body; None when it has more bytes than `most`, or its client left."""
    if _declared(scope) > most:
        return None  # before the client is told to continue, so that it need not send it
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def refuse(receive: Receive, send: Send, most: int) -> None:
    """Answer 413, and close so that the client sees it."""
    body = orjson.dumps({"message": f"the request body is over {most} bytes"})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})  # so that it is not closed yet
    await _linger(receive)
    await send({"type": "http.response.body", "body": b""})


async def _linger(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_LINGER_S):
            more = True
            while more:
                message = await asyncio.wait_for(receive(), _SILENCE_S)
                more = message["type"] == "http.request" and message.get("more_body", False)
    except TimeoutError:
        return


def _declared(scope: Message) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
