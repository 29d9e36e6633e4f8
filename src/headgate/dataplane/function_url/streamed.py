"""The answer of a function behind a URL of mode RESPONSE_STREAM, which is sent while the function makes it.

A function may say status, headers and cookies first (`awslambda.HttpResponseStream`): a JSON object, eight zero bytes,
then the body, under a content type of its own. Any other content type is the answer's, with status 200. A function that
answers at once, as one on the built-in Python runtime does, is answered as in mode BUFFERED.
"""

from typing import Final

import orjson

from headgate.dataplane.function_url.answer import url_answer, url_head
from headgate.dataplane.ports import FunctionStream
from headgate.model.call import BrokenOff, HttpAnswer, Pieces, StreamedResponse

_WITH_PRELUDE: Final = "application/vnd.awslambda.http-integration-response"
_PRELUDE_END: Final = bytes(8)
MAX_PRELUDE_BYTES: Final = 256 * 1024


async def streamed_answer(stream: FunctionStream) -> HttpAnswer | None:
    """The answer that a begun stream stands for; None where it is none, and then the stream is abandoned."""
    if not stream.content_type:
        outcome = stream.outcome
        return None if outcome is None or outcome.error is not None else url_answer(outcome.payload)
    if stream.content_type.partition(";")[0].strip().lower() != _WITH_PRELUDE:
        return StreamedResponse(200, [(b"Content-Type", stream.content_type.encode("latin-1"))], stream)
    found = await _prelude(stream)
    head = None if found is None else url_head(found[0], default_type=b"application/octet-stream")
    if found is None or head is None:
        stream.abandon()
        return None
    return StreamedResponse(*head, _After(found[1], stream))


async def _prelude(stream: FunctionStream) -> tuple[dict[str, object], bytes] | None:
    """The object before the body, and what of the body has come with it; None where there is none."""
    received = b""
    try:
        while _PRELUDE_END not in received:
            piece = await stream.next()
            received += piece
            if not piece or len(received) > MAX_PRELUDE_BYTES + len(piece):
                return None
        text, _, rest = received.partition(_PRELUDE_END)
        prelude = orjson.loads(text)
    except (BrokenOff, orjson.JSONDecodeError):
        return None
    return (prelude, rest) if isinstance(prelude, dict) else None


class _After:
    """A body of which the first bytes are here already."""

    __slots__ = ("_first", "_rest")

    def __init__(self, first: bytes, rest: Pieces) -> None:
        self._first = first
        self._rest = rest

    async def next(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await self._rest.next()

    def abandon(self) -> None:
        self._first = b""
        self._rest.abandon()
