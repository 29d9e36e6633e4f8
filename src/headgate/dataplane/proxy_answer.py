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
    values: dict[str, tuple[str, list[str]]] = {}
    if multi is not None:
        if not isinstance(multi, dict):
            raise BadProxyAnswer("Malformed Lambda proxy response: multiValueHeaders is not an object")
        for name, items in multi.items():
            if not isinstance(items, list):
                raise BadProxyAnswer(f"Malformed Lambda proxy response: multiValueHeaders {name} is not a list")
            values.setdefault(name.lower(), (name, []))[1].extend(_text(name, item) for item in items)
    if single is not None:
        if not isinstance(single, dict):
            raise BadProxyAnswer("Malformed Lambda proxy response: headers is not an object")
        for name, item in single.items():
            if item is not None:
                values.setdefault(name.lower(), (name, []))[1].append(_text(name, item))
    lines: list[tuple[bytes, bytes]] = []
    passed = headers.FROM_FUNCTION
    for name, items in values.values():
        kept = passed[name.encode("utf-8")]
        if kept is not None:
            # One line a value: a client may not split Set-Cookie at a comma.
            lines.extend((kept, item.encode("utf-8")) for item in items)
    if "content-type" not in values:
        lines.append((b"Content-Type", b"application/json"))
    return lines


def _text(name: str, item: Any) -> str:
    """A header value as text. Strings and booleans have one; numbers are refused (aws-recorded, Invocation)."""
    if not _NAME.fullmatch(name):
        raise BadProxyAnswer(f"Malformed Lambda proxy response: header name {name!r}")
    match item:
        case str() if not _UNSENDABLE.search(item):
            return item
        case bool():
            return "true" if item else "false"
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
