"""A response on its way, piece by piece."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from headgate.functions.response_stream import FULL_BYTES, ResponseStream
from headgate.model.call import BrokenOff
from headgate.model.invocation import FunctionError, Outcome

FINE = Outcome(payload=b"")
FAILED = Outcome(payload=b"{}", error=FunctionError.UNHANDLED)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_what_has_come_is_one_piece_and_then_the_end() -> None:
    async def story() -> None:
        stream = ResponseStream()
        stream.begin("text/plain")
        stream.put(b"one")
        stream.put(b"two")
        stream.end(FINE)

        assert [await stream.next(), await stream.next(), await stream.next()] == [b"onetwo", b"", b""]

    run(story())


def test_a_reader_waits_for_the_next_piece() -> None:
    async def story() -> None:
        stream = ResponseStream()
        reading = asyncio.ensure_future(stream.next())
        await asyncio.sleep(0)
        stream.put(b"one")

        assert await reading == b"one"

    run(story())


def test_a_failure_is_told_after_what_came_before_it() -> None:
    async def story() -> None:
        stream = ResponseStream()
        stream.put(b"one")
        stream.end(FAILED)

        assert await stream.next() == b"one"
        with pytest.raises(BrokenOff):
            await stream.next()

    run(story())


def test_a_full_stream_has_room_again_once_it_is_read_or_abandoned() -> None:
    async def story() -> None:
        for let_go in (ResponseStream.next, None):
            stream = ResponseStream()
            resumed: list[bool] = []
            stream.put(b"x" * (FULL_BYTES - 1))
            assert not stream.full
            stream.put(b"x")
            assert stream.full
            stream.when_room(lambda: resumed.append(True))  # noqa: B023
            if let_go is None:
                stream.abandon()
            else:
                await let_go(stream)

            assert (stream.full, stream.held_bytes, resumed) == (False, 0, [True])

    run(story())


def test_an_abandoned_stream_wakes_its_reader_and_keeps_nothing() -> None:
    async def story() -> None:
        stream = ResponseStream()
        reading = asyncio.ensure_future(stream.next())
        await asyncio.sleep(0)
        stream.abandon()
        stream.put(b"late")

        assert (await reading, await stream.next(), stream.held_bytes) == (b"", b"", 0)

    run(story())


def test_a_refusal_is_told_to_whoever_waits_for_the_beginning_or_reads() -> None:
    async def story() -> None:
        refused, cut = ResponseStream(), ResponseStream()
        refused.refuse(ValueError("no"))
        cut.begin("")
        cut.refuse(ValueError("no"))

        with pytest.raises(ValueError, match="no"):
            await refused.begun
        with pytest.raises(BrokenOff):
            await cut.next()

    run(story())
