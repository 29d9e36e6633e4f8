"""What a function behind a URL may return, and what the client gets (Developer Guide, "Response payload format")."""

import base64
import binascii
import re
from typing import Any, Final

import orjson

from headgate.dataplane.headers import FROM_FUNCTION, is_safe_value
from headgate.model.call import Response

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS: Final = re.compile(r"[1-5]\d\d")


def url_answer(payload: bytes) -> Response | None:
    """The answer that a function's result stands for; None where it is none.

    An object with a statusCode is an answer. Any other result is the JSON body of a 200; a string stands for itself.
    """
    try:
        result = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if isinstance(result, dict) and "statusCode" in result:
        return _stated(result)
    body = result.encode() if isinstance(result, str) else orjson.dumps(result)
    return Response(200, [(b"Content-Type", b"application/json")], body)


def url_head(said: dict[str, Any], *, default_type: bytes) -> tuple[int, list[tuple[bytes, bytes]]] | None:
    """Status and headers of an answer by what a function said of them; None where they are none.

    Without a statusCode the status is 200, without a content type that is `default_type`.
    """
    status = _status(said.get("statusCode", 200))
    headers = _headers(said.get("headers"), said.get("cookies"))
    if status is None or headers is None:
        return None
    if not any(name.lower() == b"content-type" for name, _ in headers):
        headers.append((b"Content-Type", default_type))
    return status, headers


def _stated(result: dict[str, Any]) -> Response | None:
    head = url_head(result, default_type=b"application/json")
    body = _body(result)
    return None if head is None or body is None else Response(*head, body)


def _status(code: Any) -> int | None:
    if isinstance(code, str) and _STATUS.fullmatch(code):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599 else None


def _body(result: dict[str, Any]) -> bytes | None:
    """A body that is no string goes out as JSON."""
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return orjson.dumps(body)
    if result.get("isBase64Encoded") is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return None


def _headers(given: Any, cookies: Any) -> list[tuple[bytes, bytes]] | None:
    """One line a header, and a Set-Cookie for each cookie; None where a name or value cannot stand in one."""
    if not isinstance(given or {}, dict) or not isinstance(cookies or [], list):
        return None
    lines: list[tuple[bytes, bytes]] = []
    pairs = [*(given or {}).items(), *(("Set-Cookie", cookie) for cookie in cookies or [])]
    for name, value in pairs:
        if value is None:
            continue
        text = _text(value)
        if not _NAME.fullmatch(name) or text is None or not is_safe_value(text):
            return None
        kept = FROM_FUNCTION[name.encode()]
        if kept is not None:
            lines.append((kept, text))
    return lines


def _text(value: Any) -> bytes | None:
    match value:
        case str():
            return value.encode()
        case bool():
            return b"true" if value else b"false"
        case int() | float():
            return str(value).encode()
        case list() if all(isinstance(item, str) for item in value):
            return ",".join(value).encode()
    return None
