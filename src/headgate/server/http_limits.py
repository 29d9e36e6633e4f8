"""How much one client may ask of the gateway's listener before it is refused."""

import msgspec


class HttpLimits(msgspec.Struct, frozen=True):
    """Bounds on one connection and on all of them. Times are judged by a sweep, so they run up to a second late."""

    # What a request may hold. Over it: 414, 431, 431, 413.
    request_line_bytes: int = 8_192
    header_bytes: int = 10_240  # names and values with ": " and CRLF; API Gateway's quota
    headers: int = 200
    body_bytes: int = 10_485_760  # API Gateway's payload quota, unchunked

    # What a chunked body may spend on extensions and trailers beyond plain chunk sizes. Over it: 400.
    chunk_overhead_bytes: int = 8_192

    # How long a client may take. Over the first two: 408; over the others the connection is closed without a word.
    header_timeout_s: float = 10.0  # first byte to the end of the head; on a new connection, also to the first byte
    body_grace_s: float = 10.0  # after it, the body's mean rate must have reached the next figure
    body_bytes_per_s: int = 1_000
    idle_timeout_s: float = 65.0  # between two requests; longer than the 60 s after which most proxies let go
    write_timeout_s: float = 30.0  # without the client reading one byte of what waits for it

    # After a refusal the answer is sent, then so much is read and thrown away before the socket is closed.
    linger_s: float = 3.0
    linger_bytes: int = 16_777_216

    # Requests taken ahead of the one being answered (pipelining); reading pauses beyond either. The last read may
    # overshoot by what it held, at most 256 KiB.
    parsed_ahead: int = 32
    parsed_ahead_bytes: int = 65_536

    connections: int = 10_000  # beyond it: 503
