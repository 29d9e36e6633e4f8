"""Event stream frames, read back by botocore."""

from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.wire.event_stream import MAX_HEADERS_BYTES, MAX_PAYLOAD_BYTES, Event, encode, frame

NAMES = st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) <= 255)
HEADERS = st.dictionaries(NAMES, st.text(max_size=300), max_size=8)


def read(stream: bytes, chunk: int = 1 << 30) -> list[tuple[Any, bytes]]:
    """Headers and payloads, as botocore reads a stream that arrives in chunks of this size."""
    buffer = EventStreamBuffer()
    messages: list[tuple[Any, bytes]] = []
    for at in range(0, len(stream), chunk):
        buffer.add_data(stream[at : at + chunk])
        messages += [(message.headers, message.payload) for message in buffer]
    return messages


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.lists(st.tuples(HEADERS, st.binary(max_size=2000)), max_size=5), st.integers(1, 100))
def test_botocore_reads_what_was_framed(messages: list[tuple[dict[str, str], bytes]], chunk: int) -> None:
    stream = b"".join(frame(headers, payload) for headers, payload in messages)

    assert read(stream, chunk) == messages


@pytest.mark.parametrize("value", ["", "x" * 0x7FFF, "é" * 0x3FFF], ids=["empty", "longest", "not ASCII"])
def test_a_headers_value_may_have_any_length_that_the_encoding_has(value: str) -> None:
    assert read(frame({"n" * 255: value}, b"")) == [({"n" * 255: value}, b"")]


def test_an_event_says_its_type_and_that_of_its_payload() -> None:
    ((headers, payload),) = read(encode(Event("PayloadChunk", b"\0bytes", "application/octet-stream")))

    assert payload == b"\0bytes"
    assert headers == {
        ":event-type": "PayloadChunk",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        ({"": "x"}, b""),
        ({"n" * 256: "x"}, b""),
        ({"n": "x" * 0x8000}, b""),
        ({str(number): "x" * 0x7FFF for number in range(MAX_HEADERS_BYTES // 0x7FFF + 1)}, b""),
        ({}, bytes(MAX_PAYLOAD_BYTES + 1)),
    ],
    ids=["a name that is empty", "a long name", "a long value", "many headers", "a large payload"],
)
def test_what_no_client_would_read_is_not_framed(headers: dict[str, str], payload: bytes) -> None:
    with pytest.raises(ValueError, match="has"):
        frame(headers, payload)
