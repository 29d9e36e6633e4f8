"""What happens to a header on its way through: dropped, renamed or passed (aws-semantics 3.9, aws-recorded)."""

from collections.abc import Callable
from typing import Final, TypeVar

Name = TypeVar("Name")
Passed = TypeVar("Passed")

Headers = list[tuple[bytes, bytes]]

_NEVER_FORWARDED: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"content-md5",
        b"expect",
        b"keep-alive",
        b"max-forwards",
        b"proxy-authenticate",
        b"proxy-connection",
        b"server",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"www-authenticate",
    }
)
_SET_BY_THE_GATEWAY: Final = frozenset(
    {b"x-amzn-trace-id", b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto"}
)
_NOT_TO_HTTP_PROXY: Final = _NEVER_FORWARDED | _SET_BY_THE_GATEWAY | {b"host", b"content-encoding", b"via"}

_DROPPED_FROM_BACKEND: Final = frozenset({b"transfer-encoding", b"keep-alive", b"proxy-connection", b"te"})
_DROPPED_FROM_HTTP_PROXY: Final = _DROPPED_FROM_BACKEND | {b"content-encoding", b"via"}
_REMAPPED_FOR_ALL: Final = frozenset({b"connection", b"content-length", b"date", b"server"})
_REMAPPED_FOR_NON_PROXY: Final = _REMAPPED_FOR_ALL | {
    b"authorization",
    b"content-md5",
    b"expect",
    b"host",
    b"max-forwards",
    b"proxy-authenticate",
    b"trailer",
    b"upgrade",
    b"user-agent",
    b"www-authenticate",
}
_MEMO_SIZE: Final = 2048  # names; clients choose them, so the memo is bounded


class Memo(dict[Name, Passed]):
    """Header name as sent -> the name to pass it under, or None to drop it. A look-up is one dict access."""

    def __init__(self, decide: Callable[[Name], Passed]) -> None:
        super().__init__()
        self._decide = decide

    def __missing__(self, name: Name) -> Passed:
        if len(self) >= _MEMO_SIZE:
            self.clear()
        passed = self[name] = self._decide(name)
        return passed


def _drop(dropped: frozenset[bytes]) -> Callable[[bytes], bytes | None]:
    return lambda name: None if name.lower() in dropped else name


def _drop_or_remap(dropped: frozenset[bytes], remapped: frozenset[bytes]) -> Callable[[bytes], bytes | None]:
    def decide(name: bytes) -> bytes | None:
        lower = name.lower()
        if lower in dropped:
            return None
        return b"x-amzn-Remapped-" + name if lower in remapped else name

    return decide


def _event_name(name: bytes) -> str | None:
    lower = name.lower()
    if lower in _NEVER_FORWARDED or lower in _SET_BY_THE_GATEWAY:
        return None
    # The service title-cases these whatever the client sent.
    titled = {b"authorization": "Authorization", b"user-agent": "User-Agent", b"host": "Host"}
    return titled.get(lower) or name.decode("latin-1")


TO_HTTP_PROXY: Final = Memo(_drop(_NOT_TO_HTTP_PROXY))
TO_EVENT: Final = Memo(_event_name)
FROM_HTTP_PROXY: Final = Memo(_drop_or_remap(_DROPPED_FROM_HTTP_PROXY, _REMAPPED_FOR_ALL))
FROM_HTTP: Final = Memo(_drop_or_remap(_DROPPED_FROM_BACKEND, _REMAPPED_FOR_NON_PROXY))
from_function: Final = _drop_or_remap(frozenset({b"transfer-encoding"}), _REMAPPED_FOR_ALL)
FROM_FUNCTION: Final = Memo(from_function)

_FORBIDDEN_VALUE: Final = b"\r\n\0"


def is_safe_value(value: bytes) -> bool:
    """Whether a value may stand in a header line: no line break, no NUL (response splitting)."""
    return not any(byte in value for byte in _FORBIDDEN_VALUE)


def first(headers: Headers, lower_name: bytes) -> bytes | None:
    """The first value of a header; `lower_name` in lower case."""
    for name, value in headers:
        if len(name) == len(lower_name) and name.lower() == lower_name:
            return value
    return None


def last(headers: Headers, lower_name: bytes) -> bytes | None:
    return next((value for name, value in reversed(headers) if name.lower() == lower_name), None)
