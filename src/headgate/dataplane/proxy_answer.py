"""The contract of an AWS_PROXY answer: what a function may return and what the client gets (aws-semantics 3.5)."""

import base64
import binascii
import re
from typing import Any, Final

import orjson

from headgate.dataplane import headers
from headgate.dataplane.media_types import is_binary
from headgate.dataplane.refusal import BadProxyAnswer, ConfigurationError
from headgate.dataplane.request import Request
from headgate.dataplane.snapshot import Reply

_KEYS: Final = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_INTEGER: Final = re.compile(r"[1-5]\d\d")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSENDABLE: Final = re.compile(r"[\r\n\0]")


def proxy_answer(request: Request, payload: bytes) -> Reply:
    """Read a function's answer. Raises BadProxyAnswer where it breaks the contract."""
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadProxyAnswer("Malformed Lambda proxy response: not JSON") from error
    if not isinstance(answer, dict):
        raise BadProxyAnswer("Malformed Lambda proxy response: not an object")
    if not _KEYS.issuperset(answer):
        raise BadProxyAnswer(f"Malformed Lambda proxy response: unknown keys {sorted(set(answer) - _KEYS)}")
    reply_headers = _headers(answer.get("headers"), answer.get("multiValueHeaders"))
    return Reply(_status(answer.get("statusCode")), reply_headers, _body(request, answer))


def _status(code: Any) -> int:
    if type(code) is int and 100 <= code <= 599:  # nearly always
        return code
    match code:
        case None:
            return 200
        case str() if _INTEGER.fullmatch(code):
            return int(code)
    raise BadProxyAnswer(f"Malformed Lambda proxy response: statusCode {code!r}")


def _headers(single: Any, multi: Any) -> list[tuple[bytes, bytes]]:
    """Multi values first, then single ones under the spelling that the multi map gave the name."""
    names = _NAMES
    spelled: dict[str, bytes | None] = {}  # in lower case -> as it goes out
    lines: list[tuple[bytes, bytes]] = []
    if multi is not None:
        if not isinstance(multi, dict):
            raise BadProxyAnswer("Malformed Lambda proxy response: multiValueHeaders is not an object")
        for name, items in multi.items():
            if not isinstance(items, list):
                raise BadProxyAnswer(f"Malformed Lambda proxy response: multiValueHeaders {name} is not a list")
            kept = spelled.setdefault(*names[name])
            # One line a value: a client may not split Set-Cookie at a comma.
            values = [_value(name, item) for item in items]
            if kept is not None:
                lines += [(kept, value) for value in values]
    if single is not None:
        if not isinstance(single, dict):
            raise BadProxyAnswer("Malformed Lambda proxy response: headers is not an object")
        for name, item in single.items():
            if item is not None:
                kept = spelled.setdefault(*names[name])
                value = _value(name, item)
                if kept is not None:
                    lines.append((kept, value))
    if "content-type" not in spelled:
        lines.append((b"Content-Type", b"application/json"))
    return lines


def _name(name: str) -> tuple[str, bytes | None]:
    """A header's name in lower case, and as it goes out; None where it does not."""
    if not _NAME.fullmatch(name):
        raise BadProxyAnswer(f"Malformed Lambda proxy response: header name {name!r}")
    return name.lower(), headers.from_function(name.encode())


_NAMES: Final = headers.Memo(_name)


def _value(name: str, item: Any) -> bytes:
    """A header value's bytes. Strings and booleans have them; numbers are refused (aws-recorded, Invocation)."""
    match item:
        case str() if item.isprintable() or not _UNSENDABLE.search(item):
            return item.encode()
        case bool():
            return b"true" if item else b"false"
    raise BadProxyAnswer(f"Malformed Lambda proxy response: the value of header {name}")


def _body(request: Request, answer: dict[str, Any]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadProxyAnswer("Malformed Lambda proxy response: body is not a string")
    raw = body.encode("utf-8")
    if answer.get("isBase64Encoded") is True and is_binary(
        request.variant.binary_media_types, headers.first(request.call.headers, b"accept")
    ):
        try:
            return base64.b64decode(raw, validate=True)
        except binascii.Error as error:
            raise ConfigurationError("Unable to base64 decode the body") from error
    return raw
