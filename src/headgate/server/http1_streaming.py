"""A body that is sent as it comes: its pieces in chunks, each once the client has taken enough of those before.

The connection steps `send` by hand, as it does its handlers, and says when its transport takes more or is gone.
"""

import asyncio
from typing import Final

from headgate.model.call import Pieces
from headgate.server.http1_answer import LAST_CHUNK, chunk


class StreamedBody:
    """One body on its way. `chunked` is false for HTTP/1.0, where the body ends with the connection."""

    __slots__ = ("_chunked", "_pieces", "_transport", "_writable", "closes", "sent_bytes")

    def __init__(self, pieces: Pieces, transport: asyncio.Transport, *, chunked: bool, closes: bool) -> None:
        self._pieces = pieces
        self._transport = transport
        self._chunked = chunked
        self._writable: asyncio.Future[None] | None = None  # set while the client has not taken enough
        self.closes: Final = closes  # its head said that the connection ends with it
        self.sent_bytes = 0

    async def send(self) -> None:
        """Send it to its end. Raises BrokenOff, and whatever else the pieces' maker raises."""
        while piece := await self._pieces.next():
            self.sent_bytes += len(piece)
            self._transport.write(chunk(piece) if self._chunked else piece)
            if self._writable is not None:
                await self._writable
        if self._chunked and not self._transport.is_closing():
            self._transport.write(LAST_CHUNK)

    def pause(self) -> None:
        """The transport holds enough."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """The transport takes more."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def abandon(self) -> None:
        """Its client is gone, or can be sent no more."""
        self._pieces.abandon()
        self.resume()
