"""The event stream encoding (`application/vnd.amazon.eventstream`): framed messages with headers and two checksums.

A frame is: its whole length, the length of its headers, the CRC of these eight bytes; headers; payload; the CRC of all
before. Numbers are big-endian, of 32 bits. A header is: length of its name (8 bits), name, type (7 is a string), length
of the value (16 bits), value.
"""

import struct
from binascii import crc32
from collections.abc import Mapping
from typing import Final, NamedTuple

_STRING: Final = 7
_LENGTHS: Final = struct.Struct(">II")
_CRC: Final = struct.Struct(">I")
_HEADER: Final = struct.Struct(">BH")
_FRAMING_BYTES: Final = 16  # lengths and both checksums

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024  # what clients accept, by the encoding's documentation
MAX_HEADERS_BYTES: Final = 128 * 1024


class Event(NamedTuple):
    """One event of an operation's stream."""

    type: str  # the member of the stream's structure
    payload: bytes
    content_type: str


def encode(event: Event) -> bytes:
    """An event as a frame."""
    headers = {":event-type": event.type, ":content-type": event.content_type, ":message-type": "event"}
    return frame(headers, event.payload)


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message with headers that are strings. Raises ValueError for one that no client would read."""
    block = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    if len(block) > MAX_HEADERS_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(
            f"a message has at most {MAX_HEADERS_BYTES} bytes of headers and {MAX_PAYLOAD_BYTES} of payload, "
            f"not {len(block)} and {len(payload)}"
        )
    lengths = _LENGTHS.pack(_FRAMING_BYTES + len(block) + len(payload), len(block))
    message = lengths + _CRC.pack(crc32(lengths)) + block + payload
    return message + _CRC.pack(crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    if not 1 <= len(name) <= 0xFF or len(value) > 0x7FFF:
        raise ValueError(
            f"a header's name has 1 to 255 bytes and its value at most 32767, not {len(name)}, {len(value)}"
        )
    return bytes([len(name)]) + name + _HEADER.pack(_STRING, len(value)) + value
