"""What the gateway's reader makes of bytes: calls in order, or one refusal."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from headgate.model.call import Call
from headgate.server.http1_state import RequestReader
from headgate.server.http_limits import HttpLimits

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMALL = HttpLimits(
    request_line_bytes=64, header_bytes=200, headers=5, body_bytes=100, chunk_overhead_bytes=64
)  # fmt: skip


def a_reader(limits: HttpLimits | None = None) -> RequestReader:
    return RequestReader(limits or HttpLimits(), "192.0.2.7", "8080")


def read(*pieces: bytes, limits: HttpLimits | None = None) -> RequestReader:
    reader = a_reader(limits)
    for piece in pieces:
        reader.feed(piece)
    return reader


def refused(*pieces: bytes, limits: HttpLimits | None = None) -> int | None:
    reader = read(*pieces, limits=limits)
    assert not reader.calls or reader.refusal is None
    return reader.refusal.status if reader.refusal else None


def the_call(data: bytes) -> Call:
    reader = read(data)
    assert reader.refusal is None
    (call,) = reader.calls
    return call


def test_a_request_becomes_a_call_with_its_bytes_as_sent() -> None:
    call = the_call(
        b"POST /prod/a%20b?x=%31&y HTTP/1.1\r\nhOST: ABC.Example:8080\r\nX-Two: 1\r\nx-two:\t2 \t\r\nX-Empty:\r\n"
        b"Content-Length: 3\r\n\r\n\0\xffz"
    )

    assert (call.method, call.path, call.query, call.body) == ("POST", "/prod/a%20b", "x=%31&y", b"\0\xffz")
    assert call.headers == [
        (b"hOST", b"ABC.Example:8080"),
        (b"X-Two", b"1"),
        (b"x-two", b"2"),
        (b"X-Empty", b""),
        (b"Content-Length", b"3"),
    ]
    assert (call.host, call.port, call.source_ip, call.protocol) == ("abc.example", "8080", "192.0.2.7", "HTTP/1.1")


HOSTILE = {
    "both lengths": (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "both lengths, the other way round": (CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n0\r\n\r\n", 400),
    "two different Content-Lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "two equal Content-Lengths": (POST + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\na", 400),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", 400),
    "a signed length": (POST + b"Content-Length: +1\r\n\r\na", 400),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\na", 400),
    "a length with a space within": (POST + b"Content-Length: 1 1\r\n\r\na", 400),
    "a length in hex": (POST + b"Content-Length: 0x1\r\n\r\na", 400),
    "an empty length": (POST + b"Content-Length:\r\n\r\n", 400),
    "a length beyond 64 bits": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 400),
    "chunked, then identity": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "gzip, then chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "an empty coding": (POST + b"Transfer-Encoding:\r\n\r\n", 400),
    "two codings in two headers": (CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a coding hidden by a vertical tab": (POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0 that is kept alive": (
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a chunk size that is no number": (CHUNKED + b"g\r\n", 400),
    "a negative chunk size": (CHUNKED + b"-1\r\n", 400),
    "a chunk size with 0x": (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", 400),
    "a chunk size beyond 64 bits": (CHUNKED + b"fffffffffffffffff\r\n", 400),
    "a chunk size followed by a space": (CHUNKED + b"1 \r\na\r\n0\r\n\r\n", 400),
    "a chunk size ended by a bare LF": (CHUNKED + b"1\na\r\n0\r\n\r\n", 400),
    "a chunk extension with a bare LF": (CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n", 400),
    "chunk data without CRLF": (CHUNKED + b"1\r\nab0\r\n\r\n", 400),
    "chunk data with a bare LF": (CHUNKED + b"1\r\na\n0\r\n\r\n", 400),
    "a length among the trailers": (CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", 400),
    "obs-fold": (GET + b"A: b\r\n c\r\n\r\n", 400),
    "obs-fold of the first header": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "a bare CR in a value": (GET + b"A: b\rc\r\n\r\n", 400),
    "a bare LF after a value": (GET + b"A: b\nC: d\r\n\r\n", 400),
    "a bare LF after the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "a bare LF that ends the head": (GET + b"\n", 400),
    "NUL in a value": (GET + b"A: \0\r\n\r\n", 400),
    "NUL in a name": (GET + b"A\0: b\r\n\r\n", 400),
    "a control character in a value": (GET + b"A: \x01\r\n\r\n", 400),
    "DEL in a value": (GET + b"A: \x7f\r\n\r\n", 400),
    "white space before the colon": (GET + b"A : b\r\n\r\n", 400),
    "a name that is no token": (GET + b"A(: b\r\n\r\n", 400),
    "a name beyond ASCII": (GET + b"\xc3\xa4: b\r\n\r\n", 400),
    "an empty name": (GET + b": b\r\n\r\n", 400),
    "a header without a colon": (GET + b"Foo\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (GET + b"Host: a\r\n\r\n", 400),
    "two Hosts in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "a Host with a space": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "a Host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a Host with a user": (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    "a Host beyond ASCII": (b"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", 400),
    "a Host with a port that is no number": (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
    "a bad Host beside an absolute target": (b"GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "an absolute target with a user": (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "an absolute target without a host": (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "an absolute target of another scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a target of an asterisk, but not for OPTIONS": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a target that is no path": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a fragment": (b"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a fragment in an absolute target": (b"GET http://a/#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a tab in the target": (b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "DEL in the target": (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "bytes beyond ASCII in the target": (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "a method of WebDAV": (b"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "an unknown method": (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/2.0 in the line": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505),
    "a version of two digits": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    "a protocol in lower case": (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    "RTSP": (b"DESCRIBE / RTSP/1.0\r\n\r\n", 405),
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "another expectation": (POST + b"Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", 417),
    "both lengths behind an offered upgrade": (
        POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
}


@pytest.mark.parametrize(("data", "status"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_shapes_are_refused(data: bytes, status: int) -> None:
    assert refused(data) == status

    # However it arrives, and whatever follows: what comes after a refused request is never read.
    assert refused(*(data[i : i + 1] for i in range(len(data))), GET, b"\r\n") == status


ALLOWED = {
    "HTTP/1.0 without a Host": (b"GET / HTTP/1.0\r\n\r\n", ("/", "", "")),
    "an empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", ("/", "", "")),
    "an IPv6 Host": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", ("/", "", "[::1]")),
    "an empty port": (b"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", ("/", "", "a")),
    "an absolute target, whose host wins": (
        b"GET http://B:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
        ("/x", "y", "b"),
    ),
    "an absolute target without a path": (b"GET http://b?y HTTP/1.1\r\nHost: a\r\n\r\n", ("/", "y", "b")),
    "OPTIONS of everything": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ("*", "", "a")),
    "a query with a question mark": (b"GET /?a=?b HTTP/1.1\r\nHost: a\r\n\r\n", ("/", "a=?b", "a")),
    "empty lines before the request": (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ("/", "", "a")),
    "bytes beyond ASCII in a value": (GET + b"A: \xc3\xa4\r\n\r\n", ("/", "", "a")),
}


@pytest.mark.parametrize(("data", "expected"), ALLOWED.values(), ids=ALLOWED)
def test_rare_but_proper_shapes_are_read(data: bytes, expected: tuple[str, str, str]) -> None:
    call = the_call(data)

    assert (call.path, call.query, call.host) == expected


LINE_OF_64 = b"GET /" + b"a" * 50 + b" HTTP/1.1\r\n"
HEADERS_OF_200 = b"Host: a\r\nX: " + b"x" * (200 - len(b"Host: a\r\nX: \r\n")) + b"\r\n"
LIMITS = {
    "a request line at its limit": (LINE_OF_64 + b"Host: a\r\n\r\n", None),
    "a request line over it": (LINE_OF_64.replace(b"/a", b"/aa") + b"Host: a\r\n\r\n", 414),
    "a request line that never ends": (b"GET /" + b"a" * 64, 414),
    "headers at their limit": (b"GET / HTTP/1.1\r\n" + HEADERS_OF_200 + b"\r\n", None),
    "headers over it": (b"GET / HTTP/1.1\r\n" + HEADERS_OF_200.replace(b"xx", b"xxx", 1) + b"\r\n", 431),
    "a header that never ends": (b"GET / HTTP/1.1\r\nX: " + b"x" * 250, 431),
    "a name that never ends": (b"GET / HTTP/1.1\r\n" + b"x" * 265, 431),
    "as many headers as allowed": (GET + b"A:\r\n" * 4 + b"\r\n", None),
    "one more": (GET + b"A:\r\n" * 5 + b"\r\n", 431),
    "a body at its limit": (POST + b"Content-Length: 100\r\n\r\n" + b"x" * 100, None),
    "a length over it, before the body": (POST + b"Content-Length: 101\r\n\r\n", 413),
    "a length over it that waits for 100": (POST + b"Content-Length: 101\r\nExpect: 100-continue\r\n\r\n", 413),
    "chunks at the limit": (CHUNKED + (b"32\r\n" + b"x" * 50 + b"\r\n") * 2 + b"0\r\n\r\n", None),
    "chunks over it": (CHUNKED + (b"32\r\n" + b"x" * 50 + b"\r\n") * 2 + b"1\r\nx\r\n", 413),
    "a body of one-byte chunks": (CHUNKED + b"1\r\nx\r\n" * 100 + b"0\r\n\r\n", None),
}


@pytest.mark.parametrize("by", ["whole", "byte by byte"])
@pytest.mark.parametrize(("data", "status"), LIMITS.values(), ids=LIMITS)
def test_limits_hold_on_both_sides(data: bytes, status: int | None, by: str) -> None:
    pieces = [data] if by == "whole" else [data[i : i + 1] for i in range(len(data))]

    reader = read(*pieces, limits=SMALL)

    assert (reader.refusal.status if reader.refusal else None) == status
    assert len(reader.calls) == (status is None)


def test_a_header_over_the_limit_is_refused_in_a_later_request_of_one_read() -> None:
    long = GET + b"X: " + b"x" * 250 + b"\r\n\r\n"

    reader = read(GET + b"\r\n" + long, limits=SMALL)

    assert len(reader.calls) == 1
    assert reader.refusal is not None
    assert reader.refusal.status == 431


def test_requests_before_a_head_in_the_same_read_do_not_count_against_it() -> None:
    reader = read((GET + b"\r\n") * 20 + GET[:5], GET[5:], b"\r\n", limits=SMALL)

    assert reader.refusal is None
    assert len(reader.calls) == 21


@pytest.mark.parametrize(
    "endless",
    [[b"1;" + b"e" * 40 + b"\r\nx\r\n"] * 10, [b"0\r\n"] + [b"T: x\r\n"] * 30],
    ids=["extensions", "trailers"],
)
def test_what_chunks_carry_beside_data_is_bounded(endless: list[bytes]) -> None:
    assert refused(CHUNKED, *endless, limits=SMALL) == 400
    assert refused(CHUNKED, *endless[:2], limits=SMALL) is None


def test_chunks_are_joined_and_trailers_are_dropped() -> None:
    call = the_call(CHUNKED + b"3;x=y\r\nabc\r\n0002\r\nde\r\n0\r\nHost: evil\r\nX-T: 1\r\n\r\n")

    assert call.body == b"abcde"
    assert (b"X-T", b"1") not in call.headers
    assert call.host == "a"


@pytest.mark.parametrize("offer", [b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMA\r\n"])
@pytest.mark.parametrize(
    "framed",
    [
        (b"\r\n", b""),
        (b"Content-Length: 26\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n", b"GET /smuggled HTTP/1.1\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc"),
    ],
    ids=["no body", "a length", "chunks"],
)  # fmt: skip
def test_an_offered_upgrade_is_ignored_and_the_body_stays_a_body(offer: bytes, framed: tuple[bytes, bytes]) -> None:
    rest, body = framed
    data = POST + offer + rest + GET + b"X: next\r\n\r\n"

    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        reader = read(*pieces)

        assert reader.refusal is None
        assert [call.body for call in reader.calls] == [body, b""]
        assert reader.calls[1].headers[-1] == (b"X", b"next")


def test_a_client_that_closes_is_read_no_further() -> None:
    reader = read(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")

    assert reader.ended
    assert reader.refusal is None
    assert len(reader.calls) == 1


ENDED = {
    "HTTP/1.1": (GET + b"\r\n", False),
    "HTTP/1.1 that closes": (GET + b"Connection: foo, Close\r\n\r\n", True),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", True),
    "HTTP/1.0 kept alive": (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", False),
    "an upgrade offered by one that closes": (GET + b"Connection: close, upgrade\r\nUpgrade: h2c\r\n\r\n", True),
}


@pytest.mark.parametrize(("data", "ended"), ENDED.values(), ids=ENDED)
def test_who_is_kept_alive(data: bytes, ended: bool) -> None:
    reader = read(data)

    assert len(reader.calls) == 1
    assert reader.ended is ended


def test_continue_is_wanted_only_while_a_body_is_due() -> None:
    reader = a_reader()

    reader.feed(POST + b"Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n")
    assert reader.wants_continue
    reader.feed(b"x")
    assert not reader.wants_continue

    assert not read(POST + b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n").wants_continue
    old = read(b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: whatever\r\n\r\n")
    assert not old.wants_continue
    assert old.refusal is None


def test_the_reader_says_whether_a_request_has_begun() -> None:
    reader = a_reader()

    reader.feed(b"\r\n")
    assert not reader.mid_message
    reader.feed(GET + b"\r\n" + b"G")
    assert reader.mid_message
    assert not reader.in_body
    reader.feed(CHUNKED[2:].replace(b"ST", b"ET", 1))
    assert reader.in_body


STREAM = b"".join(
    [
        GET + b"X-N: 0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n1;a\r\n!\r\n0\r\nT: t\r\n\r\n",
        POST + b"Content-Length: 11\r\n\r\nGET / HTTP/",
        b"\r\n" + GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        b"GET http://b/ HTTP/1.0\r\nConnection: close\r\n\r\n",
    ]
)


def without_time(reader: RequestReader) -> list[Call]:
    return [structs.replace(call, received_at=0.0) for call in reader.calls]


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_calls_do_not_depend_on_how_the_bytes_are_split(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]

    reader = read(*(STREAM[a:b] for a, b in pairwise(edges)))

    assert reader.refusal is None
    assert without_time(reader) == without_time(read(STREAM))
    assert len(reader.calls) == 6


TOKENS = st.sampled_from(
    [GET, POST, CHUNKED, b"\r\n", b"\n", b"\r", b"0\r\n\r\n", b"5\r\nhello\r\n", b"Content-Length: 5\r\n", b"hello",
     b"Connection: upgrade\r\nUpgrade: x\r\n", b"Expect: 100-continue\r\n", b"CONNECT ", b" ", b"\0", b"HTTP/1.0\r\n"]
)  # fmt: skip


@given(st.lists(st.binary(max_size=40) | TOKENS, max_size=20))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    reader = a_reader(SMALL)

    for piece in pieces:
        reader.feed(piece)

    assert len(reader.calls) <= len(b"".join(pieces)) // len(b"GET / HTTP/1.0\r\n\r\n")
