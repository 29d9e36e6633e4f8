"""The bytes of answers."""

import pytest

from headgate.model.call import Response
from headgate.server.http1_answer import CLOSE, UnsendableResponse, date_line, encode_head, has_body

DATE = date_line(0.0)


def test_a_head_holds_what_the_connection_adds() -> None:
    head = encode_head(Response(200, [(b"X-A", b"1"), (b"x-a", b"2")], b"four"), DATE, CLOSE)

    assert head == (
        b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n"
        b"Connection: close\r\n\r\n"
    )


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_cannot_have_a_body_has_no_length(status: int) -> None:
    response = Response(status, [], b"dropped")

    assert b"Content-Length" not in encode_head(response, DATE, b"")
    assert not has_body(response, "GET")


def test_an_answer_to_head_has_the_length_without_the_body() -> None:
    response = Response(200, [], b"four")

    assert b"Content-Length: 4\r\n" in encode_head(response, DATE, b"")
    assert not has_body(response, "HEAD")


def test_a_status_without_a_name_keeps_its_space() -> None:
    assert encode_head(Response(299, [], b""), DATE, b"").startswith(b"HTTP/1.1 299 \r\nDate")


@pytest.mark.parametrize(
    "response",
    [
        Response(200, [(b"X", b"a\r\nSet-Cookie: evil")], b""),
        Response(200, [(b"A", b"b"), (b"X", b"a\nb")], b""),
        Response(200, [(b"X", b"a\rb")], b""),
        Response(200, [(b"X\r\nY", b"a")], b""),
        Response(200, [(b"X", b"a\0")], b""),
        Response(100, [], b""),
        Response(0, [], b""),
    ],
)
def test_an_answer_that_would_break_the_framing_is_not_sent(response: Response) -> None:
    with pytest.raises(UnsendableResponse):
        encode_head(response, DATE, b"")
