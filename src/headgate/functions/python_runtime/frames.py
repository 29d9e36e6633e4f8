"""The messages between the server, a function's warmed parent and its execution environments, on Unix stream sockets.

A frame is a 4-byte big-endian length of its payload, one byte that says its kind, and the payload. The parent's control
socket carries JSON in most frames; an environment's socket carries CALL one way and ANSWER or ERROR the other.
"""

import struct

# From the server to the parent.
SETTINGS = 1  # JSON, the first frame: see parent_command.Settings
FORK = 2  # JSON {"number", "stream", "folder"}; with it come two descriptors: the frame socket and the output pipe

# From the parent to the server.
READY = 3  # empty; an environment says so too, when it can take its first call
UNFORKABLE = 4  # the import left something that a fork must not share: the payload says what, as text
INIT_ERROR = 5  # Lambda's error document; an environment that imports for itself says so too
FORKED = 6  # NUMBER_AND_PROCESS: the environment's number and process id; with it comes a descriptor of the process
EXITED = 7  # END: the environment's number, wait status, and the most memory that it used, in KiB

# From an environment that could not become its program: the payload says why, as text.
NOT_RUN = 11
# From an environment that is about to become its program: the address of the Runtime API, as text; with it comes its
# listening socket.
LISTENING = 12

# Between the server and an environment.
CALL = 8  # see call_frame
ANSWER = 9  # see answer_frame: the handler's answer as JSON
ERROR = 10  # the same with Lambda's error document

HEAD = struct.Struct("!IB")
NUMBER_AND_PROCESS = struct.Struct("!Ii")
END = struct.Struct("!IiQ")
# Call number, deadline, bytes of the texts, characters of request id, ARN and trace id.
_CALL_HEAD = struct.Struct("!IQIIII")
_CALL_START = struct.Struct("!IBIQIIII")  # HEAD and _CALL_HEAD, packed at once
ANSWER_HEAD = struct.Struct("!IIB")  # call number, peak memory in KiB, whether there is output in the pipe
_ANSWER_START = struct.Struct("!IBIIB")

# aws-semantics 9.4. An answer above it is replaced by an error where it is made.
MAX_ANSWER_BYTES = 6_291_556
MAX_FRAME_BYTES = 64 * 1024 * 1024  # above every frame that either side makes


class FrameError(Exception):
    """The other side did not speak in frames."""


def frame(kind: int, payload: bytes) -> bytes:
    """The bytes of one frame."""
    return HEAD.pack(len(payload), kind) + payload


def call_frame(
    number: int, deadline_ms: int, request_id: str, invoked_arn: str, trace_id: str, client_context: str, event: bytes
) -> bytes:
    """A call. `number` comes back with the answer; the deadline is of CLOCK_MONOTONIC, which all processes share."""
    texts = f"{request_id}{invoked_arn}{trace_id}{client_context}".encode()
    size = _CALL_HEAD.size + len(texts) + len(event)
    start = _CALL_START.pack(
        size, CALL, number, deadline_ms, len(texts), len(request_id), len(invoked_arn), len(trace_id)
    )
    return b"".join((start, texts, event))


def parse_call(payload: bytes) -> tuple[int, int, str, str, str, str, bytes]:
    """What `call_frame` was given."""
    number, deadline_ms, size, id_end, arn_size, trace_size = _CALL_HEAD.unpack_from(payload)
    event_at = _CALL_HEAD.size + size
    texts = payload[_CALL_HEAD.size : event_at].decode()
    arn_end = id_end + arn_size
    trace_end = arn_end + trace_size
    parts = texts[:id_end], texts[id_end:arn_end], texts[arn_end:trace_end], texts[trace_end:]
    return number, deadline_ms, *parts, payload[event_at:]


def answer_frame(kind: int, number: int, peak_kib: int, has_output: bool, answer: bytes) -> bytes:
    """An answer of one of the two kinds; what comes before `answer` is ANSWER_HEAD."""
    return _ANSWER_START.pack(ANSWER_HEAD.size + len(answer), kind, number, peak_kib, has_output) + answer


class FrameReader:
    """Cuts a stream of bytes into frames. `limit_bytes` bounds one payload, and with it what is kept."""

    __slots__ = ("_kept", "_limit_bytes")

    def __init__(self, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self._kept = bytearray()
        self._limit_bytes = limit_bytes

    def feed(self, received: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete with these bytes, in order, as (kind, payload). Raises FrameError."""
        size = len(received)
        if not self._kept and size >= HEAD.size:
            # Nearly always one read brings exactly one frame.
            length, kind = HEAD.unpack_from(received)
            if HEAD.size + length == size and length <= self._limit_bytes:
                return [(kind, received[HEAD.size :])]
        self._kept += received
        frames: list[tuple[int, bytes]] = []
        start = 0
        while len(self._kept) - start >= HEAD.size:
            length, kind = HEAD.unpack_from(self._kept, start)
            if length > self._limit_bytes:
                raise FrameError(f"a frame of {length} bytes; at most {self._limit_bytes} are read")
            end = start + HEAD.size + length
            if len(self._kept) < end:
                break
            frames.append((kind, bytes(self._kept[start + HEAD.size : end])))
            start = end
        del self._kept[:start]
        return frames
